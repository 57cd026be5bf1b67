//! Merging: the subgraphs' schemas become one, every element annotated with where it comes from.
//!
//! Flow: what types are and how they relate ([`relations`]), then directive definitions and links
//! ([`core`], [`executable`]), then types, fields and inputs, then enums (whose merging depends on where
//! the merged schema uses them), then what only the whole can show ([`checks`]).

mod applied;
mod authorization;
mod checks;
mod core;
mod enums;
mod executable;
mod fields;
mod frame;
mod inaccessible;
mod inputs;
mod interface_objects;
mod overrides;
mod relations;
mod sharing;
mod sources;
mod types;

use indexmap::IndexSet;

use crate::errors::CompositionError;
use crate::model::{Name, Operation, Schema, TypeDef};
use crate::subgraph::Subgraph;
use applied::Composed;
pub(crate) use overrides::{Label, Overrides};
use relations::Relations;
use sources::Sources;

/// A supergraph, and what of the subgraphs it leaves out.
pub(crate) struct Merged {
    pub schema: Schema,
    pub overrides: Overrides,
}

/// What merging works on and writes to.
struct Merger<'a> {
    subgraphs: &'a [Subgraph],
    relations: Relations,
    composed: Composed,
    supergraph: Schema,
    overrides: Overrides,
    errors: Vec<CompositionError>,
}

/// Merges subgraphs that are valid each by itself.
pub(crate) fn merge(subgraphs: &[Subgraph]) -> Result<Merged, Vec<CompositionError>> {
    let mut merger = Merger {
        subgraphs,
        relations: Relations::of(subgraphs),
        composed: Composed::new(subgraphs.len()),
        supergraph: frame::frame(subgraphs),
        overrides: Overrides::new(subgraphs.len()),
        errors: Vec::new(),
    };
    merger.merge_core();
    merger.merge_executable_directives();
    merger.merge_schema_directives();
    let names: IndexSet<&Name> = subgraphs.iter().flat_map(|s| s.schema.types.keys()).collect();
    for name in names {
        merger.merge_type(name);
    }
    merger.merge_enums();
    merger.spell_enum_defaults();
    merger.add_interface_object_fields();
    for operation in Operation::ALL {
        let name = operation.type_name();
        if merger.supergraph.types.contains_key(name) {
            merger.supergraph.roots.insert(operation, name.into());
        }
    }
    merger.check();
    if merger.errors.is_empty() {
        Ok(Merged { schema: merger.supergraph, overrides: merger.overrides })
    } else {
        Err(merger.errors)
    }
}

impl<'a> Merger<'a> {
    fn type_sources(&self, name: &str) -> Sources<'a, TypeDef> {
        Sources::of(self.subgraphs, |s| s.schema.types.get(name))
    }

    /// The names of the subgraphs that have a source.
    fn names_of<T>(&self, sources: &Sources<'_, T>) -> Vec<&'a str> {
        sources.iter().map(|(i, _)| self.subgraphs[i].name.as_str()).collect()
    }
}

/// The description most subgraphs give; the first of equals.
fn description<'a>(candidates: impl Iterator<Item = Option<&'a Name>>) -> Option<Name> {
    let mut counts: Vec<(&Name, usize)> = Vec::new();
    for text in candidates.flatten().filter(|text| !text.is_empty()) {
        match counts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => counts.push((text, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(text, _)| text.clone())
}

/// `"a", "b" and "c"`, for messages.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
    match quoted.split_last() {
        None => "no subgraph".to_owned(),
        Some((one, [])) => format!("subgraph {one}"),
        Some((last, rest)) => format!("subgraphs {} and {last}", rest.join(", ")),
    }
}
