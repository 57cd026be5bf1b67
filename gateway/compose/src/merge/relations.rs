//! What each type is in the supergraph and how types relate, known before any field is merged, since
//! whether two field types are compatible depends on it.

use std::collections::{HashMap, HashSet};

use crate::model::{Directives, Kind, Name, Role, TypeDef, TypeRef};
use crate::subgraph::Subgraph;

#[derive(Debug, Default)]
pub(super) struct Relations {
    /// The abstract types a type belongs to, in any subgraph.
    supertypes: HashMap<Name, HashSet<Name>>,
    /// Interfaces that some subgraph has as an `@interfaceObject`.
    interface_objects: HashSet<Name>,
}

impl Relations {
    pub(super) fn of(subgraphs: &[Subgraph]) -> Relations {
        let mut relations = Relations::default();
        for ty in subgraphs.iter().flat_map(|s| s.schema.types.values()) {
            for interface in &ty.interfaces {
                relations.supertypes.entry(ty.name.clone()).or_default().insert(interface.clone());
            }
            for member in &ty.members {
                relations.supertypes.entry(member.clone()).or_default().insert(ty.name.clone());
            }
            if ty.has(Role::InterfaceObject) {
                relations.interface_objects.insert(ty.name.clone());
            }
        }
        relations
    }

    pub(super) fn is_interface_object(&self, name: &str) -> bool {
        self.interface_objects.contains(name)
    }

    /// `sub` is a subtype of `of`, and not the same.
    pub(super) fn is_strict_subtype(&self, sub: &TypeRef, of: &TypeRef) -> bool {
        sub != of && self.is_subtype(sub, of)
    }

    fn is_subtype(&self, sub: &TypeRef, of: &TypeRef) -> bool {
        match (sub, of) {
            (TypeRef::NonNull(sub), TypeRef::NonNull(of)) => self.is_subtype(sub, of),
            (TypeRef::NonNull(sub), of) => self.is_subtype(sub, of),
            (TypeRef::List(sub), TypeRef::List(of)) => self.is_subtype(sub, of),
            (TypeRef::Named(sub), TypeRef::Named(of)) => {
                sub == of || self.supertypes.get(sub).is_some_and(|s| s.contains(of))
            }
            (TypeRef::List(_) | TypeRef::Named(_), _) => false,
        }
    }
}

/// An `@interfaceObject` stands for the interface of its name.
pub(super) fn kind_in_supergraph(ty: &TypeDef) -> Kind {
    if ty.has(Role::InterfaceObject) { Kind::Interface } else { ty.kind }
}
