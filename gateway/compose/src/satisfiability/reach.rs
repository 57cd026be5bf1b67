//! Where one can get to from each node, by keys: the least fixed point of "a subgraph can be entered if
//! the fields of one of its keys can be collected from what is reached already".

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::graph::{Edge, Graph, NodeId};
use crate::merge::Label;
use crate::model::{Directives, Kind, Name, Role};
use crate::parse::Selection;

/// What is taken for granted of the labels of overrides; nothing is known of those left out.
pub(super) type Assumptions = Vec<(Name, bool)>;

fn holds(assumptions: &Assumptions, label: Option<&Label>) -> bool {
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
    /// By node: where it leads with nothing but its own fields.
    direct: Vec<Vec<NodeId>>,
    /// The subgraph that cannot be entered.
    closed: Option<usize>,
    /// By node; each node reaches itself.
    reached: Vec<Vec<NodeId>>,
    /// The fields whose `@requires` can be met.
    met: HashSet<(NodeId, &'a str)>,
    /// Whether a field set can be collected from a node, as far as it was asked. A yes is for good, a no
    /// until something is gained.
    known: RefCell<HashMap<(NodeId, *const Selection), bool>>,
}

impl<'g, 'a> Reach<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>, assumptions: Assumptions) -> Reach<'g, 'a> {
        let mut reach = Reach::start(graph, assumptions);
        let free = reach.freely(None);
        let mut detours: HashMap<usize, Reach<'g, 'a>> = HashMap::new();
        for id in graph.ids() {
            for (node, fields) in graph.entries_for(id) {
                if graph.budget.is_spent() {
                    return reach;
                }
                if !free.from(id).contains(&node) || reach.from(id).contains(&node) {
                    continue;
                }
                let subgraph = graph.get(node).subgraph;
                let enters = reach.has_nearby(id, subgraph, fields) || {
                    let detour = detours.entry(subgraph).or_insert_with(|| reach.freely(Some(subgraph)));
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

    /// With the roots and what is entered by the fields at hand.
    fn start(graph: &'g Graph<'a>, assumptions: Assumptions) -> Reach<'g, 'a> {
        let mut reach = Reach {
            graph,
            assumptions,
            direct: graph.ids().map(|id| graph.roots_like(id)).collect(),
            closed: None,
            reached: Vec::new(),
            met: HashSet::new(),
            known: RefCell::default(),
        };
        for id in graph.ids() {
            for (node, fields) in graph.entries_for(id) {
                if !reach.direct[id.index()].contains(&node) && reach.has_at_hand(id, fields) {
                    reach.direct[id.index()].push(node);
                }
            }
        }
        reach.reached.clone_from(&reach.direct);
        reach
    }

    /// The fixed point, with one subgraph closed or none.
    fn freely(&self, closed: Option<usize>) -> Reach<'g, 'a> {
        let mut reach = Reach {
            graph: self.graph,
            assumptions: self.assumptions.clone(),
            direct: self.direct.clone(),
            closed,
            reached: self.graph.ids().map(|id| self.nearby(id, closed)).collect(),
            met: HashSet::new(),
            known: RefCell::default(),
        };
        while !self.graph.budget.is_spent() && (reach.meet_requires() | reach.enter()) {}
        reach
    }

    /// What a node leads to by one direct step after another.
    fn nearby(&self, id: NodeId, closed: Option<usize>) -> Vec<NodeId> {
        let mut nodes = vec![id];
        let mut at = 0;
        while at < nodes.len() {
            let next = &self.direct[nodes[at].index()];
            self.graph.budget.spend(next.len());
            for node in next {
                if closed != Some(self.graph.get(*node).subgraph) && !nodes.contains(node) {
                    nodes.push(*node);
                }
            }
            at += 1;
        }
        nodes
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
        self.forget_refusals(gained);
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
                    let beyond = self.from(node).to_vec();
                    let reached = &mut self.reached[id.index()];
                    reached.extend(beyond.into_iter().filter(|n| *n != node));
                    reached.push(node);
                    reached.sort_unstable();
                    reached.dedup();
                    gained = true;
                }
            }
        }
        self.forget_refusals(gained);
        gained
    }

    fn forget_refusals(&mut self, gained: bool) {
        if gained {
            self.known.borrow_mut().retain(|_, collected| *collected);
        }
    }

    /// All of a field set is resolved at a node itself, and below it in the same subgraph.
    fn has_at_hand(&self, node: NodeId, selections: &[Selection]) -> bool {
        selections.iter().all(|selection| self.has_one_at_hand(node, selection))
    }

    fn has_one_at_hand(&self, node: NodeId, selection: &Selection) -> bool {
        self.graph.budget.spend(1);
        match selection {
            Selection::Field { name, .. } if &**name == "__typename" => true,
            Selection::Field { name, selections, .. } => {
                let edge = self.graph.get(node).edges.get(&**name);
                let plain = edge.filter(|e| e.requires.is_none() && holds(&self.assumptions, e.label));
                plain.is_some_and(|e| e.target.is_none_or(|target| self.has_at_hand(target, selections)))
            }
            Selection::Fragment { .. } => false,
        }
    }

    /// Each entry of a field set is at hand somewhere nearby, without entering a subgraph.
    fn has_nearby(&self, id: NodeId, closed: usize, selections: &[Selection]) -> bool {
        let nodes = self.nearby(id, Some(closed));
        selections.iter().all(|s| nodes.iter().any(|node| self.has_one_at_hand(*node, s)))
    }

    /// All of a field set can be fetched, starting at a node.
    fn can_collect(&self, node: NodeId, selections: &[Selection]) -> bool {
        self.graph.budget.spend(1);
        let key = (node, selections.as_ptr());
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        let collected = selections.iter().all(|selection| match selection {
            Selection::Field { name, .. } if &**name == "__typename" => true,
            Selection::Field { name, selections, .. } => self.can_collect_field(node, name, selections),
            Selection::Fragment { on: None, selections, .. } => self.can_collect(node, selections),
            Selection::Fragment { on: Some(on), selections, .. } => self.can_collect_on(node, on, selections),
        });
        self.known.borrow_mut().insert(key, collected);
        collected
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
    fn entries_for(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &'a [Selection])> {
        let ty = self.get(id).ty;
        let own = self.entries.get(&*ty.name).into_iter().flatten();
        let interfaces = if ty.kind == Kind::Object { Some(self.interfaces_of(&ty.name)) } else { None };
        let standing = interfaces.into_iter().flatten().filter_map(|i| self.entries.get(&**i)).flatten();
        own.chain(standing.filter(|e| e.is_interface_object)).map(|e| (e.node, e.fields))
    }
}
