//! The composed schema as the executor needs it: every type has a small number, every abstract type the
//! set of types that satisfy it, and the part of it that clients may see is kept for introspection.

use std::collections::HashMap;

use graphql_tools::static_graphql::schema as ast;
use hive_router_query_planner::planner::Planner;
use hive_router_query_planner::state::supergraph_state::{SupergraphDefinition, SupergraphState};

mod public;

pub(crate) use public::{
    DirectiveDef, EnumValueDef, FieldDef, InputValueDef, TypeDef, TypeKind, TypeRef, Visible,
};

/// A type of the schema. Numbers are given in the order of names and are valid for one [`Schema`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeId(u32);

/// A set of types.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TypeSet(Vec<u64>);

impl TypeSet {
    pub(crate) fn insert(&mut self, id: TypeId) {
        let word = id.0 as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (id.0 % 64);
    }

    pub(crate) fn contains(&self, id: TypeId) -> bool {
        self.0.get(id.0 as usize / 64).is_some_and(|word| word & (1 << (id.0 % 64)) != 0)
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = TypeId> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| TypeId(word as u32 * 64 + bit))
        })
    }
}

/// The schema of one supergraph.
#[derive(Debug)]
pub(crate) struct Schema {
    names: Vec<Box<str>>,
    index: HashMap<Box<str>, TypeId>,
    /// By type: the types that satisfy a condition on it, itself among them.
    members: Vec<TypeSet>,
    objects: TypeSet,
    public: Vec<Option<TypeDef>>,
    /// By type: `true` for an enum some of whose values clients may not see.
    guarded_enums: TypeSet,
    pub(crate) directives: Vec<DirectiveDef>,
    pub(crate) query: TypeId,
    pub(crate) mutation: Option<TypeId>,
    pub(crate) subscription: Option<TypeId>,
}

impl Schema {
    pub(crate) fn new(planner: &Planner) -> Self {
        let supergraph = &planner.supergraph;
        let document = &planner.consumer_schema.document;
        let index = number_types(supergraph, document);
        let mut names: Vec<Box<str>> = vec!["".into(); index.len()];
        for (name, id) in &index {
            names[id.0 as usize].clone_from(name);
        }
        let mut objects = TypeSet::default();
        let mut members = vec![TypeSet::default(); names.len()];
        for (name, definition) in &supergraph.definitions {
            let id = index[name.as_str()];
            members[id.0 as usize].insert(id);
            match definition {
                SupergraphDefinition::Object(object) => {
                    objects.insert(id);
                    for implemented in &object.join_implements {
                        if let Some(interface) = index.get(implemented.interface.as_str()) {
                            members[interface.0 as usize].insert(id);
                        }
                    }
                }
                SupergraphDefinition::Interface(interface) => {
                    for implemented in &interface.join_implements {
                        if let Some(parent) = index.get(implemented.interface.as_str()) {
                            members[parent.0 as usize].insert(id);
                        }
                    }
                }
                SupergraphDefinition::Union(union) => {
                    for member in &union.union_members {
                        if let Some(member) = index.get(member.member.as_str()) {
                            members[id.0 as usize].insert(*member);
                        }
                    }
                }
                SupergraphDefinition::Enum(_)
                | SupergraphDefinition::Scalar(_)
                | SupergraphDefinition::InputObject(_) => {}
            }
        }
        let Visible { types, directives } = public::read(document, &index);
        let mut schema = Self {
            query: index[supergraph.query_type.as_str()],
            mutation: supergraph.mutation_type.as_deref().and_then(|name| index.get(name).copied()),
            subscription: supergraph.subscription_type.as_deref().and_then(|name| index.get(name).copied()),
            names,
            index,
            members,
            objects,
            public: types,
            guarded_enums: TypeSet::default(),
            directives,
        };
        schema.add_document_members();
        schema.guard_enums(supergraph);
        schema
    }

    /// What the API schema says of memberships, in case the join directives say less.
    fn add_document_members(&mut self) {
        for (number, definition) in self.public.iter().enumerate() {
            let Some(definition) = definition else { continue };
            let id = TypeId(number as u32);
            self.members[number].insert(id);
            match &definition.kind {
                TypeKind::Object { interfaces, .. } => {
                    self.objects.insert(id);
                    for interface in interfaces {
                        self.members[interface.0 as usize].insert(id);
                    }
                }
                TypeKind::Interface { interfaces, .. } => {
                    for interface in interfaces {
                        self.members[interface.0 as usize].insert(id);
                    }
                }
                TypeKind::Union { members } => {
                    for member in members {
                        self.members[number].insert(*member);
                    }
                }
                TypeKind::Scalar { .. } | TypeKind::Enum { .. } | TypeKind::InputObject { .. } => {}
            }
        }
    }

    fn guard_enums(&mut self, supergraph: &SupergraphState) {
        for definition in supergraph.definitions.values() {
            let SupergraphDefinition::Enum(all) = definition else { continue };
            let id = self.index[all.name.as_str()];
            let visible = match self.definition(id).map(|definition| &definition.kind) {
                Some(TypeKind::Enum { values }) => values.len(),
                _ => 0,
            };
            if visible < all.values.len() {
                self.guarded_enums.insert(id);
            }
        }
    }

    pub(crate) fn id(&self, name: &str) -> Option<TypeId> {
        self.index.get(name).copied()
    }

    pub(crate) fn name(&self, id: TypeId) -> &str {
        &self.names[id.0 as usize]
    }

    /// What clients may see of a type; `None` for a type that is inaccessible to them.
    pub(crate) fn definition(&self, id: TypeId) -> Option<&TypeDef> {
        self.public[id.0 as usize].as_ref()
    }

    /// Every type that clients may see, in the order of names.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = (TypeId, &TypeDef)> {
        self.public.iter().enumerate().filter_map(|(number, definition)| {
            definition.as_ref().map(|definition| (TypeId(number as u32), definition))
        })
    }

    pub(crate) fn is_object(&self, id: TypeId) -> bool {
        self.objects.contains(id)
    }

    pub(crate) fn is_guarded_enum(&self, id: TypeId) -> bool {
        self.guarded_enums.contains(id)
    }

    /// The types that satisfy a condition on `id`: itself, and what implements or belongs to it.
    pub(crate) fn members(&self, id: TypeId) -> &TypeSet {
        &self.members[id.0 as usize]
    }

    /// The object types that a value of type `id` can be and that clients may see.
    pub(crate) fn possible_objects(&self, id: TypeId) -> impl Iterator<Item = TypeId> + '_ {
        self.members(id)
            .iter()
            .filter(|member| self.objects.contains(*member) && self.definition(*member).is_some())
    }
}

fn number_types(supergraph: &SupergraphState, document: &ast::Document) -> HashMap<Box<str>, TypeId> {
    let mut names: Vec<&str> = supergraph.definitions.keys().map(String::as_str).collect();
    names.extend(document.definitions.iter().filter_map(|definition| match definition {
        ast::Definition::TypeDefinition(definition) => Some(definition.name()),
        ast::Definition::SchemaDefinition(_)
        | ast::Definition::TypeExtension(_)
        | ast::Definition::DirectiveDefinition(_) => None,
    }));
    names.extend(["Boolean", "Float", "ID", "Int", "String"]);
    names.sort_unstable();
    names.dedup();
    names.into_iter().enumerate().map(|(number, name)| (name.into(), TypeId(number as u32))).collect()
}
