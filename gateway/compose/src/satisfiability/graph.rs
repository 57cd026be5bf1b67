//! What each subgraph resolves, as a graph: a node is a type in a subgraph, an edge a field it resolves
//! there.

use std::collections::HashMap;

use super::budget::Budget;
use crate::merge::{Label, Merged};
use crate::model::{Directives, Field, Kind, Name, Operation, Role, TypeDef};
use crate::parse::{Selection, print_selection};
use crate::subgraph::Subgraph;

/// A position in [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

impl NodeId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A position in [`Graph::provided`]; the first is the empty set.
type ProvidedId = usize;

const NOTHING: ProvidedId = 0;

/// A type in a subgraph, as reached by a path that provides some of its external fields.
pub(super) struct Node<'a> {
    pub subgraph: usize,
    pub ty: &'a TypeDef,
    provided: ProvidedId,
    pub edges: HashMap<&'a str, Edge<'a>>,
    /// The object types an abstract type can be here.
    pub casts: Vec<NodeId>,
}

/// A field that a subgraph resolves, conditions met.
pub(super) struct Edge<'a> {
    /// `None` for a leaf.
    pub target: Option<NodeId>,
    pub requires: Option<&'a [Selection]>,
    pub label: Option<&'a Label>,
}

/// A key by which a subgraph can be entered.
pub(super) struct Entry<'a> {
    pub node: NodeId,
    pub fields: &'a [Selection],
    pub is_interface_object: bool,
}

/// All that the subgraphs resolve.
pub(super) struct Graph<'a> {
    pub subgraphs: &'a [Subgraph],
    pub merged: &'a Merged,
    pub nodes: Vec<Node<'a>>,
    /// The fields that need others to be fetched first.
    pub conditional: Vec<(NodeId, &'a str, &'a [Selection])>,
    /// By type.
    pub entries: HashMap<&'a str, Vec<Entry<'a>>>,
    pub budget: Budget,
    provided: Vec<Vec<Selection>>,
    index: HashMap<(usize, &'a str, ProvidedId), NodeId>,
    provided_index: HashMap<String, ProvidedId>,
}

impl<'a> Graph<'a> {
    /// Stops short when the budget is spent.
    pub(super) fn new(subgraphs: &'a [Subgraph], merged: &'a Merged, budget: Budget) -> Graph<'a> {
        let mut graph = Graph {
            subgraphs,
            merged,
            nodes: Vec::new(),
            conditional: Vec::new(),
            entries: HashMap::new(),
            budget,
            provided: vec![Vec::new()],
            index: HashMap::new(),
            provided_index: HashMap::from([(String::new(), NOTHING)]),
        };
        for (index, subgraph) in subgraphs.iter().enumerate() {
            for ty in subgraph.schema.types.values().filter(|t| t.kind.is_composite()) {
                let node = graph.node(index, ty, NOTHING);
                for key in subgraph.sets.keys_of(&ty.name).iter().filter(|k| k.resolvable) {
                    graph.entries.entry(&ty.name).or_default().push(Entry {
                        node,
                        fields: &key.fields,
                        is_interface_object: ty.has(Role::InterfaceObject),
                    });
                }
            }
        }
        let mut done = 0;
        while done < graph.nodes.len() && !graph.budget.is_spent() {
            graph.connect(NodeId(done as u32));
            done += 1;
        }
        graph
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    pub(super) fn get(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.index()]
    }

    /// The plain node of a type in a subgraph.
    pub(super) fn find(&self, subgraph: usize, ty: &str) -> Option<NodeId> {
        let ty = self.subgraphs[subgraph].schema.types.get(ty)?;
        self.index.get(&(subgraph, &*ty.name, NOTHING)).copied()
    }

    pub(super) fn is_root(name: &str) -> bool {
        Operation::ALL.iter().any(|o| o.type_name() == name)
    }

    fn node(&mut self, subgraph: usize, ty: &'a TypeDef, provided: ProvidedId) -> NodeId {
        let next = NodeId(self.nodes.len() as u32);
        let id = *self.index.entry((subgraph, &ty.name, provided)).or_insert(next);
        if id == next {
            self.nodes.push(Node { subgraph, ty, provided, edges: HashMap::new(), casts: Vec::new() });
        }
        id
    }

    fn intern(&mut self, selections: Vec<Selection>) -> ProvidedId {
        let next = self.provided.len();
        let id = *self.provided_index.entry(print_selection(&selections)).or_insert(next);
        if id == next {
            self.provided.push(selections);
        }
        id
    }

    fn connect(&mut self, id: NodeId) {
        let Node { subgraph, ty, provided, .. } = *self.get(id);
        let schema = &self.subgraphs[subgraph].schema;
        if ty.kind.is_abstract() {
            let possible = schema.possible_types(&ty.name);
            let types = possible.into_iter().filter_map(|name| schema.types.get(name));
            let casts = types.map(|t| self.node(subgraph, t, provided)).collect();
            self.nodes[id.index()].casts = casts;
        }
        for field in ty.fields.values() {
            if let Some(edge) = self.edge(subgraph, ty, provided, field) {
                self.conditional.extend(edge.requires.map(|requires| (id, &*field.name, requires)));
                self.nodes[id.index()].edges.insert(&field.name, edge);
            }
        }
    }

    /// `None` where the subgraph does not resolve the field.
    fn edge(
        &mut self,
        subgraph: usize,
        ty: &'a TypeDef,
        provided: ProvidedId,
        field: &'a Field,
    ) -> Option<Edge<'a>> {
        let source = &self.subgraphs[subgraph];
        if !self.is_resolved(subgraph, ty, provided, &field.name) {
            return None;
        }
        if ty.kind == Kind::Interface && !self.all_resolve(subgraph, ty, provided, &field.name) {
            return None;
        }
        let base = source.schema.types.get(field.ty.base()).filter(|t| t.kind.is_composite());
        self.budget.spend(1 + self.provided[provided].len());
        let target = base.map(|base| {
            let mut selections = self.provided_below(subgraph, ty, provided, &field.name);
            selections.extend(source.sets.provides.get(&ty.name, &field.name).into_iter().flatten().cloned());
            let provided = self.intern(selections);
            self.node(subgraph, base, provided)
        });
        Some(Edge {
            target,
            requires: source.sets.requires.get(&ty.name, &field.name).map(Vec::as_slice),
            label: self.merged.overrides.label(subgraph, &ty.name, &field.name),
        })
    }

    fn is_resolved(&self, subgraph: usize, ty: &TypeDef, provided: ProvidedId, field: &str) -> bool {
        if self.merged.overrides.is_overridden(subgraph, &ty.name, field) {
            return false;
        }
        !self.subgraphs[subgraph].usage.is_external(&ty.name, field)
            || applying(self.subgraphs, subgraph, ty, &self.provided[provided])
                .any(|s| matches!(s, Selection::Field { name, .. } if **name == *field))
    }

    /// A field can be asked of an interface if every type it can be resolves it by itself.
    fn all_resolve(&self, subgraph: usize, interface: &TypeDef, provided: ProvidedId, field: &str) -> bool {
        let source = &self.subgraphs[subgraph];
        let mut types = source.schema.possible_types(&interface.name).into_iter();
        types.all(|name| {
            source.schema.types.get(name).is_some_and(|ty| {
                self.is_resolved(subgraph, ty, provided, field)
                    && source.sets.requires.get(name, field).is_none()
                    && self.merged.overrides.label(subgraph, name, field).is_none()
            })
        })
    }

    /// What a path provides below a field of a type.
    fn provided_below(
        &self,
        subgraph: usize,
        ty: &TypeDef,
        provided: ProvidedId,
        field: &str,
    ) -> Vec<Selection> {
        let mut below = Vec::new();
        for selection in applying(self.subgraphs, subgraph, ty, &self.provided[provided]) {
            if let Selection::Field { name, selections, .. } = selection
                && **name == *field
            {
                below.extend(selections.iter().cloned());
            }
        }
        below
    }

    /// `name` is the type of the node, or one it always is too.
    pub(super) fn is_a(&self, node: NodeId, name: &str) -> bool {
        let Node { subgraph, ty, .. } = self.get(node);
        is_a(self.subgraphs, *subgraph, ty, name)
    }

    /// The interfaces a type has in the supergraph.
    pub(super) fn interfaces_of(&self, ty: &str) -> impl Iterator<Item = &'a Name> + use<'a> {
        self.merged.schema.types.get(ty).into_iter().flat_map(|t| &t.interfaces)
    }
}

fn is_a(subgraphs: &[Subgraph], subgraph: usize, ty: &TypeDef, name: &str) -> bool {
    *ty.name == *name
        || ty.interfaces.contains(name)
        || subgraphs[subgraph].schema.types.get(name).is_some_and(|u| u.members.contains(&ty.name))
}

/// The selections that speak of a type, fragments opened.
fn applying<'s>(
    subgraphs: &'s [Subgraph],
    subgraph: usize,
    ty: &'s TypeDef,
    selections: &'s [Selection],
) -> Box<dyn Iterator<Item = &'s Selection> + 's> {
    Box::new(selections.iter().flat_map(move |selection| match selection {
        Selection::Field { .. } => Box::new(std::iter::once(selection)),
        Selection::Fragment { on, selections, .. } => {
            if on.as_ref().is_none_or(|on| is_a(subgraphs, subgraph, ty, on)) {
                applying(subgraphs, subgraph, ty, selections)
            } else {
                Box::new(std::iter::empty())
            }
        }
    }))
}
