//! The rules of GraphQL itself: a document that breaks them is refused before federation is looked at.
//! Also applied to the merged supergraph, since subgraphs valid by themselves can merge into nonsense.

mod directives;
mod values;

use indexmap::IndexMap;

use crate::errors::Fault;
use crate::links::Links;
use crate::model::{
    Field, InputValue, Kind, Name, Operation, Pos, Schema, TypeDef, TypeRef, is_built_in_scalar,
};
pub(crate) use values::fits;

/// What is wrong with a schema as plain GraphQL.
pub(crate) fn check(schema: &Schema, links: &Links) -> Vec<Fault> {
    let mut checker = Checker { schema, links, faults: Vec::new() };
    checker.roots();
    for ty in schema.types.values() {
        checker.type_definition(ty);
    }
    checker.directive_definitions();
    checker.directive_uses();
    checker.faults
}

struct Checker<'a> {
    schema: &'a Schema,
    links: &'a Links,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    fn fault(&mut self, message: String, coordinate: &str, pos: Pos) {
        self.faults.push(Fault::graphql(message, pos).at(coordinate));
    }

    fn roots(&mut self) {
        for operation in Operation::ALL {
            let Some(name) = self.schema.roots.get(&operation) else { continue };
            match self.schema.types.get(name) {
                Some(ty) if ty.kind == Kind::Object => {}
                Some(ty) => {
                    self.fault(
                        format!("{} root type `{name}` must be an object type", operation.keyword()),
                        name,
                        ty.pos,
                    );
                }
                None => self.fault(format!("unknown type `{name}`"), name, Pos::default()),
            }
        }
    }

    fn type_definition(&mut self, ty: &'a TypeDef) {
        self.name(&ty.name, &ty.name, ty.pos);
        for field in ty.fields.values() {
            let at = format!("{}.{}", ty.name, field.name);
            self.name(&field.name, &at, field.pos);
            self.output_type(&field.ty, &at, field.pos);
            self.inputs(&field.arguments, |name| format!("{at}({name}:)"));
        }
        self.inputs(&ty.inputs, |name| format!("{}.{name}", ty.name));
        for member in &ty.members {
            match self.schema.kind_of(member) {
                Some(Kind::Object) => {}
                Some(_) => {
                    self.fault(format!("union member `{member}` must be an object type"), &ty.name, ty.pos)
                }
                None => self.fault(format!("unknown type `{member}`"), &ty.name, ty.pos),
            }
        }
        for interface in &ty.interfaces {
            match self.schema.types.get(interface) {
                Some(i) if i.kind == Kind::Interface => self.implementation(ty, i),
                Some(_) => {
                    let message =
                        format!("`{}` cannot implement `{interface}`, which is no interface", ty.name);
                    self.fault(message, &ty.name, ty.pos);
                }
                None => self.fault(format!("unknown type `{interface}`"), &ty.name, ty.pos),
            }
        }
    }

    fn name(&mut self, name: &str, coordinate: &str, pos: Pos) {
        if name.starts_with("__") {
            self.fault(format!("`{name}` must not begin with `__`, which is reserved"), coordinate, pos);
        }
    }

    fn output_type(&mut self, ty: &TypeRef, at: &str, pos: Pos) {
        match self.kind(ty.base()) {
            Some(Kind::InputObject) => {
                self.fault(format!("`{at}` cannot have the input type `{ty}`"), at, pos)
            }
            Some(_) => {}
            None => self.fault(format!("unknown type `{}`", ty.base()), at, pos),
        }
    }

    fn inputs(&mut self, inputs: &IndexMap<Name, InputValue>, coordinate: impl Fn(&str) -> String) {
        for input in inputs.values() {
            let at = coordinate(&input.name);
            self.name(&input.name, &at, input.pos);
            match self.kind(input.ty.base()) {
                Some(Kind::Scalar | Kind::Enum | Kind::InputObject) => {}
                Some(_) => {
                    let message =
                        format!("`{at}` cannot have the type `{}`, which is no input type", input.ty);
                    self.fault(message, &at, input.pos);
                }
                None => self.fault(format!("unknown type `{}`", input.ty.base()), &at, input.pos),
            }
            if let Some(default) = &input.default
                && !fits(self.schema, &input.ty, default)
            {
                let mut shown = String::new();
                crate::print::value(&mut shown, default);
                let message = format!("default value {shown} of `{at}` does not fit its type `{}`", input.ty);
                self.fault(message, &at, input.pos);
            }
        }
    }

    /// `None` for a type that does not exist.
    fn kind(&self, name: &str) -> Option<Kind> {
        match self.schema.kind_of(name) {
            None if is_built_in_scalar(name) || self.links.is_spec_type(name) => Some(Kind::Scalar),
            kind => kind,
        }
    }

    fn implementation(&mut self, ty: &TypeDef, interface: &TypeDef) {
        for expected in interface.fields.values() {
            let at = format!("{}.{}", ty.name, expected.name);
            let Some(field) = ty.fields.get(&expected.name) else {
                let message = format!(
                    "`{}` implements `{}` but has no field `{}`",
                    ty.name, interface.name, expected.name
                );
                self.fault(message, &at, ty.pos);
                continue;
            };
            if !is_subtype(self.schema, &field.ty, &expected.ty) {
                let message = format!(
                    "`{at}` has type `{}`, which is no subtype of `{}` that `{}.{}` has",
                    field.ty, expected.ty, interface.name, expected.name
                );
                self.fault(message, &at, field.pos);
            }
            self.implementation_arguments(field, expected, &at, &interface.name);
        }
    }

    fn implementation_arguments(&mut self, field: &Field, expected: &Field, at: &str, interface: &str) {
        for argument in expected.arguments.values() {
            match field.arguments.get(&argument.name) {
                Some(own) if own.ty == argument.ty => {}
                Some(own) => {
                    let message = format!(
                        "`{at}({}:)` has type `{}`, but `{}` in interface `{interface}`",
                        own.name, own.ty, argument.ty
                    );
                    self.fault(message, at, own.pos);
                }
                None => {
                    let message =
                        format!("`{at}` lacks the argument `{}` of interface `{interface}`", argument.name);
                    self.fault(message, at, field.pos);
                }
            }
        }
        for own in field.arguments.values() {
            if !expected.arguments.contains_key(&own.name) && is_required(own) {
                let message = format!(
                    "`{at}({}:)` is required, but interface `{interface}` has no such argument",
                    own.name
                );
                self.fault(message, at, own.pos);
            }
        }
    }
}

/// Must be given by whoever uses it.
pub(crate) fn is_required(input: &InputValue) -> bool {
    input.ty.is_non_null() && input.default.is_none()
}

/// `sub` may stand where output type `of` is expected.
pub(crate) fn is_subtype(schema: &Schema, sub: &TypeRef, of: &TypeRef) -> bool {
    match (sub, of) {
        (TypeRef::NonNull(sub), TypeRef::NonNull(of)) => is_subtype(schema, sub, of),
        (TypeRef::NonNull(sub), of) => is_subtype(schema, sub, of),
        (TypeRef::List(sub), TypeRef::List(of)) => is_subtype(schema, sub, of),
        (TypeRef::Named(sub), TypeRef::Named(of)) => sub == of || is_subtype_by_name(schema, sub, of),
        (TypeRef::List(_) | TypeRef::Named(_), _) => false,
    }
}

fn is_subtype_by_name(schema: &Schema, sub: &str, of: &str) -> bool {
    let Some(of) = schema.types.get(of) else { return false };
    match of.kind {
        Kind::Union => of.members.contains(sub),
        Kind::Interface => schema.types.get(sub).is_some_and(|t| t.interfaces.contains(&of.name)),
        Kind::Scalar | Kind::Object | Kind::Enum | Kind::InputObject => false,
    }
}
