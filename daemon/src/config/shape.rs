//! The shape of the configuration's document, read off the JSON Schema that is made from
//! [`RawConfig`](super::raw::RawConfig). What is written in a file or by flags is checked against it, and the flags,
//! their help and the defaults are made from it.

use std::collections::BTreeMap;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Map, Value};

use super::path::{JsonPath, Segment};
use super::raw::RawConfig;

/// The JSON Schema of the configuration file.
pub fn schema() -> Value {
    sorted(schema_as_declared())
}

fn schema_as_declared() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>();
    RecursiveTransform(tidy).transform(&mut schema);
    schema.to_value()
}

/// A field that is moved in the raw form changes nothing in the committed schema.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().collect();
            Value::Object(fields.into_iter().map(|(key, field)| (key, sorted(field))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// A field is absent or has a value; `null` is neither, though `Option` allows it. Descriptions have no line ends of
/// the source.
fn tidy(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(alternatives)) = schema.get("anyOf")
        && let [only, Value::Object(null)] = alternatives.as_slice()
        && null.get("type").is_some_and(|name| name == "null")
        && let Value::Object(only) = only.clone()
    {
        schema.remove("anyOf");
        for (key, value) in only {
            if schema.get(&key).is_none() {
                schema.insert(key, value);
            }
        }
    }
    // An empty section is no default worth telling.
    if schema.get("default").is_some_and(Value::is_object) {
        schema.remove("default");
    }
}

/// One place of the document: what may stand there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) doc: String,
    pub(super) flag: FlagName,
    /// The placeholder of the value in `--help`.
    pub(super) value_name: Option<String>,
    pub(super) default: Option<Value>,
    pub(super) kind: Kind,
}

/// How the flag of a field is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FlagName {
    /// After the field's path.
    FromPath,
    /// As said in the field's `x-flag`.
    Given(String),
    /// The field is of use in a file only.
    None,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Section(Fields),
    List { item: Box<Shape>, min: usize, max: usize },
    Text,
    Choice(Vec<String>),
    Integer { min: u64, max: u64 },
    Boolean,
}

/// The fields of a section, in the order in which the raw form declares them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fields(Vec<(String, Shape)>);

impl Fields {
    pub(super) fn get(&self, key: &str) -> Option<&Shape> {
        self.iter().find(|(name, _)| *name == key).map(|(_, shape)| shape)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Shape)> {
        self.0.iter().map(|(key, shape)| (key.as_str(), shape))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }
}

impl Shape {
    /// The shape of the whole document.
    pub(super) fn of_config() -> Self {
        Self::read(&schema_as_declared())
    }

    /// Reads the subset of JSON Schema that the raw form's types give.
    fn read(schema: &Value) -> Self {
        let text = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_owned);
        let flag = match schema.get("x-flag") {
            None => FlagName::FromPath,
            Some(Value::String(name)) => FlagName::Given(name.clone()),
            Some(_) => FlagName::None,
        };
        let doc = text("description").unwrap_or_default();
        let default = schema.get("default").cloned();
        Self { doc, flag, value_name: text("x-value"), default, kind: Kind::read(schema) }
    }

    /// The shape at `path`, if the document can have such a place.
    pub(super) fn at(&self, path: &JsonPath) -> Option<&Self> {
        path.segments().iter().try_fold(self, |shape, segment| match (&shape.kind, segment) {
            (Kind::Section(fields), Segment::Key(key)) => fields.get(key),
            (Kind::List { item, .. }, Segment::Index(_)) => Some(item.as_ref()),
            (Kind::Section(_), Segment::Index(_))
            | (Kind::List { .. }, Segment::Key(_))
            | (
                Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean,
                Segment::Key(_) | Segment::Index(_),
            ) => None,
        })
    }
}

impl Kind {
    fn read(schema: &Value) -> Self {
        if let Some(choices) = choices(schema) {
            return Self::Choice(choices);
        }
        let number = |key: &str| schema.get(key).and_then(Value::as_u64);
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => {
                let none = Map::new();
                let fields = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
                Self::Section(Fields(
                    fields.iter().map(|(key, field)| (key.clone(), Shape::read(field))).collect(),
                ))
            }
            Some("array") => {
                let length = |key| number(key).map(|n| usize::try_from(n).expect("a length fits"));
                Self::List {
                    item: Box::new(Shape::read(schema.get("items").expect("a list says what its items are"))),
                    min: length("minItems").unwrap_or(0),
                    max: length("maxItems").expect("every list of the raw form has a bound"),
                }
            }
            Some("integer") => Self::Integer {
                min: number("minimum").expect("every number of the raw form has bounds"),
                max: number("maximum").expect("every number of the raw form has bounds"),
            },
            Some("boolean") => Self::Boolean,
            Some("string") => Self::Text,
            Some(_) | None => unreachable!("the raw form is made of the kinds above: {schema}"),
        }
    }

    /// What may stand here, in words.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Section(_) => "an object".to_owned(),
            Self::List { .. } => "an array".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Boolean => "true or false".to_owned(),
        }
    }
}

fn choices(schema: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values.iter().map(text).collect();
    }
    let alternatives = schema.get("oneOf")?.as_array()?;
    let of = |alternative: &Value| match (alternative.get("const"), alternative.get("enum")) {
        (Some(only), _) => Some(vec![text(only)?]),
        (None, Some(Value::Array(several))) => several.iter().map(text).collect(),
        (None, _) => None,
    };
    alternatives.iter().map(of).collect::<Option<Vec<_>>>().map(|lists| lists.concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shape_has_what_the_raw_form_says() {
        let shape = Shape::of_config();
        let at = |path: &JsonPath| shape.at(path).unwrap();
        let root = JsonPath::default();
        let protocol = at(&root.key("services").index(0).key("protocol"));
        assert_eq!(protocol.kind, Kind::Choice(["graphql", "http", "grpc", "tcp"].map(str::to_owned).into()));
        let org = at(&root.key("node").key("org"));
        assert_eq!(org.flag, FlagName::Given("org".to_owned()));
        assert_eq!(org.kind, Kind::Text);
        assert_eq!(at(&root.key("auth").key("leeway")).default, Some(json!("30s")));
        let concurrency = at(&root.key("envoy").key("concurrency"));
        assert_eq!(concurrency.kind, Kind::Integer { min: 1, max: 1024 });
        assert_eq!(shape.at(&root.key("services").key("name")), None);
        assert_eq!(shape.at(&root.key("nothing")), None);
    }

    #[test]
    fn null_is_no_value_of_any_field() {
        fn check(schema: &Value) {
            match schema {
                Value::Object(fields) => {
                    assert!(fields.get("type").is_none_or(|name| !name.is_array()), "{schema}");
                    fields.values().for_each(check);
                }
                Value::Array(items) => items.iter().for_each(check),
                Value::String(text) => assert_ne!(text, "null"),
                Value::Null => panic!("null"),
                Value::Bool(_) | Value::Number(_) => {}
            }
        }
        check(&schema());
    }
}
