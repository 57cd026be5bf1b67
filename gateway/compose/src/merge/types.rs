//! Merging of named types.

use super::relations::kind_in_supergraph;
use super::{Merger, Sources, description, listed};
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{Directive, Directives, Kind, Name, Operation, Role, TypeDef, Value};

impl<'a> Merger<'a> {
    /// Merges everything but enums, which come last.
    pub(super) fn merge_type(&mut self, name: &'a Name) {
        let sources = self.type_sources(name);
        let Some(kind) = self.common_kind(name, &sources) else { return };
        self.check_base(name, &sources);
        let mut merged = TypeDef::new(name.clone(), kind);
        merged.description = description(sources.values().map(|t| t.description.as_ref()));
        self.join_implements(&sources, &mut merged);
        self.join_types(&sources, &mut merged);
        match kind {
            Kind::Scalar | Kind::Enum => {}
            Kind::Object | Kind::Interface => self.merge_fields(&sources, &mut merged),
            Kind::Union => self.merge_members(&sources, &mut merged),
            Kind::InputObject => self.merge_inputs(&sources, &mut merged),
        }
        self.merge_applied(&sources, &mut merged.directives);
        self.supergraph.types.insert(name.clone(), merged);
    }

    /// The kind all subgraphs agree on.
    fn common_kind(&mut self, name: &Name, sources: &Sources<'a, TypeDef>) -> Option<Kind> {
        let mut kinds: Vec<(Kind, Vec<&str>)> = Vec::new();
        for (index, ty) in sources.iter() {
            let (kind, subgraph) = (kind_in_supergraph(ty), &self.subgraphs[index]);
            match kinds.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, names)) => names.push(&subgraph.name),
                None => kinds.push((kind, vec![&subgraph.name])),
            }
        }
        let first = kinds.first()?.0;
        if kinds.len() > 1 {
            let stated: Vec<String> = kinds
                .iter()
                .map(|(kind, names)| format!("{} in {}", kind.keyword(), listed(names)))
                .collect();
            let message = format!("`{name}` is {}", stated.join(" but "));
            let error = CompositionError::new(ErrorCode::TypeKindMismatch, message).at(&**name);
            self.errors.push(error.within(self.names_of(sources)));
            return None;
        }
        if first == Kind::Interface && sources.values().all(|t| t.has(Role::InterfaceObject)) {
            let message =
                format!("`{name}` is an @interfaceObject in every subgraph; one must define the interface");
            let error = CompositionError::new(ErrorCode::InterfaceObjectUsageError, message).at(&**name);
            self.errors.push(error.within(self.names_of(sources)));
            return None;
        }
        Some(first)
    }

    fn check_base(&mut self, name: &Name, sources: &Sources<'a, TypeDef>) {
        let root = Operation::ALL.iter().any(|o| o.type_name() == &**name);
        if root || sources.values().any(|t| t.defined) {
            return;
        }
        for subgraph in self.names_of(sources) {
            let message = format!("`{name}` is an extension, but no subgraph defines the type");
            let error = CompositionError::new(ErrorCode::ExtensionWithNoBase, message).at(&**name);
            self.errors.push(error.within([subgraph]));
        }
    }

    fn join_types(&self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        for (index, ty) in sources.iter() {
            let subgraph = &self.subgraphs[index];
            let mut plain = vec![("graph", Value::Enum(subgraph.graph.clone()))];
            let is_interface_object = ty.has(Role::InterfaceObject);
            let keys = subgraph.sets.keys_of(&ty.name);
            if keys.is_empty() {
                if is_interface_object {
                    plain.push(("isInterfaceObject", Value::Boolean(true)));
                }
                merged.directives.push(Directive::new("join__type", plain));
                continue;
            }
            for key in keys {
                let mut arguments = plain.clone();
                arguments.push(("key", Value::String(key.text.clone())));
                if key.block.is_extension() || ty.has(Role::Extends) {
                    arguments.push(("extension", Value::Boolean(true)));
                }
                if !key.resolvable {
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
        for (index, ty) in sources.iter() {
            for interface in &ty.interfaces {
                merged.interfaces.insert(interface.clone());
                let arguments = vec![
                    ("graph", Value::Enum(self.subgraphs[index].graph.clone())),
                    ("interface", Value::String(interface.clone())),
                ];
                merged.directives.push(Directive::new("join__implements", arguments));
            }
        }
    }

    fn merge_members(&self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        for (index, ty) in sources.iter() {
            for member in &ty.members {
                merged.members.insert(member.clone());
                let arguments = vec![
                    ("graph", Value::Enum(self.subgraphs[index].graph.clone())),
                    ("member", Value::String(member.clone())),
                ];
                merged.directives.push(Directive::new("join__unionMember", arguments));
            }
        }
    }
}
