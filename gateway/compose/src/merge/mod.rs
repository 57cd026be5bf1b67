//! Merging: the subgraphs' schemas become one, with every element annotated by where it comes from.

mod fields;
mod frame;
mod types;

use indexmap::IndexSet;

use crate::errors::CompositionError;
use crate::model::{Name, Operation, Schema, TypeDef};
use crate::subgraph::Subgraph;

/// The definitions of one element: one slot for each subgraph, in subgraph order.
pub(crate) type Sources<'a, T> = Vec<Option<&'a T>>;

/// What merging works on and writes to.
pub(crate) struct Merger<'a> {
    subgraphs: &'a [Subgraph],
    supergraph: Schema,
    errors: Vec<CompositionError>,
}

/// Merges subgraphs that are valid each by itself.
pub(crate) fn merge(subgraphs: &[Subgraph]) -> Result<Schema, Vec<CompositionError>> {
    let mut merger = Merger { subgraphs, supergraph: frame::frame(subgraphs), errors: Vec::new() };
    let names: IndexSet<&Name> = subgraphs.iter().flat_map(|s| s.schema.types.keys()).collect();
    for name in names {
        merger.merge_type(name);
    }
    for operation in Operation::ALL {
        let name = operation.type_name();
        if merger.supergraph.types.contains_key(name) {
            merger.supergraph.roots.insert(operation, name.into());
        }
    }
    if merger.errors.is_empty() { Ok(merger.supergraph) } else { Err(merger.errors) }
}

impl<'a> Merger<'a> {
    fn type_sources(&self, name: &str) -> Sources<'a, TypeDef> {
        self.subgraphs.iter().map(|s| s.schema.types.get(name)).collect()
    }
}
