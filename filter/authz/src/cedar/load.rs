//! Loading a policy set: parse, name, check against the schema.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use cedar_policy::{PolicyId, PolicySet, Schema, SchemaFragment, ValidationMode, Validator};

use super::entities::OperatorEntities;
use super::error::Finding;
use super::index::{Answer, Index};
use super::names::Names;
use super::reads::Reads;
use super::{PolicyError, Question, Verdict, schema};
use crate::config::ClaimType;

/// The most policies of one set. More is refused.
pub const MAX_POLICIES: usize = 100_000;

/// The largest text of policies, of a schema and of entities, in bytes each. Larger ones are refused unread.
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// A policy set that fits its schema, with the entities it is evaluated over.
#[derive(Debug)]
pub struct Policies {
    index: Index,
    reads: Reads,
    entities: OperatorEntities,
    names: Names,
}

/// The texts a policy set is made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a> {
    /// The policies.
    pub policies: &'a str,
    /// The operator's part of the schema.
    pub schema: Option<&'a str>,
    /// The operator's entities.
    pub entities: Option<&'a str>,
}

impl Policies {
    /// Loads a policy set for the declared claims and headers.
    ///
    /// # Errors
    /// [`PolicyError`] with the position of what is wrong.
    pub fn load(
        texts: Texts<'_>,
        claims: &BTreeMap<String, ClaimType>,
        headers: &[String],
    ) -> Result<Self, PolicyError> {
        for (what, text) in [
            ("bytes of policies", Some(texts.policies)),
            ("bytes of schema", texts.schema),
            ("bytes of entities", texts.entities),
        ] {
            let found = text.map_or(0, str::len);
            if found > MAX_TEXT_BYTES {
                return Err(PolicyError::TooMany { what, found, limit: MAX_TEXT_BYTES });
            }
        }
        let schema = load_schema(texts.schema, claims, headers)?;
        let set = parse(texts.policies)?;
        let entities = OperatorEntities::load(texts.entities, &schema)?;
        validate(texts.policies, &set, schema)?;
        let (index, reads) = (Index::new(&set), Reads::of(&set, headers));
        Ok(Self { index, reads, entities, names: Names::new() })
    }

    /// What the policies read of a request.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Puts a question to the policies.
    pub(crate) fn evaluate(&self, question: &Question<'_>) -> Verdict {
        let Some((request, entities)) = question.build(&self.names, &self.entities, &self.reads) else {
            return Verdict::Error(Arc::from([]));
        };
        let Answer { allowed, reasons, errors } = self.index.answer(&request, &entities);
        match (allowed, errors.is_empty(), reasons.is_empty()) {
            (_, false, _) => Verdict::Error(names(errors)),
            (true, true, _) => Verdict::Permit(names(reasons)),
            (false, true, true) => Verdict::NotPermitted,
            (false, true, false) => Verdict::Forbid(names(reasons)),
        }
    }
}

fn names(ids: Vec<&str>) -> Arc<[Box<str>]> {
    ids.into_iter().map(Box::from).collect()
}

/// The engine's schema with the operator's added to it.
fn load_schema(
    own: Option<&str>,
    claims: &BTreeMap<String, ClaimType>,
    headers: &[String],
) -> Result<Schema, PolicyError> {
    let base = schema::text(claims, headers);
    let fragment = |text: &str| {
        SchemaFragment::from_cedarschema_str(text)
            .map(|(fragment, _warnings)| fragment)
            .map_err(|error| PolicyError::Schema(Finding::new(text, &error)))
    };
    let mut fragments = vec![fragment(&base)?];
    if let Some(own) = own {
        fragments.push(fragment(own)?);
    }
    Schema::from_schema_fragments(fragments)
        .map_err(|error| PolicyError::Schema(Finding::new(own.unwrap_or(&base), &error)))
}

/// Parses policies; those with an `@id` are known by it, the others as `policyN` in the order of the text.
fn parse(text: &str) -> Result<PolicySet, PolicyError> {
    let parsed: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        let first = errors.iter().next();
        PolicyError::Parse(first.map_or_else(
            || Finding { position: None, message: errors.to_string() },
            |first| Finding::new(text, first),
        ))
    })?;
    if let Some(template) = parsed.templates().next() {
        return Err(PolicyError::Template(template.id().to_string()));
    }
    let found = parsed.num_of_policies();
    if found > MAX_POLICIES {
        return Err(PolicyError::TooMany { what: "policies", found, limit: MAX_POLICIES });
    }
    let mut names = HashSet::new();
    let mut policies = Vec::with_capacity(found);
    for policy in parsed.policies() {
        let policy = match policy.annotation("id") {
            Some(id) => policy.new_id(PolicyId::new(id)),
            None => policy.clone(),
        };
        if !names.insert(policy.id().clone()) {
            return Err(PolicyError::DuplicateId(policy.id().to_string()));
        }
        policies.push(policy);
    }
    PolicySet::from_policies(policies).map_err(|error| PolicyError::DuplicateId(error.to_string()))
}

fn validate(text: &str, set: &PolicySet, schema: Schema) -> Result<(), PolicyError> {
    let result = Validator::new(schema).validate(set, ValidationMode::Strict);
    let first = result
        .validation_errors()
        .map(|error| (error.policy_id().to_string(), Finding::new(text, error)))
        .min_by_key(|(_, finding)| finding.position.map(|position| (position.line, position.column)));
    match first {
        None => Ok(()),
        Some((policy, finding)) => Err(PolicyError::Invalid { policy, finding }),
    }
}
