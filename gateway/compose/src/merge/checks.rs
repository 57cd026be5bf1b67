//! What only the merged whole can show to be wrong.

use super::{Merger, listed};
use crate::errors::{CompositionError, ErrorCode};
use crate::graphql;
use crate::links::Links;
use crate::model::{Kind, Name, Operation, TypeDef};

impl Merger<'_> {
    pub(super) fn check(&mut self) {
        self.spread_authorization();
        let query = self.supergraph.types.get(Operation::Query.type_name());
        if query.is_none_or(|t| t.fields.is_empty()) {
            let message = "no subgraph has a query: a supergraph needs at least one";
            self.errors.push(CompositionError::new(ErrorCode::NoQueries, message).at("Query"));
        }
        self.check_interface_fields();
        self.check_interface_keys();
        self.check_requires_authorization();
        if self.errors.is_empty() {
            let faults = graphql::check(&self.supergraph, &Links::default());
            self.errors.extend(faults.into_iter().map(|f| CompositionError {
                coordinate: f.coordinate,
                ..CompositionError::new(f.code, f.message)
            }));
        }
        if self.errors.is_empty() {
            self.check_inaccessible();
        }
    }

    /// A type must have the fields its interfaces got from all subgraphs.
    fn check_interface_fields(&mut self) {
        for ty in self.supergraph.types.values() {
            for interface in ty.interfaces.iter().filter_map(|i| self.supergraph.types.get(i)) {
                for field in interface.fields.keys().filter(|f| !ty.fields.contains_key(*f)) {
                    let having = |name: &str, field: Option<&str>| -> Vec<&str> {
                        let types = self.subgraphs.iter().map(|s| (s, s.schema.types.get(name)));
                        let having = types.filter(|(_, t)| match (t, field) {
                            (Some(t), Some(field)) => t.fields.contains_key(field),
                            (Some(t), None) => t.interfaces.contains(&interface.name),
                            (None, _) => false,
                        });
                        having.map(|(s, _)| s.name.as_str()).collect()
                    };
                    let message = format!(
                        "interface field `{}.{field}` is declared in {}, but `{}`, which implements it in {}, lacks it",
                        interface.name,
                        listed(&having(&interface.name, Some(field))),
                        ty.name,
                        listed(&having(&ty.name, None)),
                    );
                    let error = CompositionError::new(ErrorCode::InterfaceFieldNoImplem, message);
                    let at = format!("{}.{field}", ty.name);
                    self.errors.push(error.at(at).within(having(&ty.name, None)));
                }
            }
        }
    }

    /// A subgraph that takes entities by an interface's key must know every type they can be.
    fn check_interface_keys(&mut self) {
        for subgraph in self.subgraphs {
            for interface in subgraph.schema.types.values().filter(|t| t.kind == Kind::Interface) {
                if !subgraph.sets.keys_of(&interface.name).iter().any(|k| k.resolvable) {
                    continue;
                }
                let known = |t: &&TypeDef| {
                    let local = subgraph.schema.types.get(&t.name);
                    local.is_some_and(|t| t.interfaces.contains(&interface.name))
                };
                let implementations = self.supergraph.types.values();
                let implementations = implementations
                    .filter(|t| t.kind == Kind::Object && t.interfaces.contains(&interface.name));
                let missing: Vec<&Name> = implementations.filter(|t| !known(t)).map(|t| &t.name).collect();
                if missing.is_empty() {
                    continue;
                }
                let names: Vec<String> = missing.iter().map(|n| format!("`{n}`")).collect();
                let message = format!(
                    "interface `{}` has a resolvable @key, but this subgraph lacks {}, which implement it elsewhere",
                    interface.name,
                    names.join(", ")
                );
                let code = ErrorCode::InterfaceKeyMissingImplementationType;
                let error = CompositionError::new(code, message).at(&*interface.name);
                self.errors.push(error.within([subgraph.name.as_str()]));
            }
        }
    }
}
