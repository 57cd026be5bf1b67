//! JSON, read strictly: a member that occurs twice is an error, where common parsers silently keep one of the two.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::problem::Fault;

/// Reads one JSON document. Nesting is bounded by the parser (128 levels; more is a syntax error).
pub(super) fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str::<Strict>(text).map(|Strict(value)| value).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let place = format!(" at line {line} column {column}");
        Fault::Syntax { line, column, message: message.trim_end_matches(&place).to_owned() }
    })
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = vec![];
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format!("`{key}` is there twice")));
            }
            let Strict(value) = members.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_json_allows() {
        let text = r#" {"a": [1, -2, 2.5, true, null, "x\u00e9"], "b": {"a": {}}} "#;
        assert_eq!(parse(text).unwrap(), json!({"a": [1, -2, 2.5, true, null, "xé"], "b": {"a": {}}}));
    }

    #[test]
    fn says_where_the_syntax_is_wrong() {
        for (text, expected) in [
            ("{\n \"a\": 1,\n}", (3, 1, "trailing comma")),
            ("{\"a\": 1", (1, 7, "EOF while parsing an object")),
            ("{\n \"a\": 1,\n \"a\": 2}", (3, 4, "`a` is there twice")),
            ("{\"x\": {\"b\": 1, \"b\": 1}}", (1, 18, "`b` is there twice")),
            ("{} {}", (1, 4, "trailing characters")),
            ("", (1, 0, "EOF while parsing a value")),
        ] {
            match parse(text) {
                Err(Fault::Syntax { line, column, message }) => {
                    assert_eq!((line, column, message.as_str()), expected, "{text:?}");
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert!(parse(&"[".repeat(1000)).is_err(), "nesting is bounded");
    }
}
