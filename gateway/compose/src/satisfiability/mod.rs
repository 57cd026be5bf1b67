//! Satisfiability: every query the supergraph allows can be answered by the subgraphs.
//!
//! [`graph`] is what each subgraph resolves, [`reach`] where keys lead from there, [`walk`] follows every
//! path a client can take, and [`report`] says why one has no way on.

mod budget;
mod graph;
mod reach;
mod report;
mod walk;

use crate::errors::CompositionError;
use crate::merge::Merged;
use crate::subgraph::Subgraph;

/// The queries that cannot be answered; at most [`walk::MAX_ERRORS`] of them.
pub(crate) fn check(subgraphs: &[Subgraph], merged: &Merged) -> Vec<CompositionError> {
    let graph = graph::Graph::new(subgraphs, merged, budget::Budget::default());
    walk::walk(&graph)
}
