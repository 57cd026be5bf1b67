//! Import and export policies: ordered rules that say which routes pass, and what is changed about them.
//!
//! A policy is evaluated rule by rule. A rule applies when all its conditions hold; conditions look at the route as it
//! came, whatever earlier rules have changed. The first rule that accepts or rejects decides. A route that no rule
//! decides is rejected unless the policy says otherwise (RFC 8212 for what has no policy at all is the router's).

mod pattern;
#[cfg(test)]
mod tests;

use std::num::NonZeroU16;

use smallvec::SmallVec;

pub use self::pattern::{PatternError, ServicePattern};
use crate::attributes::{Attributes, Region};
use crate::name::OrgName;
use crate::path::{Hop, MAX_PATH_HOPS, PathTooLong};
use crate::service::{Protocol, Service};
use crate::table::TableKind;
use crate::tag::{Tag, TagError, Tags};

/// The most rules of a policy. A longer policy is refused.
pub const MAX_RULES: usize = 1024;
/// The most times a rule may put a hop before the path. More is refused.
pub const MAX_PREPEND: u8 = 16;

/// Why rules are no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than [`MAX_RULES`].
    #[error("policy of {count} rules; at most {MAX_RULES} are allowed")]
    TooManyRules {
        /// How many there are.
        count: usize,
    },
    /// A rule that puts more than [`MAX_PREPEND`] hops before the path.
    #[error("rule {rule} prepends {times} times; at most {MAX_PREPEND} are allowed")]
    Prepend {
        /// Which rule, counted from 0.
        rule: usize,
        /// How many times it would.
        times: u8,
    },
    /// A rule that changes nothing and decides nothing.
    #[error("rule {rule} neither changes nor decides anything; give it an action, or accept or reject")]
    Idle {
        /// Which rule, counted from 0.
        rule: usize,
    },
}

/// Something about a route that a rule asks for. Of several values any one is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The service's name.
    Service(Vec<ServicePattern>),
    /// The protocol.
    Protocol(Vec<Protocol>),
    /// A tag that the route has.
    Tag(Vec<Tag>),
    /// The organisation that first announced it.
    Origin(Vec<OrgName>),
    /// An organisation that it has passed.
    PathContains(Vec<OrgName>),
    /// Where the origin is.
    Region(Vec<Region>),
    /// Whose service it is: this organisation's or another's.
    Table(TableKind),
    /// The path has at most so many hops.
    PathAtMost(usize),
    /// The condition does not hold.
    Not(Box<Condition>),
}

impl Condition {
    fn holds(&self, route: &Candidate<'_>) -> bool {
        let attributes = route.attributes;
        match self {
            Self::Service(patterns) => patterns.iter().any(|p| p.matches(&route.service.name)),
            Self::Protocol(protocols) => protocols.contains(&route.service.protocol),
            Self::Tag(tags) => tags.iter().any(|t| attributes.tags.contains(t.as_str())),
            Self::Origin(orgs) => orgs.contains(&attributes.origin.org),
            Self::PathContains(orgs) => orgs.iter().any(|o| attributes.path.contains_org(o)),
            Self::Region(regions) => attributes.region.as_ref().is_some_and(|r| regions.contains(r)),
            Self::Table(table) => *table == route.table,
            Self::PathAtMost(hops) => attributes.path.len() <= *hops,
            Self::Not(condition) => !condition.holds(route),
        }
    }

    fn looks_at_service(&self) -> bool {
        match self {
            Self::Service(_) | Self::Protocol(_) => true,
            Self::Tag(_)
            | Self::Origin(_)
            | Self::PathContains(_)
            | Self::Region(_)
            | Self::Table(_)
            | Self::PathAtMost(_) => false,
            Self::Not(condition) => condition.looks_at_service(),
        }
    }
}

/// What a rule changes about a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Sets the local preference.
    LocalPreference(u32),
    /// Sets the MED.
    Med(u32),
    /// Sets the weight.
    Weight(NonZeroU16),
    /// Makes the path longer, by so many repetitions of its first hop (on import) or of the own one (on export).
    Prepend(u8),
    /// Adds a tag. A route that has [`crate::tag::MAX_TAGS`] already is rejected by this rule.
    AddTag(Tag),
    /// Removes a tag.
    RemoveTag(Tag),
    /// Removes all tags.
    ClearTags,
}

/// What a rule does once it has changed what it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The route passes.
    Accept,
    /// It does not.
    Reject,
    /// The next rule is asked.
    Continue,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What operators call it; may be empty.
    pub name: String,
    /// What must hold, all of it. Nothing holds for every route.
    pub when: Vec<Condition>,
    /// What is changed.
    pub edits: Vec<Edit>,
    /// What then.
    pub then: Then,
}

/// A route as a policy sees it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its service.
    pub service: &'a Service,
    /// Its attributes as they came.
    pub attributes: &'a Attributes,
    /// Its table.
    pub table: TableKind,
}

/// What a policy says of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It passes, changed by these rules, in order.
    Accept(AppliedRules),
    /// It does not pass.
    Reject {
        /// By which rule, counted from 0; none if no rule decided.
        rule: Option<u16>,
    },
}

/// The rules that change an accepted route, counted from 0.
pub type AppliedRules = SmallVec<[u16; 4]>;

/// Why the changes can't be made to a route that would pass otherwise. It is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It would have too many tags.
    #[error("rule {rule}: {error}")]
    Tag {
        /// Which rule, counted from 0.
        rule: u16,
        /// What is wrong.
        error: TagError,
    },
    /// Its path would be too long.
    #[error("rule {rule}: {error}")]
    Path {
        /// Which rule, counted from 0.
        rule: u16,
        /// What is wrong.
        error: PathTooLong,
    },
}

impl EditError {
    /// The rule whose change can't be made, counted from 0.
    pub const fn rule(&self) -> u16 {
        match self {
            Self::Tag { rule, .. } | Self::Path { rule, .. } => *rule,
        }
    }
}

/// Ordered rules, and what happens to a route that none of them decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    accept_otherwise: bool,
    looks_at_service: bool,
}

impl Policy {
    /// A policy that rejects what no rule decides.
    pub fn new(rules: Vec<Rule>) -> Result<Self, PolicyError> {
        Self::with_default(rules, false)
    }

    /// A policy that accepts, or rejects, what no rule decides.
    pub fn with_default(rules: Vec<Rule>, accept_otherwise: bool) -> Result<Self, PolicyError> {
        if rules.len() > MAX_RULES {
            return Err(PolicyError::TooManyRules { count: rules.len() });
        }
        for (i, rule) in rules.iter().enumerate() {
            if rule.then == Then::Continue && rule.edits.is_empty() {
                return Err(PolicyError::Idle { rule: i });
            }
            for edit in &rule.edits {
                if let Edit::Prepend(times) = edit
                    && *times > MAX_PREPEND
                {
                    return Err(PolicyError::Prepend { rule: i, times: *times });
                }
            }
        }
        let looks_at_service = rules.iter().flat_map(|r| &r.when).any(Condition::looks_at_service);
        Ok(Self { rules, accept_otherwise, looks_at_service })
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether routes that differ in their service alone may be treated differently.
    pub const fn looks_at_service(&self) -> bool {
        self.looks_at_service
    }

    /// What the policy says of a route.
    pub fn evaluate(&self, route: &Candidate<'_>) -> Verdict {
        let mut applied = AppliedRules::new();
        for (i, rule) in (0..).zip(&self.rules) {
            if !rule.when.iter().all(|c| c.holds(route)) {
                continue;
            }
            if rule.then != Then::Reject && !rule.edits.is_empty() {
                applied.push(i);
            }
            match rule.then {
                Then::Accept => return Verdict::Accept(applied),
                Then::Reject => return Verdict::Reject { rule: Some(i) },
                Then::Continue => {}
            }
        }
        if self.accept_otherwise { Verdict::Accept(applied) } else { Verdict::Reject { rule: None } }
    }

    /// Makes the changes of an accepted route's rules. `hop` is what prepending repeats.
    pub fn apply(&self, rules: &[u16], attributes: &mut Attributes, hop: &Hop) -> Result<(), EditError> {
        for &i in rules {
            for edit in &self.rules[usize::from(i)].edits {
                match edit {
                    Edit::LocalPreference(preference) => attributes.local_preference = *preference,
                    Edit::Med(med) => attributes.med = *med,
                    Edit::Weight(weight) => attributes.weight = *weight,
                    Edit::Prepend(times) => {
                        let longer = attributes.path.prepended(hop, usize::from(*times));
                        attributes.path = longer.map_err(|error| EditError::Path { rule: i, error })?;
                    }
                    Edit::AddTag(tag) => {
                        let added = attributes.tags.insert(tag.clone());
                        added.map_err(|error| EditError::Tag { rule: i, error })?;
                    }
                    Edit::RemoveTag(tag) => attributes.tags.remove(tag),
                    Edit::ClearTags => attributes.tags = Tags::default(),
                }
            }
        }
        Ok(())
    }
}

const _: () = assert!(MAX_RULES <= u16::MAX as usize && (MAX_PREPEND as usize) < MAX_PATH_HOPS);
