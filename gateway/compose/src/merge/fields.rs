//! Merging of fields of objects, interfaces and inputs.

use indexmap::{IndexMap, IndexSet};

use super::{Merger, Sources};
use crate::model::{Directive, Directives, Field, InputValue, Name, Role, TypeDef, Value};

impl<'a> Merger<'a> {
    pub(super) fn merge_fields(&mut self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        let names: IndexSet<&Name> = sources.iter().flatten().flat_map(|t| t.fields.keys()).collect();
        for name in names {
            let fields: Sources<'a, Field> =
                sources.iter().map(|t| t.and_then(|t| t.fields.get(name))).collect();
            let field = self.merge_field(sources, &fields, name);
            merged.fields.insert(name.clone(), field);
        }
    }

    fn merge_field(
        &mut self,
        parents: &Sources<'a, TypeDef>,
        fields: &Sources<'a, Field>,
        name: &Name,
    ) -> Field {
        let first = fields.iter().flatten().next().expect("the name comes from one of the sources");
        let mut merged = Field {
            name: name.clone(),
            description: fields.iter().flatten().find_map(|f| f.description.clone()),
            arguments: IndexMap::new(),
            ty: first.ty.clone(),
            directives: Vec::new(),
            on_extension: false,
            pos: crate::model::Pos::default(),
        };
        let argument_names: IndexSet<&Name> =
            fields.iter().flatten().flat_map(|f| f.arguments.keys()).collect();
        for argument in argument_names {
            let all: Sources<'_, InputValue> =
                fields.iter().map(|f| f.and_then(|f| f.arguments.get(argument))).collect();
            if let Some(first) = all.iter().flatten().next() {
                merged.arguments.insert(argument.clone(), (*first).clone());
            }
        }
        let plain = fields.iter().zip(parents).all(|(field, parent)| match field {
            Some(f) => {
                !is_external(parent, f)
                    && !f.has(Role::Requires)
                    && !f.has(Role::Provides)
                    && f.ty == first.ty
            }
            None => parent.is_none(),
        });
        if !plain {
            for ((subgraph, field), parent) in self.subgraphs.iter().zip(fields).zip(parents) {
                let Some(field) = field else { continue };
                let mut arguments = vec![("graph", Value::Enum(subgraph.graph.clone()))];
                for (role, argument) in [(Role::Requires, "requires"), (Role::Provides, "provides")] {
                    if let Some(fields) = field.first(role).and_then(|d| d.argument("fields")) {
                        arguments.push((argument, fields.clone()));
                    }
                }
                if is_external(parent, field) {
                    arguments.push(("external", Value::Boolean(true)));
                }
                merged.directives.push(Directive::new("join__field", arguments));
            }
        }
        merged
    }

    pub(super) fn merge_inputs(&mut self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        let names: IndexSet<&Name> = sources.iter().flatten().flat_map(|t| t.inputs.keys()).collect();
        for name in names {
            let inputs = sources.iter().flatten().map(|t| t.inputs.get(name)).collect::<Option<Vec<_>>>();
            if let Some(first) = inputs.as_ref().and_then(|all| all.first()) {
                merged.inputs.insert(name.clone(), InputValue { directives: Vec::new(), ..(*first).clone() });
            }
        }
    }
}

/// An external key field of an extension is resolved by the subgraph all the same.
fn is_external(parent: &Option<&TypeDef>, field: &Field) -> bool {
    let is_key = |p: &TypeDef| {
        p.with_role(Role::Key)
            .filter_map(|k| k.argument("fields").and_then(Value::as_str))
            .any(|fields| fields.split_whitespace().any(|f| *f == *field.name))
    };
    field.has(Role::External) && !parent.is_some_and(|p| p.is_extension_only() && is_key(p))
}
