//! Directives of operations: the supergraph has those that every subgraph defines, in the places all
//! allow.

use indexmap::IndexMap;

use super::{Merger, Sources, description};
use crate::model::{DirectiveDef, Name, Pos};

const EXECUTABLE_LOCATIONS: [&str; 8] = [
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
];

impl<'a> Merger<'a> {
    pub(super) fn merge_executable_directives(&mut self) {
        let Some(first) = self.subgraphs.first() else { return };
        for name in first.schema.directive_defs.keys() {
            let definitions = Sources::of(self.subgraphs, |s| s.schema.directive_defs.get(name));
            if definitions.len() == self.subgraphs.len() && !self.composed.is_custom(name) {
                self.merge_executable_directive(name, &definitions);
            }
        }
    }

    fn merge_executable_directive(&mut self, name: &Name, definitions: &Sources<'a, DirectiveDef>) {
        let shared: Vec<Name> = EXECUTABLE_LOCATIONS
            .iter()
            .filter(|l| definitions.values().all(|d| d.locations.contains(**l)))
            .map(|l| Name::from(*l))
            .collect();
        if shared.is_empty() {
            return;
        }
        let mut arguments = IndexMap::new();
        for argument in definitions.values().flat_map(|d| d.arguments.keys()) {
            if arguments.contains_key(argument) {
                continue;
            }
            let sources = definitions.pick(|d| d.arguments.get(argument));
            let at = format!("@{name}({argument}:)");
            if let Some(merged) = self.merge_argument(&sources, definitions, argument, &at) {
                arguments.insert(argument.clone(), merged);
            }
        }
        let definition = DirectiveDef {
            name: name.clone(),
            description: description(definitions.values().map(|d| d.description.as_ref())),
            arguments,
            repeatable: definitions.values().all(|d| d.repeatable),
            locations: shared.into_iter().collect(),
            pos: Pos::default(),
        };
        self.supergraph.directive_defs.insert(name.clone(), definition);
    }
}
