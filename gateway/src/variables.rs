//! Variables: checked against their definitions before anything is fetched (GraphQL specification, section
//! 6.1.2), and passed on as the client wrote them.

use std::collections::HashMap;

use graphql_tools::static_graphql::query as ast;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Code, GraphqlError};
use crate::schema::{InputValueDef, Schema, TypeKind, TypeRef};

/// How many variables an operation may define.
const MAX_VARIABLES: usize = 1_000;

/// A variable that an operation defines.
#[derive(Debug)]
pub(crate) struct VariableDef {
    pub(crate) name: Box<str>,
    ty: TypeRef,
    default: Option<Box<RawValue>>,
}

/// The values of an operation's variables, as JSON.
#[derive(Debug, Default)]
pub(crate) struct Variables(Vec<(Box<str>, Box<RawValue>)>);

impl Variables {
    /// `None` for a variable that has neither value nor default.
    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() == "true")
    }
}

impl VariableDef {
    /// Reads the definitions of a valid operation.
    pub(crate) fn read(
        definitions: &[ast::VariableDefinition],
        schema: &Schema,
    ) -> Result<Vec<Self>, GraphqlError> {
        if definitions.len() > MAX_VARIABLES {
            return Err(GraphqlError::new(
                Code::LimitExceeded,
                format!("{} variables are more than {MAX_VARIABLES}", definitions.len()),
            ));
        }
        definitions
            .iter()
            .map(|definition| {
                let ty = type_ref(&definition.var_type, schema).ok_or_else(|| {
                    GraphqlError::new(
                        Code::GraphqlValidationFailed,
                        format!("variable `${}` is of an unknown type", definition.name),
                    )
                })?;
                let default = definition.default_value.as_ref().map(|value| {
                    serde_json::value::to_raw_value(&literal(value)).expect("a literal serialises as JSON")
                });
                Ok(Self { name: definition.name.as_str().into(), ty, default })
            })
            .collect()
    }
}

fn type_ref(ty: &ast::Type, schema: &Schema) -> Option<TypeRef> {
    Some(match ty {
        ast::Type::NamedType(name) => TypeRef::Named(schema.id(name)?),
        ast::Type::ListType(inner) => TypeRef::List(Box::new(type_ref(inner, schema)?)),
        ast::Type::NonNullType(inner) => TypeRef::NonNull(Box::new(type_ref(inner, schema)?)),
    })
}

/// A constant literal as JSON. Enum values are strings there; a variable can't occur in a valid default.
fn literal(value: &ast::Value) -> Value {
    match value {
        ast::Value::Variable(_) | ast::Value::Null => Value::Null,
        ast::Value::Int(number) => number.as_i64().map_or(Value::Null, Value::from),
        ast::Value::Float(number) => Value::from(*number),
        ast::Value::String(text) | ast::Value::Enum(text) => Value::from(text.as_str()),
        ast::Value::Boolean(flag) => Value::from(*flag),
        ast::Value::List(items) => items.iter().map(literal).collect(),
        ast::Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), literal(value))).collect())
        }
    }
}

/// Checks what the client provides. `provided` is the `variables` member of the request.
pub(crate) fn coerce(
    definitions: &[VariableDef],
    provided: Option<&RawValue>,
    schema: &Schema,
) -> Result<Variables, Vec<GraphqlError>> {
    let bad = |message: String| GraphqlError::new(Code::BadUserInput, message);
    let mut provided: HashMap<String, Box<RawValue>> = match provided.map(RawValue::get) {
        None | Some("null") => HashMap::new(),
        Some(json) => serde_json::from_str(json)
            .map_err(|_| vec![bad("`variables` must be an object, or left out".to_owned())])?,
    };
    let mut values = Vec::with_capacity(definitions.len());
    let mut errors = Vec::new();
    for VariableDef { name, ty, default } in definitions {
        let Some(json) = provided.remove(&**name) else {
            match default {
                Some(default) => values.push((name.clone(), default.clone())),
                None if matches!(ty, TypeRef::NonNull(_)) => {
                    errors.push(bad(format!(
                        "variable `${name}` of type `{}` has no value; give it one in `variables`",
                        Named(ty, schema)
                    )));
                }
                None => {}
            }
            continue;
        };
        let checked = serde_json::from_str(json.get())
            .map_err(|_| "it is not JSON, or nests too deep".to_owned())
            .and_then(|value| check(&value, ty, schema, &mut String::new()));
        match checked {
            Ok(()) => values.push((name.clone(), json)),
            Err(reason) => errors.push(bad(format!("variable `${name}` got an invalid value: {reason}"))),
        }
    }
    if errors.is_empty() { Ok(Variables(values)) } else { Err(errors) }
}

/// Checks a value against a type. `at` is the way to it within the variable, for the message.
fn check(value: &Value, ty: &TypeRef, schema: &Schema, at: &mut String) -> Result<(), String> {
    match (ty, value) {
        (TypeRef::NonNull(_), Value::Null) => Err(wrong(at, ty, schema, "null")),
        (TypeRef::NonNull(inner), _) => check(value, inner, schema, at),
        (_, Value::Null) => Ok(()),
        (TypeRef::List(item), Value::Array(items)) => {
            items.iter().enumerate().try_for_each(|(index, value)| {
                within(at, &format!("[{index}]"), |at| check(value, item, schema, at))
            })
        }
        // A single value stands for a list of it (section 3.11).
        (TypeRef::List(item), _) => check(value, item, schema, at),
        (TypeRef::Named(id), _) => match schema.definition(*id).map(|definition| &definition.kind) {
            Some(TypeKind::Enum { values }) => match value.as_str() {
                Some(name) if values.iter().any(|value| value.name == name) => Ok(()),
                _ => Err(wrong(at, ty, schema, &value.to_string())),
            },
            Some(TypeKind::InputObject { fields, one_of }) => {
                check_object(value, ty, fields, *one_of, schema, at)
            }
            Some(
                TypeKind::Scalar { .. }
                | TypeKind::Object { .. }
                | TypeKind::Interface { .. }
                | TypeKind::Union { .. },
            )
            | None => check_scalar(value, schema.name(*id))
                .then_some(())
                .ok_or_else(|| wrong(at, ty, schema, &value.to_string())),
        },
    }
}

fn check_object(
    value: &Value,
    ty: &TypeRef,
    fields: &[InputValueDef],
    one_of: bool,
    schema: &Schema,
    at: &mut String,
) -> Result<(), String> {
    let Value::Object(object) = value else { return Err(wrong(at, ty, schema, &value.to_string())) };
    if let Some(unknown) = object.keys().find(|key| fields.iter().all(|field| field.name != **key)) {
        return Err(format!("{}`{}` has no field `{unknown}`", position(at), Named(ty, schema)));
    }
    if one_of && (object.len() != 1 || object.values().any(Value::is_null)) {
        return Err(format!("{}exactly one field of `{}` must be given", position(at), Named(ty, schema)));
    }
    for field in fields {
        match object.get(&field.name) {
            Some(value) => {
                within(at, &format!(".{}", field.name), |at| check(value, &field.ty, schema, at))?;
            }
            None if matches!(field.ty, TypeRef::NonNull(_)) && field.default.is_none() => {
                return Err(format!(
                    "{}the field `{}` of type `{}` is required",
                    position(at),
                    field.name,
                    Named(&field.ty, schema)
                ));
            }
            None => {}
        }
    }
    Ok(())
}

/// Built-in scalars by section 3.5; any value fits a custom scalar, which is for its subgraph to judge.
fn check_scalar(value: &Value, name: &str) -> bool {
    match name {
        "String" => value.is_string(),
        "Boolean" => value.is_boolean(),
        "Float" => value.is_number(),
        "ID" => value.is_string() || value.is_i64() || value.is_u64(),
        "Int" => {
            let integral = value.as_f64().filter(|_| value.is_f64()).filter(|number| number.fract() == 0.0);
            let number = value.as_i64().or(integral.map(|number| number as i64));
            number.is_some_and(|number| i32::try_from(number).is_ok())
        }
        _ => true,
    }
}

fn within(
    at: &mut String,
    step: &str,
    check: impl FnOnce(&mut String) -> Result<(), String>,
) -> Result<(), String> {
    let before = at.len();
    at.push_str(step);
    let checked = check(at);
    at.truncate(before);
    checked
}

fn position(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("at `{}`: ", at.trim_start_matches('.')) }
}

fn wrong(at: &str, ty: &TypeRef, schema: &Schema, value: &str) -> String {
    let mut shown: String = value.chars().take(50).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{}expected `{}`, found {shown}", position(at), Named(ty, schema))
}

/// A type as GraphQL writes it.
struct Named<'a>(&'a TypeRef, &'a Schema);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            TypeRef::Named(id) => f.write_str(self.1.name(*id)),
            TypeRef::List(inner) => write!(f, "[{}]", Named(inner, self.1)),
            TypeRef::NonNull(inner) => write!(f, "{}!", Named(inner, self.1)),
        }
    }
}
