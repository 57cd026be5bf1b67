//! Merging of named types.

use indexmap::IndexSet;

use super::{Merger, Sources};
use crate::model::{Directive, Directives, EnumValue, Kind, Name, Role, TypeDef, Value};

impl<'a> Merger<'a> {
    pub(super) fn merge_type(&mut self, name: &'a Name) {
        let sources = self.type_sources(name);
        let Some(first) = sources.iter().flatten().next() else { return };
        let kind = sources.iter().flatten().map(|t| kind_in_supergraph(t)).max().unwrap_or(first.kind);
        let mut merged = TypeDef::new(name.clone(), kind);
        merged.description = sources.iter().flatten().find_map(|t| t.description.clone());
        self.join_types(&sources, &mut merged);
        match kind {
            Kind::Scalar => {}
            Kind::Object | Kind::Interface => {
                self.join_implements(&sources, &mut merged);
                self.merge_fields(&sources, &mut merged);
            }
            Kind::Union => self.merge_union(&sources, &mut merged),
            Kind::Enum => self.merge_enum(&sources, &mut merged),
            Kind::InputObject => self.merge_inputs(&sources, &mut merged),
        }
        self.supergraph.types.insert(name.clone(), merged);
    }

    fn join_types(&self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        for (subgraph, ty) in self.subgraphs.iter().zip(sources) {
            let Some(ty) = ty else { continue };
            let graph = ("graph", Value::Enum(subgraph.graph.clone()));
            let is_interface_object = ty.has(Role::InterfaceObject);
            let keys: Vec<_> = ty.with_role(Role::Key).collect();
            if keys.is_empty() {
                merged.directives.push(Directive::new("join__type", vec![graph]));
                continue;
            }
            for key in keys {
                let mut arguments = vec![graph.clone()];
                if let Some(fields) = key.argument("fields") {
                    arguments.push(("key", fields.clone()));
                }
                if key.on_extension || ty.has(Role::Extends) {
                    arguments.push(("extension", Value::Boolean(true)));
                }
                if key.argument("resolvable") == Some(&Value::Boolean(false)) {
                    arguments.push(("resolvable", Value::Boolean(false)));
                }
                if is_interface_object {
                    arguments.push(("isInterfaceObject", Value::Boolean(true)));
                }
                merged.directives.push(Directive::new("join__type", arguments));
            }
        }
    }

    fn join_implements(&self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        for (subgraph, ty) in self.subgraphs.iter().zip(sources) {
            for interface in ty.iter().flat_map(|t| &t.interfaces) {
                merged.interfaces.insert(interface.clone());
                let arguments = vec![
                    ("graph", Value::Enum(subgraph.graph.clone())),
                    ("interface", Value::String(interface.clone())),
                ];
                merged.directives.push(Directive::new("join__implements", arguments));
            }
        }
    }

    fn merge_union(&self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        for (subgraph, ty) in self.subgraphs.iter().zip(sources) {
            for member in ty.iter().flat_map(|t| &t.members) {
                merged.members.insert(member.clone());
                let arguments = vec![
                    ("graph", Value::Enum(subgraph.graph.clone())),
                    ("member", Value::String(member.clone())),
                ];
                merged.directives.push(Directive::new("join__unionMember", arguments));
            }
        }
    }

    fn merge_enum(&self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        let names: IndexSet<&Name> = sources.iter().flatten().flat_map(|t| t.values.keys()).collect();
        for name in names {
            let mut value = EnumValue {
                name: name.clone(),
                description: None,
                directives: Vec::new(),
                pos: crate::model::Pos::default(),
            };
            for (subgraph, ty) in self.subgraphs.iter().zip(sources) {
                let Some(source) = ty.and_then(|t| t.values.get(name)) else { continue };
                value.description = value.description.or_else(|| source.description.clone());
                let arguments = vec![("graph", Value::Enum(subgraph.graph.clone()))];
                value.directives.push(Directive::new("join__enumValue", arguments));
            }
            merged.values.insert(name.clone(), value);
        }
    }
}

/// An `@interfaceObject` stands for the interface of its name.
pub(super) fn kind_in_supergraph(ty: &TypeDef) -> Kind {
    if ty.has(Role::InterfaceObject) { Kind::Interface } else { ty.kind }
}
