//! The walk over every path a client can take through the supergraph, keeping the nodes at which the
//! object may be had.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use super::graph::{Graph, NodeId};
use super::reach::{Assumptions, Reach};
use super::report;
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{Directives, Field, Name, Operation, Role, TypeDef};

/// Unanswerable queries reported; the rest would say the same again.
pub(super) const MAX_ERRORS: usize = 100;
/// Override labels one path may meet; a supergraph that needs more is refused, since each doubles the work.
const MAX_LABELS: usize = 10;

/// A type of the supergraph, and where an object of it may be had.
pub(super) struct State<'a> {
    pub ty: &'a TypeDef,
    /// All that can be reached, in order, each once.
    pub nodes: Vec<NodeId>,
    assumptions: Assumptions,
    /// The state before and the step from there.
    pub before: Option<(usize, Step<'a>)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Field(&'a Field),
    /// `... on Type`
    Cast(&'a Name),
}

pub(super) struct Walk<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub states: Vec<State<'a>>,
    /// States not yet left, by the number of their nodes: what goes on from few needs no look from more.
    todo: BinaryHeap<Reverse<(usize, usize)>>,
    /// The node sets a type was visited with: with fewer nodes means with less to go on.
    visited: HashMap<(&'a str, Assumptions), Vec<Vec<NodeId>>>,
    reaches: HashMap<Assumptions, Rc<Reach<'g, 'a>>>,
    errors: Vec<CompositionError>,
}

pub(super) fn walk(graph: &Graph<'_>) -> Vec<CompositionError> {
    let mut walk = Walk {
        graph,
        states: Vec::new(),
        todo: BinaryHeap::new(),
        visited: HashMap::new(),
        reaches: HashMap::new(),
        errors: Vec::new(),
    };
    for operation in Operation::ALL {
        let Some(ty) = graph.merged.schema.types.get(operation.type_name()) else { continue };
        let nodes = (0..graph.subgraphs.len()).filter_map(|s| graph.find(s, &ty.name)).collect();
        walk.visit(State { ty, nodes, assumptions: Assumptions::new(), before: None });
    }
    while let Some(Reverse((_, state))) = walk.todo.pop() {
        if walk.errors.len() >= MAX_ERRORS {
            break;
        }
        walk.step(state);
        if graph.budget.is_spent() {
            let message = "the subgraphs are entangled beyond what can be checked";
            return vec![CompositionError::new(ErrorCode::CompositionLimitExceeded, message)];
        }
    }
    walk.errors
}

impl<'g, 'a> Walk<'g, 'a> {
    fn reach(&mut self, assumptions: &Assumptions) -> Rc<Reach<'g, 'a>> {
        let graph = self.graph;
        let reach = self.reaches.entry(assumptions.clone());
        reach.or_insert_with_key(|assumptions| Rc::new(Reach::new(graph, assumptions.clone()))).clone()
    }

    fn visit(&mut self, mut state: State<'a>) {
        let reach = self.reach(&state.assumptions);
        state.nodes = state.nodes.iter().flat_map(|node| reach.from(*node)).copied().collect();
        state.nodes.sort_unstable();
        state.nodes.dedup();
        let visited = self.visited.entry((&state.ty.name, state.assumptions.clone())).or_default();
        self.graph.budget.spend((visited.len() + 1) * state.nodes.len());
        if visited.iter().any(|seen| is_subset(seen, &state.nodes)) {
            return;
        }
        visited.push(state.nodes.clone());
        self.todo.push(Reverse((state.nodes.len(), self.states.len())));
        self.states.push(state);
    }

    fn step(&mut self, index: usize) {
        let state = &self.states[index];
        let visited = self.visited.get(&(&*state.ty.name, state.assumptions.clone())).into_iter().flatten();
        self.graph.budget.spend(state.nodes.len());
        // A smaller set seen since has it covered.
        if visited.clone().any(|seen| seen.len() < state.nodes.len() && is_subset(seen, &state.nodes)) {
            return;
        }
        let (ty, assumptions) = (state.ty, state.assumptions.clone());
        if ty.kind.is_abstract() {
            return self.casts(index, ty, &assumptions);
        }
        for field in ty.fields.values().filter(|f| !f.has(Role::Inaccessible)) {
            let base = self.graph.merged.schema.types.get(field.ty.base());
            if base.is_some_and(|t| t.has(Role::Inaccessible)) {
                continue;
            }
            for assumptions in self.worlds(ty, field, &assumptions) {
                self.field(index, field, assumptions);
            }
        }
    }

    /// The assumptions to make for a field: where an override depends on a label, both ways.
    fn worlds(&mut self, ty: &TypeDef, field: &Field, assumptions: &Assumptions) -> Vec<Assumptions> {
        let mut worlds = vec![assumptions.clone()];
        for subgraph in 0..self.graph.subgraphs.len() {
            let label = self.graph.merged.overrides.label(subgraph, &ty.name, &field.name);
            let Some(label) = label.filter(|l| !worlds[0].iter().any(|(known, _)| *known == l.label)) else {
                continue;
            };
            let with = |when: bool| {
                worlds.iter().map(move |world| {
                    let mut world = world.clone();
                    world.push((label.label.clone(), when));
                    world.sort_unstable();
                    world
                })
            };
            worlds = with(true).chain(with(false)).collect();
        }
        if worlds.iter().any(|world| world.len() > MAX_LABELS) {
            let message = format!("a path meets more than {MAX_LABELS} override labels");
            self.errors.push(CompositionError::new(ErrorCode::CompositionLimitExceeded, message));
            return Vec::new();
        }
        worlds
    }

    fn field(&mut self, index: usize, field: &'a Field, assumptions: Assumptions) {
        let reach = self.reach(&assumptions);
        let mut found = false;
        let mut targets = Vec::new();
        self.graph.budget.spend(self.states[index].nodes.len());
        for node in &self.states[index].nodes {
            if let Some(edge) = reach.usable(*node, &field.name) {
                found = true;
                targets.extend(edge.target);
            }
        }
        if !found {
            let error = report::unanswerable_field(self, index, field);
            self.errors.push(error);
        } else if let Some(ty) =
            self.graph.merged.schema.types.get(field.ty.base()).filter(|t| t.kind.is_composite())
        {
            self.visit(State { ty, nodes: targets, assumptions, before: Some((index, Step::Field(field))) });
        }
    }

    fn casts(&mut self, index: usize, ty: &'a TypeDef, assumptions: &Assumptions) {
        let reach = self.reach(assumptions);
        for name in self.graph.merged.schema.possible_types(&ty.name) {
            let Some(object) =
                self.graph.merged.schema.types.get(name).filter(|t| !t.has(Role::Inaccessible))
            else {
                continue;
            };
            let mut nodes = Vec::new();
            let mut unknown = Vec::new();
            for node in &self.states[index].nodes {
                let here = self.graph.get(*node);
                if here.ty.has(Role::InterfaceObject) {
                    match reach.concrete(*node, name) {
                        Some(concrete) => nodes.extend([concrete, *node]),
                        None => unknown.push(*node),
                    }
                } else if here.ty.name == *name {
                    nodes.push(*node);
                } else {
                    nodes.extend(here.casts.iter().filter(|cast| self.graph.get(**cast).ty.name == *name));
                }
            }
            if !nodes.is_empty() {
                let before = Some((index, Step::Cast(name)));
                self.visit(State { ty: object, nodes, assumptions: assumptions.clone(), before });
            } else if !unknown.is_empty() && unknown.len() == self.states[index].nodes.len() {
                let error = report::unknown_implementation(self, index, name, &unknown);
                self.errors.push(error);
            }
        }
    }
}

/// Both in order.
fn is_subset(of: &[NodeId], nodes: &[NodeId]) -> bool {
    of.len() <= nodes.len() && of.iter().all(|node| nodes.binary_search(node).is_ok())
}
