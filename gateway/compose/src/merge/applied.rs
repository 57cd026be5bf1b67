//! Merging of applied directives: which of them reach the supergraph, and what becomes of differing
//! arguments.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Merger;
use super::inputs::same_value;
use super::sources::Sources;
use crate::model::{Directive, Directives, Name, Role, Value};

/// The directives that reach the supergraph.
#[derive(Clone, Debug, Default)]
pub(super) struct Composed {
    /// Those with a role, by the name they have in the supergraph.
    pub core: HashMap<Role, Name>,
    /// Those a subgraph asks for by `@composeDirective`, by subgraph.
    pub custom: Vec<HashSet<Name>>,
    /// Those of all of them that may be repeated.
    pub repeatable: HashSet<Name>,
}

impl Composed {
    pub(super) fn new(subgraphs: usize) -> Composed {
        Composed { custom: vec![HashSet::new(); subgraphs], ..Composed::default() }
    }

    /// Some subgraph asks for the custom directive.
    pub(super) fn is_custom(&self, name: &Name) -> bool {
        self.custom.iter().any(|names| names.contains(name))
    }

    /// The name in the supergraph of a directive a subgraph applies; `None` where it does not get there.
    fn name(&self, subgraph: usize, directive: &Directive) -> Option<Name> {
        match directive.role {
            Role::Deprecated | Role::SpecifiedBy => Some(directive.name.clone()),
            Role::Custom => self.custom[subgraph].get(&directive.name).cloned(),
            Role::Authenticated
            | Role::CacheTag
            | Role::ComposeDirective
            | Role::Context
            | Role::Cost
            | Role::Extends
            | Role::External
            | Role::FromContext
            | Role::Inaccessible
            | Role::InterfaceObject
            | Role::Key
            | Role::Link
            | Role::ListSize
            | Role::Override
            | Role::Policy
            | Role::Provides
            | Role::Requires
            | Role::RequiresScopes
            | Role::Shareable
            | Role::Tag => self.core.get(&directive.role).cloned(),
        }
    }

    /// The directive reaches the supergraph and is not one every GraphQL service has.
    pub(super) fn says_something(&self, subgraph: usize, directive: &Directive) -> bool {
        !matches!(directive.role, Role::Deprecated | Role::SpecifiedBy)
            && self.name(subgraph, directive).is_some()
    }

    fn is_repeatable(&self, name: &Name, role: Role) -> bool {
        role == Role::Tag || (role == Role::Custom && self.repeatable.contains(name))
    }
}

impl Merger<'_> {
    pub(super) fn merge_schema_directives(&mut self) {
        let sources = Sources::of(self.subgraphs, |s| Some(&s.schema));
        let mut merged = Vec::new();
        self.merge_applied(&sources, &mut merged);
        self.supergraph.directives.extend(merged);
    }

    /// Merges what the subgraphs apply to one element.
    pub(super) fn merge_applied<T: Directives>(&self, sources: &Sources<'_, T>, out: &mut Vec<Directive>) {
        let mut groups: Vec<(Name, Role, Vec<&Directive>)> = Vec::new();
        for (subgraph, source) in sources.iter() {
            for directive in source.directives() {
                let Some(name) = self.composed.name(subgraph, directive) else { continue };
                match groups.iter_mut().find(|(n, _, _)| *n == name) {
                    Some((_, _, uses)) => uses.push(directive),
                    None => groups.push((name, directive.role, vec![directive])),
                }
            }
        }
        for (name, role, uses) in groups {
            let repeatable = self.composed.is_repeatable(&name, role);
            for arguments in merge_uses(role, &uses, repeatable) {
                let mut directive = Directive::new(&name, Vec::new()).with_role(role);
                directive.arguments = arguments;
                out.push(directive);
            }
        }
    }
}

type Arguments = Vec<(Name, Value)>;

/// The argument lists that remain of all uses of one directive on one element.
pub(super) fn merge_uses(role: Role, uses: &[&Directive], repeatable: bool) -> Vec<Arguments> {
    let mut distinct: Vec<(&Arguments, usize)> = Vec::new();
    for directive in uses {
        match distinct.iter_mut().find(|(known, _)| same_arguments(known, &directive.arguments)) {
            Some((_, count)) => *count += 1,
            None => distinct.push((&directive.arguments, 1)),
        }
    }
    if repeatable {
        return distinct.into_iter().map(|(arguments, _)| arguments.clone()).collect();
    }
    if let [(only, _)] = distinct.as_slice() {
        return vec![(*only).clone()];
    }
    let all: Vec<&Arguments> = distinct.iter().map(|(arguments, _)| *arguments).collect();
    match role {
        Role::RequiresScopes => vec![conjunction(&all, "scopes")],
        Role::Policy => vec![conjunction(&all, "policies")],
        Role::Cost => vec![merge_each(&all, |_| Merge::Max)],
        Role::ListSize => vec![merge_list_sizes(&all)],
        _ => {
            let most = distinct.iter().map(|(_, count)| *count).max().unwrap_or_default();
            let first = distinct.into_iter().find(|(_, count)| *count == most);
            first.map(|(arguments, _)| arguments.clone()).into_iter().collect()
        }
    }
}

fn merge_list_sizes(all: &[&Arguments]) -> Arguments {
    const REQUIRE_ONE: &str = "requireOneSlicingArgument";
    let mut merged = merge_each(all, |argument| match argument {
        "assumedSize" => Merge::Max,
        REQUIRE_ONE => Merge::And,
        _ => Merge::Union,
    });
    // Its default is `true`, which the merged directive states.
    if !merged.iter().any(|(name, _)| &**name == REQUIRE_ONE) {
        merged.push((REQUIRE_ONE.into(), Value::Boolean(true)));
    }
    merged
}

fn same_arguments(a: &Arguments, b: &Arguments) -> bool {
    a.len() == b.len()
        && a.iter().all(|(name, a)| b.iter().any(|(other, b)| name == other && same_value(a, b)))
}

/// How differing values of one argument merge.
enum Merge {
    Max,
    And,
    Union,
}

fn merge_each(all: &[&Arguments], how: impl Fn(&str) -> Merge) -> Arguments {
    let mut names: Vec<&Name> = Vec::new();
    for (name, _) in all.iter().copied().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let merged = names.into_iter().filter_map(|name| {
        let values: Vec<&Value> = all
            .iter()
            .copied()
            .flatten()
            .filter(|(n, v)| n == name && *v != Value::Null)
            .map(|(_, v)| v)
            .collect();
        let value = match how(name) {
            Merge::Max => values.into_iter().max_by_key(|v| integer(v)).cloned(),
            Merge::And => Some(Value::Boolean(values.iter().all(|v| **v == Value::Boolean(true)))),
            Merge::Union => Some(union(&values)),
        };
        value.map(|v| (name.clone(), v))
    });
    merged.collect()
}

fn integer(value: &Value) -> Option<i64> {
    if let Value::Int(text) = value { text.parse().ok() } else { None }
}

fn union(values: &[&Value]) -> Value {
    let mut items: Vec<Value> = Vec::new();
    for value in values {
        if let Value::List(more) = value {
            for item in more {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
        }
    }
    Value::List(items)
}

/// A requirement in disjunctive normal form: any of the inner sets, each needed whole.
pub(super) type Requirement = BTreeSet<BTreeSet<Name>>;

/// The requirement a list of lists of names states.
pub(super) fn requirement(value: &Value) -> Requirement {
    let Value::List(terms) = value else { return Requirement::new() };
    let strings = |term: &Value| match term {
        Value::List(names) => names.iter().filter_map(Value::as_str).map(Name::from).collect(),
        other => other.as_str().map(Name::from).into_iter().collect(),
    };
    terms.iter().map(strings).collect()
}

/// What is needed where both are needed; terms that ask for more than another are redundant.
pub(super) fn both(a: &Requirement, b: &Requirement) -> Requirement {
    let all: Requirement = a.iter().flat_map(|x| b.iter().map(move |y| x | y)).collect();
    all.iter()
        .filter(|term| !all.iter().any(|other| other != *term && other.is_subset(term)))
        .cloned()
        .collect()
}

fn conjunction(all: &[&Arguments], argument: &str) -> Arguments {
    let stated = all.iter().copied().flatten().filter(|(name, _)| &**name == argument);
    let merged = stated.map(|(_, value)| requirement(value)).reduce(|a, b| both(&a, &b));
    let mut terms: Vec<BTreeSet<Name>> = merged.into_iter().flatten().collect();
    terms.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let list = terms.into_iter().map(|term| Value::List(term.into_iter().map(Value::String).collect()));
    vec![(argument.into(), Value::List(list.collect()))]
}
