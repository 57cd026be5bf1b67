//! Where one can get to from each node, by keys: the least fixed point of "a subgraph can be entered if
//! the fields of one of its keys can be collected from what is reached already".

use std::collections::{HashMap, HashSet};

use super::graph::{Edge, Graph, NodeId};
use crate::merge::Label;
use crate::model::{Directives, Kind, Name, Role};
use crate::parse::Selection;

/// What is taken for granted of the labels of overrides; nothing is known of those left out.
pub(super) type Assumptions = Vec<(Name, bool)>;

pub(super) fn holds(assumptions: &Assumptions, label: Option<&Label>) -> bool {
    label.is_none_or(|l| assumptions.iter().any(|(name, when)| *name == l.label && *when == l.when))
}

/// What can be reached under some assumptions.
///
/// The fields of a key must be collected without entering the key's own subgraph, by whatever other key:
/// planners do not look for such detours. So the fixed point is taken twice: freely, which bounds what can
/// be, and then for good, where every entry of the first that takes more than the fields at hand is looked
/// at again with its subgraph closed.
pub(super) struct Reach<'g, 'a> {
    graph: &'g Graph<'a>,
    assumptions: Assumptions,
    /// The subgraph that cannot be entered.
    closed: Option<usize>,
    /// By node; each node reaches itself.
    reached: Vec<Vec<NodeId>>,
    /// The fields whose `@requires` can be met.
    met: HashSet<(NodeId, &'a str)>,
}

impl<'g, 'a> Reach<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>, assumptions: Assumptions) -> Reach<'g, 'a> {
        let free = Reach::free(graph, assumptions.clone(), None);
        let mut closed: HashMap<usize, Reach<'g, 'a>> = HashMap::new();
        let mut reach = Reach::start(graph, assumptions, None);
        for id in graph.ids().take_while(|_| !graph.budget.is_spent()) {
            for (node, fields) in graph.entries_for(id) {
                if !free.from(id).contains(&node) || reach.from(id).contains(&node) {
                    continue;
                }
                let subgraph = graph.get(node).subgraph;
                let enters = reach.has_at_hand(id, fields) || {
                    let detour = closed
                        .entry(subgraph)
                        .or_insert_with(|| Reach::free(graph, reach.assumptions.clone(), Some(subgraph)));
                    detour.can_collect(id, fields)
                };
                if enters {
                    reach.reached[id.index()].push(node);
                }
            }
        }
        while !graph.budget.is_spent() && reach.meet_requires() {}
        reach
    }

    fn start(graph: &'g Graph<'a>, assumptions: Assumptions, closed: Option<usize>) -> Reach<'g, 'a> {
        let reached = graph.ids().map(|id| graph.roots_like(id)).collect();
        Reach { graph, assumptions, closed, reached, met: HashSet::new() }
    }

    fn free(graph: &'g Graph<'a>, assumptions: Assumptions, closed: Option<usize>) -> Reach<'g, 'a> {
        let mut reach = Reach::start(graph, assumptions, closed);
        while !graph.budget.is_spent() && (reach.meet_requires() | reach.enter()) {}
        reach
    }

    pub(super) fn from(&self, node: NodeId) -> &[NodeId] {
        &self.reached[node.index()]
    }

    /// The edge for a field of a node, if its conditions are met.
    pub(super) fn usable(&self, node: NodeId, field: &str) -> Option<&'g Edge<'a>> {
        let (name, edge) = self.graph.get(node).edges.get_key_value(field)?;
        let usable = holds(&self.assumptions, edge.label)
            && (edge.requires.is_none() || self.met.contains(&(node, *name)));
        usable.then_some(edge)
    }

    /// One round over the `@requires` not yet met; false when nothing was gained.
    fn meet_requires(&mut self) -> bool {
        let mut gained = false;
        for (id, name, requires) in &self.graph.conditional {
            if !self.met.contains(&(*id, *name)) && self.can_collect(*id, requires) {
                self.met.insert((*id, name));
                gained = true;
            }
        }
        gained
    }

    /// One round over the entries not yet taken; false when nothing was gained.
    fn enter(&mut self) -> bool {
        let mut gained = false;
        for id in self.graph.ids() {
            for (node, fields) in self.graph.entries_for(id) {
                if self.closed != Some(self.graph.get(node).subgraph)
                    && !self.from(id).contains(&node)
                    && self.can_collect(id, fields)
                {
                    self.reached[id.index()].push(node);
                    gained = true;
                }
            }
        }
        gained
    }

    /// All of a field set is resolved at a node itself, and below it in the same subgraph.
    fn has_at_hand(&self, node: NodeId, selections: &[Selection]) -> bool {
        selections.iter().all(|selection| match selection {
            Selection::Field { name, .. } if &**name == "__typename" => true,
            Selection::Field { name, selections, .. } => {
                let edge = self.graph.get(node).edges.get(&**name);
                let plain = edge.filter(|e| e.requires.is_none() && holds(&self.assumptions, e.label));
                plain.is_some_and(|e| e.target.is_none_or(|target| self.has_at_hand(target, selections)))
            }
            Selection::Fragment { .. } => false,
        })
    }

    /// All of a field set can be fetched, starting at a node.
    pub(super) fn can_collect(&self, node: NodeId, selections: &[Selection]) -> bool {
        selections.iter().all(|selection| match selection {
            Selection::Field { name, .. } if &**name == "__typename" => true,
            Selection::Field { name, selections, .. } => self.can_collect_field(node, name, selections),
            Selection::Fragment { on: None, selections, .. } => self.can_collect(node, selections),
            Selection::Fragment { on: Some(on), selections, .. } => self.can_collect_on(node, on, selections),
        })
    }

    fn can_collect_field(&self, node: NodeId, field: &str, below: &[Selection]) -> bool {
        let direct = self.from(node).iter().any(|m| {
            self.graph.budget.spend(1);
            self.usable(*m, field).is_some_and(|edge| match edge.target {
                None => true,
                Some(target) => self.can_collect(target, below),
            })
        });
        if direct {
            return true;
        }
        let casts = &self.graph.get(node).casts;
        !self.graph.budget.is_spent()
            && !casts.is_empty()
            && casts.iter().all(|cast| self.can_collect_field(*cast, field, below))
    }

    fn can_collect_on(&self, node: NodeId, on: &str, selections: &[Selection]) -> bool {
        if self.graph.is_a(node, on) {
            return self.can_collect(node, selections);
        }
        let ty = self.graph.get(node).ty;
        if ty.has(Role::InterfaceObject) {
            let cast = self.concrete(node, on);
            return cast.is_some_and(|cast| self.can_collect(cast, selections));
        }
        if ty.kind == Kind::Object {
            return true;
        }
        let casts = self.graph.get(node).casts.iter().filter(|cast| self.graph.is_a(**cast, on));
        casts.copied().all(|cast| self.can_collect(cast, selections))
    }

    /// The object type behind an interface object, in a subgraph that knows it.
    pub(super) fn concrete(&self, node: NodeId, ty: &str) -> Option<NodeId> {
        let casts = self.from(node).iter().flat_map(|m| &self.graph.get(*m).casts);
        casts.copied().find(|cast| *self.graph.get(*cast).ty.name == *ty)
    }
}

impl<'a> Graph<'a> {
    /// A root type is the same in every subgraph: no key is needed.
    fn roots_like(&self, id: NodeId) -> Vec<NodeId> {
        let name = &self.get(id).ty.name;
        let mut nodes = vec![id];
        if Graph::is_root(name) {
            let others = (0..self.subgraphs.len()).filter_map(|subgraph| self.find(subgraph, name));
            nodes.extend(others.filter(|other| *other != id));
        }
        nodes
    }

    /// The keys that lead on from a node: those of its type, and those of interface objects that stand
    /// for it.
    pub(super) fn entries_for(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &'a [Selection])> {
        let ty = self.get(id).ty;
        let own = self.entries.get(&*ty.name).into_iter().flatten();
        let interfaces = if ty.kind == Kind::Object { Some(self.interfaces_of(&ty.name)) } else { None };
        let standing = interfaces.into_iter().flatten().filter_map(|i| self.entries.get(&**i)).flatten();
        own.chain(standing.filter(|e| e.is_interface_object)).map(|e| (e.node, e.fields))
    }
}
