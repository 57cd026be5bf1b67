//! What is true of one request, looked up feature by feature when it is first asked for.

use cedar_policy_core::ast::{
    Context, Entity, EntityUID, Literal, PartialValue, Request, Value, ValueKind, Var,
};
use cedar_policy_core::entities::{Dereference, Entities};

use super::clause::{Feature, Path, Step};
use super::table::{FeatureId, KeyId, Keys, Table};

/// The keys that hold for a request.
pub(super) struct Facts<'a> {
    table: &'a Table,
    request: &'a Request,
    entities: &'a Entities,
    states: Vec<State>,
}

#[derive(Clone)]
enum State {
    NotAsked,
    Unresolved(Resolution),
    /// The keys that policies mention and that hold.
    Holding(Vec<KeyId>),
}

/// Whether a feature could be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolution {
    /// It could.
    Resolved,
    /// There is no value at its path: Cedar fails.
    Absent,
    /// There is a value of another type, or the path leads through another entity: it is left to Cedar.
    Unforeseen,
}

impl<'a> Facts<'a> {
    pub(super) fn new(table: &'a Table, request: &'a Request, entities: &'a Entities) -> Self {
        Self { table, request, entities, states: vec![State::NotAsked; table.features()] }
    }

    pub(super) fn resolution(&mut self, feature: FeatureId) -> Resolution {
        match self.state(feature) {
            State::Holding(_) => Resolution::Resolved,
            State::Unresolved(resolution) => *resolution,
            State::NotAsked => Resolution::Unforeseen,
        }
    }

    /// The keys of a feature that hold; none where it is unresolved.
    pub(super) fn holding(&mut self, feature: FeatureId) -> &[KeyId] {
        match self.state(feature) {
            State::Holding(keys) => keys,
            State::Unresolved(_) | State::NotAsked => &[],
        }
    }

    fn state(&mut self, id: FeatureId) -> &State {
        if matches!(self.states[id.index()], State::NotAsked) {
            let (feature, keys) = self.table.feature(id);
            self.states[id.index()] =
                self.resolve(feature, keys).map_or_else(State::Unresolved, State::Holding);
        }
        &self.states[id.index()]
    }

    fn resolve(&self, feature: &Feature, keys: &Keys) -> Result<Vec<KeyId>, Resolution> {
        let unknown = || Resolution::Unforeseen;
        match feature {
            Feature::Type(var) => {
                Ok(found(keys.types.get(self.uid(*var).ok_or_else(unknown)?.entity_type())))
            }
            Feature::Identity(var) => Ok(found(keys.entities.get(self.uid(*var).ok_or_else(unknown)?))),
            Feature::Ancestors(var) => self.ancestors(*var, keys).ok_or_else(unknown),
            Feature::Presence { path, certain } => {
                let present = self.present(path, *certain).ok_or_else(unknown)?;
                Ok(found(keys.present.as_ref().filter(|_| present)))
            }
            Feature::Value(path) => {
                let value = self.value(path).ok_or(Resolution::Absent)?;
                // A set, record or extension value equals no constant.
                Ok(literal(value).map_or_else(Vec::new, |literal| found(keys.literals.get(literal))))
            }
            Feature::Elements(path) => {
                let value = self.value(path).ok_or(Resolution::Absent)?;
                let ValueKind::Set(set) = value.value_kind() else { return Err(Resolution::Unforeseen) };
                Ok(set
                    .iter()
                    .filter_map(literal)
                    .filter_map(|literal| keys.literals.get(literal).copied())
                    .collect())
            }
            Feature::Beginning(path) => {
                let value = self.value(path).ok_or(Resolution::Absent)?;
                let Some(Literal::String(text)) = literal(value) else { return Err(Resolution::Unforeseen) };
                let beginnings = keys.beginning_lengths.iter().filter_map(|length| text.get(..*length));
                Ok(beginnings.filter_map(|beginning| keys.beginnings.get(beginning).copied()).collect())
            }
        }
    }

    fn uid(&self, var: Var) -> Option<&'a EntityUID> {
        match var {
            Var::Principal => self.request.principal().uid(),
            Var::Action => self.request.action().uid(),
            Var::Resource => self.request.resource().uid(),
            Var::Context => None,
        }
    }

    fn entity(&self, var: Var) -> Option<&'a Entity> {
        match self.entities.entity(self.uid(var)?) {
            Dereference::Data(entity) => Some(entity),
            Dereference::NoSuchEntity | Dereference::Residual(_) => None,
        }
    }

    /// The mentioned entities that an entity is in; an entity is in itself.
    fn ancestors(&self, var: Var, keys: &Keys) -> Option<Vec<KeyId>> {
        let uid = self.uid(var)?;
        let mut holding = found(keys.entities.get(uid));
        match self.entities.entity(uid) {
            Dereference::NoSuchEntity => {}
            Dereference::Residual(_) => return None,
            Dereference::Data(entity) => {
                let above = entity.ancestors().filter(|ancestor| *ancestor != uid);
                holding.extend(above.filter_map(|ancestor| keys.entities.get(ancestor)));
            }
        }
        Some(holding)
    }

    /// The value at a path; `None` where Cedar would fail, or would go on through another entity.
    fn value(&self, path: &Path) -> Option<&'a Value> {
        let (first, rest) = path.steps.split_first()?;
        let mut value = self.first(path.root, first)?;
        for step in rest {
            value = member(value, step)?;
        }
        Some(value)
    }

    fn first(&self, root: Var, step: &Step) -> Option<&'a Value> {
        match (root, step) {
            (Var::Context, Step::Attribute(name)) => match self.request.context()? {
                Context::Value(members) => members.get(name),
                Context::RestrictedResidual(_) => None,
            },
            (Var::Context, Step::Tag(_)) => None,
            (Var::Principal | Var::Action | Var::Resource, Step::Attribute(name)) => {
                concrete(self.entity(root)?.get(name)?)
            }
            (Var::Principal | Var::Action | Var::Resource, Step::Tag(name)) => {
                concrete(self.entity(root)?.get_tag(name)?)
            }
        }
    }

    /// Whether there is a value at a path; `None` where Cedar would fail or go on through another entity.
    fn present(&self, path: &Path, certain: usize) -> Option<bool> {
        if certain > 0 {
            let steps = path.steps[..certain].to_vec();
            self.value(&Path { root: path.root, steps })?;
        }
        for length in certain..path.steps.len() {
            let (last, before) = path.steps[..=length].split_last()?;
            let found = if before.is_empty() {
                self.first_present(path.root, last)?
            } else {
                let base = self.value(&Path { root: path.root, steps: before.to_vec() })?;
                match (base.value_kind(), last) {
                    (ValueKind::Record(members), Step::Attribute(name)) => members.contains_key(name),
                    _ => return None,
                }
            };
            if !found {
                return Some(false);
            }
        }
        Some(true)
    }

    fn first_present(&self, root: Var, step: &Step) -> Option<bool> {
        match root {
            Var::Context => match (self.request.context()?, step) {
                (Context::Value(members), Step::Attribute(name)) => Some(members.contains_key(name)),
                (Context::Value(_) | Context::RestrictedResidual(_), _) => None,
            },
            Var::Principal | Var::Action | Var::Resource => match self.entities.entity(self.uid(root)?) {
                // Cedar finds nothing in an entity that is not there, without failing.
                Dereference::NoSuchEntity => Some(false),
                Dereference::Residual(_) => None,
                Dereference::Data(entity) => Some(match step {
                    Step::Attribute(name) => entity.get(name).is_some(),
                    Step::Tag(name) => entity.get_tag(name).is_some(),
                }),
            },
        }
    }
}

fn found(key: Option<&KeyId>) -> Vec<KeyId> {
    key.copied().into_iter().collect()
}

fn literal(value: &Value) -> Option<&Literal> {
    match value.value_kind() {
        ValueKind::Lit(literal) => Some(literal),
        ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_) => None,
    }
}

fn member<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match (value.value_kind(), step) {
        (ValueKind::Record(members), Step::Attribute(name)) => members.get(name),
        _ => None,
    }
}

fn concrete(value: &PartialValue) -> Option<&Value> {
    match value {
        PartialValue::Value(value) => Some(value),
        PartialValue::Residual(_) => None,
    }
}
