//! Whether a constant value may stand where an input type is expected.

use crate::model::{Kind, Schema, TypeRef, Value};

/// Lenient where the reference composers are: an enum value may be written as a string, an `ID` as a
/// name, and an input object may lack required fields. Custom scalars take anything.
pub(crate) fn fits(schema: &Schema, ty: &TypeRef, value: &Value) -> bool {
    match (ty, value) {
        (TypeRef::NonNull(_), Value::Null) => false,
        (TypeRef::NonNull(inner), value) => fits(schema, inner, value),
        (_, Value::Null) => true,
        (TypeRef::List(inner), Value::List(items)) => items.iter().all(|item| fits(schema, inner, item)),
        (TypeRef::List(inner), value) => fits(schema, inner, value),
        (TypeRef::Named(name), value) => fits_named(schema, name, value),
    }
}

fn fits_named(schema: &Schema, name: &str, value: &Value) -> bool {
    let Some(ty) = schema.types.get(name) else { return fits_built_in(name, value) };
    match ty.kind {
        Kind::Scalar => true,
        Kind::Enum => match value {
            Value::Enum(name) | Value::String(name) => ty.values.contains_key(name),
            Value::Null
            | Value::Int(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::List(_)
            | Value::Object(_) => false,
        },
        Kind::InputObject => match value {
            Value::Object(entries) => entries
                .iter()
                .all(|(name, value)| ty.inputs.get(name).is_some_and(|input| fits(schema, &input.ty, value))),
            Value::Null
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Boolean(_)
            | Value::Enum(_)
            | Value::List(_) => false,
        },
        // Not input types; reported where they are used as one.
        Kind::Object | Kind::Interface | Kind::Union => true,
    }
}

fn fits_built_in(name: &str, value: &Value) -> bool {
    match name {
        "Int" => matches!(value, Value::Int(text) if text.parse::<i32>().is_ok()),
        "Float" => matches!(value, Value::Int(_) | Value::Float(_)),
        "String" => matches!(value, Value::String(_)),
        "Boolean" => matches!(value, Value::Boolean(_)),
        "ID" => matches!(value, Value::String(_) | Value::Int(_) | Value::Enum(_)),
        // A scalar of a specification, or an unknown type, which is reported by itself.
        _ => true,
    }
}
