//! The definitions of one element across the subgraphs.

use indexmap::IndexSet;

use crate::model::Name;
use crate::subgraph::Subgraph;

/// The definitions of one element, each with the index of its subgraph, in subgraph order.
#[derive(Clone, Debug)]
pub(super) struct Sources<'a, T>(Vec<(usize, &'a T)>);

impl<'a, T> Sources<'a, T> {
    /// What `part` finds in each subgraph.
    pub(super) fn of(
        subgraphs: &'a [Subgraph],
        part: impl Fn(&'a Subgraph) -> Option<&'a T>,
    ) -> Sources<'a, T> {
        Sources(subgraphs.iter().enumerate().filter_map(|(i, s)| Some((i, part(s)?))).collect())
    }

    /// What `part` finds in each definition.
    pub(super) fn pick<U>(&self, part: impl Fn(&'a T) -> Option<&'a U>) -> Sources<'a, U> {
        Sources(self.0.iter().filter_map(|(i, t)| Some((*i, part(t)?))).collect())
    }

    /// Those that `keep` accepts.
    pub(super) fn filter(&self, keep: impl Fn(usize, &T) -> bool) -> Sources<'a, T> {
        Sources(self.0.iter().copied().filter(|(i, t)| keep(*i, t)).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &'a T)> + Clone {
        self.0.iter().copied()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &'a T> + Clone {
        self.0.iter().map(|(_, t)| *t)
    }

    pub(super) fn get(&self, subgraph: usize) -> Option<&'a T> {
        self.0.binary_search_by_key(&subgraph, |(i, _)| *i).ok().map(|at| self.0[at].1)
    }

    pub(super) fn first(&self) -> Option<&'a T> {
        self.0.first().map(|(_, t)| *t)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names `list` finds, each once, in order of appearance.
    pub(super) fn names<I: Iterator<Item = &'a Name>>(
        &self,
        list: impl Fn(&'a T) -> I,
    ) -> IndexSet<&'a Name> {
        self.values().flat_map(list).collect()
    }
}
