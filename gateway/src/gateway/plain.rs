//! Services that know nothing of federation: their schema is told by introspection, and written as SDL.

use std::fmt::Write;

use serde::Deserialize;

/// Asks for all that an SDL can say. Lists and non-nulls may wrap one another seven deep.
pub(super) const INTROSPECTION: &str = "query CatalystIntroduction{__schema{queryType{name}mutationType{name}subscriptionType{name}types{kind name description fields(includeDeprecated:true){name description args{...Input}type{...Type}isDeprecated deprecationReason}inputFields{...Input}interfaces{name}enumValues(includeDeprecated:true){name description isDeprecated deprecationReason}possibleTypes{name}}}}fragment Input on __InputValue{name description type{...Type}defaultValue}fragment Type on __Type{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name}}}}}}}}";

/// `data` of an answer to [`INTROSPECTION`].
#[derive(Deserialize)]
pub(super) struct Introspected {
    #[serde(rename = "__schema")]
    schema: Schema,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    query_type: Option<Name>,
    mutation_type: Option<Name>,
    subscription_type: Option<Name>,
    types: Vec<Type>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Scalar,
    Object,
    Interface,
    Union,
    Enum,
    InputObject,
    List,
    NonNull,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    kind: Kind,
    name: String,
    description: Option<String>,
    fields: Option<Vec<Field>>,
    input_fields: Option<Vec<Input>>,
    interfaces: Option<Vec<Name>>,
    enum_values: Option<Vec<EnumValue>>,
    possible_types: Option<Vec<Name>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    name: String,
    description: Option<String>,
    args: Vec<Input>,
    r#type: TypeRef,
    #[serde(default)]
    is_deprecated: bool,
    deprecation_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    description: Option<String>,
    r#type: TypeRef,
    default_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnumValue {
    name: String,
    description: Option<String>,
    #[serde(default)]
    is_deprecated: bool,
    deprecation_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeRef {
    kind: Kind,
    name: Option<String>,
    of_type: Option<Box<TypeRef>>,
}

impl Introspected {
    /// The SDL of the schema; `None` if it is no schema.
    pub(super) fn sdl(&self) -> Option<String> {
        let Schema { query_type, mutation_type, subscription_type, types } = &self.schema;
        let mut sdl = String::from("schema {");
        let roots = [("query", query_type), ("mutation", mutation_type), ("subscription", subscription_type)];
        for (operation, root) in roots {
            if let Some(Name { name }) = root {
                sdl += &format!(" {operation}: {}", checked(name)?);
            }
        }
        sdl += " }\n";
        for ty in types {
            let is_built_in = ["Boolean", "Float", "ID", "Int", "String"].contains(&ty.name.as_str());
            if !ty.name.starts_with("__") && !is_built_in {
                write_type(ty, &mut sdl)?;
            }
        }
        Some(sdl)
    }
}

/// A name that can't end the SDL and start something else: the service is a stranger's.
fn checked(name: &str) -> Option<&str> {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    (starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then_some(name)
}

fn write_type(ty: &Type, sdl: &mut String) -> Option<()> {
    describe(ty.description.as_deref(), sdl);
    let name = checked(&ty.name)?;
    match ty.kind {
        Kind::Scalar => *sdl += &format!("scalar {name}\n"),
        Kind::Object | Kind::Interface => {
            *sdl += if ty.kind == Kind::Object { "type " } else { "interface " };
            *sdl += name;
            let interfaces = names(ty.interfaces.as_deref())?;
            if !interfaces.is_empty() {
                *sdl += &format!(" implements {}", interfaces.join(" & "));
            }
            *sdl += " {\n";
            for field in ty.fields.iter().flatten() {
                describe(field.description.as_deref(), sdl);
                *sdl += checked(&field.name)?;
                if !field.args.is_empty() {
                    *sdl += "(";
                    for input in &field.args {
                        write_input(input, sdl)?;
                    }
                    *sdl += ")";
                }
                *sdl += &format!(": {}", write_ref(&field.r#type)?);
                deprecate(field.is_deprecated, field.deprecation_reason.as_deref(), sdl);
            }
            *sdl += "}\n";
        }
        Kind::Union => {
            *sdl += &format!("union {name} = {}\n", names(ty.possible_types.as_deref())?.join(" | "));
        }
        Kind::Enum => {
            *sdl += &format!("enum {name} {{\n");
            for value in ty.enum_values.iter().flatten() {
                describe(value.description.as_deref(), sdl);
                *sdl += checked(&value.name)?;
                deprecate(value.is_deprecated, value.deprecation_reason.as_deref(), sdl);
            }
            *sdl += "}\n";
        }
        Kind::InputObject => {
            *sdl += &format!("input {name} {{\n");
            for input in ty.input_fields.iter().flatten() {
                write_input(input, sdl)?;
            }
            *sdl += "}\n";
        }
        Kind::List | Kind::NonNull => return None,
    }
    Some(())
}

fn names(names: Option<&[Name]>) -> Option<Vec<&str>> {
    names.unwrap_or_default().iter().map(|name| checked(&name.name)).collect()
}

fn write_input(input: &Input, sdl: &mut String) -> Option<()> {
    describe(input.description.as_deref(), sdl);
    *sdl += &format!("{}: {}", checked(&input.name)?, write_ref(&input.r#type)?);
    if let Some(default) = &input.default_value {
        *sdl += &format!(" = {default}");
    }
    *sdl += "\n";
    Some(())
}

fn write_ref(ty: &TypeRef) -> Option<String> {
    match (ty.kind, &ty.of_type) {
        (Kind::List, Some(inner)) => Some(format!("[{}]", write_ref(inner)?)),
        (Kind::NonNull, Some(inner)) => Some(format!("{}!", write_ref(inner)?)),
        (Kind::List | Kind::NonNull, None) => None,
        (Kind::Scalar | Kind::Object | Kind::Interface | Kind::Union | Kind::Enum | Kind::InputObject, _) => {
            checked(ty.name.as_deref()?).map(str::to_owned)
        }
    }
}

fn describe(description: Option<&str>, sdl: &mut String) {
    if let Some(description) = description.filter(|text| !text.is_empty()) {
        *sdl += &format!("{}\n", quote(description));
    }
}

fn deprecate(is_deprecated: bool, reason: Option<&str>, sdl: &mut String) {
    if is_deprecated {
        *sdl += " @deprecated";
        if let Some(reason) = reason {
            *sdl += &format!("(reason: {})", quote(reason));
        }
    }
    *sdl += "\n";
}

/// A string in quotes, as both GraphQL and JSON write it but for controls above U+001F, which need no escape.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            control if control < ' ' => {
                write!(quoted, "\\u{:04x}", u32::from(control)).expect("a string takes all");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(kind: &str, name: &str) -> serde_json::Value {
        json!({ "kind": kind, "name": name })
    }

    fn introspected(types: &serde_json::Value) -> Introspected {
        let schema = json!({ "__schema": { "queryType": { "name": "Root" }, "types": types } });
        serde_json::from_value(schema).unwrap()
    }

    #[test]
    fn writes_what_introspection_tells() {
        let list =
            json!({ "kind": "NON_NULL", "ofType": { "kind": "LIST", "ofType": named("OBJECT", "Root") } });
        let types = json!([
            { "kind": "OBJECT", "name": "Root", "description": "The \"root\".", "interfaces": [{ "name": "Node" }],
              "fields": [
                { "name": "all", "args": [
                    { "name": "first", "type": named("SCALAR", "Int"), "defaultValue": "10" }], "type": list },
                { "name": "old", "args": [], "type": named("ENUM", "Size"),
                  "isDeprecated": true, "deprecationReason": "use\nall" }] },
            { "kind": "INTERFACE", "name": "Node", "fields": [
                { "name": "old", "args": [], "type": named("ENUM", "Size") }] },
            { "kind": "UNION", "name": "Any", "possibleTypes": [{ "name": "Root" }] },
            { "kind": "ENUM", "name": "Size", "enumValues": [{ "name": "BIG" }, { "name": "SMALL" }] },
            { "kind": "INPUT_OBJECT", "name": "In", "inputFields": [{ "name": "x", "type": named("SCALAR", "ID") }] },
            { "kind": "SCALAR", "name": "Date" },
            { "kind": "SCALAR", "name": "Int" },
            { "kind": "OBJECT", "name": "__Type", "fields": [] },
        ]);
        let expected = r#"schema { query: Root }
"The \"root\"."
type Root implements Node {
all(first: Int = 10
): [Root]!
old: Size @deprecated(reason: "use\nall")
}
interface Node {
old: Size
}
union Any = Root
enum Size {
BIG
SMALL
}
input In {
x: ID
}
scalar Date
"#;
        assert_eq!(introspected(&types).sdl().unwrap(), expected);
    }

    #[test]
    fn takes_no_names_that_are_more_than_names() {
        for name in ["A { x: Int } type B", "", "1a", "a-b", "@x"] {
            let types = json!([{ "kind": "SCALAR", "name": name }]);
            assert_eq!(introspected(&types).sdl(), None, "{name:?}");
        }
    }
}
