//! `@listSize`: its arguments must speak of things the field has.

use super::Rules;
use crate::errors::{ErrorCode, Fault};
use crate::model::{Directive, Directives, Field, Role, TypeRef, Value};

impl Rules<'_> {
    pub(super) fn list_size(&mut self, field: &Field, at: &str) {
        for directive in field.with_role(Role::ListSize) {
            self.list_size_target(field, directive, at);
            self.assumed_size(directive, at);
            self.slicing_arguments(field, directive, at);
            self.sized_fields(field, directive, at);
        }
    }

    fn list_size_target(&mut self, field: &Field, directive: &Directive, at: &str) {
        let sized = names(directive, "sizedFields").next().is_some();
        if !sized && !is_list(&field.ty) {
            let message = format!("@listSize on `{at}`, which is no list, needs `sizedFields:`");
            self.faults.push(Fault::new(ErrorCode::ListSizeAppliedToNonList, message, directive.pos).at(at));
        }
    }

    fn assumed_size(&mut self, directive: &Directive, at: &str) {
        if let Some(Value::Int(size)) = directive.argument("assumedSize")
            && size.starts_with('-')
        {
            let message = format!("the assumed size {size} of `{at}` is negative");
            self.faults
                .push(Fault::new(ErrorCode::ListSizeInvalidAssumedSize, message, directive.pos).at(at));
        }
    }

    fn slicing_arguments(&mut self, field: &Field, directive: &Directive, at: &str) {
        for name in names(directive, "slicingArguments") {
            let message = match field.arguments.get(name) {
                None => format!("slicing argument `{name}` is no argument of `{at}`"),
                Some(argument) => match argument.ty.nullable() {
                    TypeRef::Named(ty) if **ty == *"Int" => continue,
                    TypeRef::Named(_) | TypeRef::List(_) | TypeRef::NonNull(_) => {
                        format!(
                            "slicing argument `{at}({name}:)` has type `{}`; expected `Int` or `Int!`",
                            argument.ty
                        )
                    }
                },
            };
            self.faults
                .push(Fault::new(ErrorCode::ListSizeInvalidSlicingArgument, message, directive.pos).at(at));
        }
    }

    fn sized_fields(&mut self, field: &Field, directive: &Directive, at: &str) {
        let parent = self.schema.types.get(field.ty.base()).filter(|t| t.kind.is_composite());
        for name in names(directive, "sizedFields") {
            let (code, message) = match parent.map(|p| (p, p.fields.get(name))) {
                None => {
                    let message =
                        format!("`{at}` has type `{}`, which has no sized field `{name}`", field.ty);
                    (ErrorCode::ListSizeInvalidSizedField, message)
                }
                Some((parent, None)) => {
                    let message = format!("sized field `{name}` is no field of `{}`", parent.name);
                    (ErrorCode::ListSizeInvalidSizedField, message)
                }
                Some((_, Some(sized))) if is_list(&sized.ty) => continue,
                Some((parent, Some(_))) => {
                    let message = format!("sized field `{}.{name}` is no list", parent.name);
                    (ErrorCode::ListSizeAppliedToNonList, message)
                }
            };
            self.faults.push(Fault::new(code, message, directive.pos).at(at));
        }
    }
}

fn is_list(ty: &TypeRef) -> bool {
    matches!(ty.nullable(), TypeRef::List(_))
}

/// The strings of a list argument.
fn names<'a>(directive: &'a Directive, argument: &str) -> impl Iterator<Item = &'a str> {
    let items = match directive.argument(argument) {
        Some(Value::List(items)) => items.as_slice(),
        Some(_) | None => &[],
    };
    items.iter().filter_map(Value::as_str)
}
