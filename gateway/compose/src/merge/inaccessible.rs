//! `@inaccessible`: what clients are left with must still be a schema.

use super::Merger;
use crate::errors::{CompositionError, ErrorCode};
use crate::graphql::is_required;
use crate::model::{Directives, Field, InputValue, Kind, Operation, Role, Schema, TypeDef, TypeRef, Value};

impl Merger<'_> {
    pub(super) fn check_inaccessible(&mut self) {
        if !self.composed.core.contains_key(&Role::Inaccessible) {
            return;
        }
        let mut check = Check { schema: &self.supergraph, errors: Vec::new() };
        for ty in self.supergraph.types.values() {
            check.type_definition(ty);
        }
        self.errors.extend(check.errors);
    }
}

struct Check<'a> {
    schema: &'a Schema,
    errors: Vec<CompositionError>,
}

fn hidden(element: &impl Directives) -> bool {
    element.has(Role::Inaccessible)
}

impl Check<'_> {
    fn error(&mut self, code: ErrorCode, at: &str, message: String) {
        self.errors.push(CompositionError::new(code, message).at(at));
    }

    fn is_hidden_type(&self, name: &str) -> bool {
        self.schema.types.get(name).is_some_and(hidden)
    }

    fn type_definition(&mut self, ty: &TypeDef) {
        if hidden(ty) {
            if &*ty.name == Operation::Query.type_name() {
                let message = format!("`{}` is @inaccessible, but clients need the query root", ty.name);
                self.error(ErrorCode::QueryRootTypeInaccessible, &ty.name, message);
            }
            return;
        }
        self.children(ty);
        for field in ty.fields.values() {
            let at = format!("{}.{}", ty.name, field.name);
            if hidden(field) {
                self.hidden_field(ty, field, &at);
            } else {
                self.visible_field(ty, field, &at);
            }
        }
        for input in ty.inputs.values() {
            self.input(input, &format!("{}.{}", ty.name, input.name));
        }
    }

    fn children(&mut self, ty: &TypeDef) {
        let all_hidden = match ty.kind {
            Kind::Scalar => false,
            Kind::Object | Kind::Interface => !ty.fields.is_empty() && ty.fields.values().all(hidden),
            Kind::Union => !ty.members.is_empty() && ty.members.iter().all(|m| self.is_hidden_type(m)),
            Kind::Enum => !ty.values.is_empty() && ty.values.values().all(hidden),
            Kind::InputObject => !ty.inputs.is_empty() && ty.inputs.values().all(hidden),
        };
        if all_hidden {
            let message =
                format!("`{}` is visible to clients, but everything in it is @inaccessible", ty.name);
            self.error(ErrorCode::OnlyInaccessibleChildren, &ty.name, message);
        }
    }

    fn hidden_field(&mut self, ty: &TypeDef, field: &Field, at: &str) {
        for interface in ty.interfaces.iter().filter_map(|i| self.schema.types.get(i)) {
            if !hidden(interface) && interface.fields.get(&field.name).is_some_and(|f| !hidden(f)) {
                let message = format!(
                    "`{at}` is @inaccessible, but implements `{}.{}`, which is not",
                    interface.name, field.name
                );
                self.error(ErrorCode::ImplementedByInaccessible, at, message);
            }
        }
    }

    fn visible_field(&mut self, ty: &TypeDef, field: &Field, at: &str) {
        self.reference(&field.ty, at);
        for argument in field.arguments.values() {
            let at = format!("{at}({}:)", argument.name);
            self.input(argument, &at);
            if !hidden(argument) {
                continue;
            }
            for interface in ty.interfaces.iter().filter_map(|i| self.schema.types.get(i)) {
                let expected =
                    interface.fields.get(&field.name).filter(|f| !hidden(interface) && !hidden(*f));
                if expected.and_then(|f| f.arguments.get(&argument.name)).is_some_and(|a| !hidden(a)) {
                    let message =
                        format!("`{at}` is @inaccessible, but interface `{}` has it visible", interface.name);
                    self.error(ErrorCode::ImplementedByInaccessible, &at, message);
                }
            }
        }
    }

    fn input(&mut self, input: &InputValue, at: &str) {
        if hidden(input) {
            if is_required(input) {
                let message = format!("`{at}` is @inaccessible, but must be given");
                self.error(ErrorCode::RequiredInaccessible, at, message);
            }
            return;
        }
        self.reference(&input.ty, at);
        if let Some(default) = &input.default {
            self.default_value(default, &input.ty, at);
        }
    }

    fn reference(&mut self, ty: &TypeRef, at: &str) {
        if self.is_hidden_type(ty.base()) {
            let message =
                format!("`{}` is @inaccessible, but is the type of `{at}`, which is not", ty.base());
            self.error(ErrorCode::ReferencedInaccessible, at, message);
        }
    }

    fn default_value(&mut self, value: &Value, ty: &TypeRef, at: &str) {
        let Some(definition) = self.schema.types.get(ty.base()) else { return };
        match value {
            Value::List(items) => items.iter().for_each(|item| self.default_value(item, ty, at)),
            Value::Enum(name) | Value::String(name) => {
                if definition.values.get(name).is_some_and(hidden) {
                    let message = format!(
                        "`{}.{name}` is @inaccessible, but in the default value of `{at}`",
                        definition.name
                    );
                    self.error(ErrorCode::DefaultValueUsesInaccessible, at, message);
                }
            }
            Value::Object(entries) => {
                for (name, value) in entries {
                    let Some(input) = definition.inputs.get(name) else { continue };
                    if hidden(input) {
                        let message = format!(
                            "`{}.{name}` is @inaccessible, but in the default value of `{at}`",
                            definition.name
                        );
                        self.error(ErrorCode::DefaultValueUsesInaccessible, at, message);
                    }
                    self.default_value(value, &input.ty, at);
                }
            }
            Value::Null | Value::Int(_) | Value::Float(_) | Value::Boolean(_) => {}
        }
    }
}
