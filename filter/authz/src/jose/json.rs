//! JSON that means one thing only.
//!
//! RFC 8259 leaves duplicate member names undefined, and parsers differ on them; RFC 7515 (4) and RFC 7519 (4)
//! allow refusing them, and a security decision must. On top come bounds on nesting and members, since the text
//! comes from strangers.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The deepest nesting accepted. Deeper text is refused before it is descended into.
pub const MAX_DEPTH: usize = 16;

/// The most members of one object. The search for duplicates is quadratic in it.
pub const MAX_MEMBERS: usize = 128;

/// A JSON value. Strings without escapes borrow from the text.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction or exponent that fits 64 bits with sign.
    Integer(i64),
    /// Any other number; always finite.
    Float(f64),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object, in the order of the text. No name appears twice.
    Object(Members<'a>),
}

/// The members of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// The text is not JSON of the accepted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

/// Parses one object, with nothing but white space around it.
///
/// # Errors
/// [`JsonError`] for anything that is not one strict JSON object within the bounds.
pub fn parse_object(text: &[u8]) -> Result<Members<'_>, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value =
        Nested { depth: 0 }.deserialize(&mut deserializer).map_err(|error| JsonError(error.to_string()))?;
    deserializer.end().map_err(|error| JsonError(error.to_string()))?;
    match value {
        Json::Object(members) => Ok(members),
        Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Float(_) | Json::String(_) | Json::Array(_) => {
            Err(JsonError("expected a JSON object".to_owned()))
        }
    }
}

impl<'a> Members<'a> {
    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All members in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

impl Json<'_> {
    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Null
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Array(_)
            | Self::Object(_) => None,
        }
    }

    /// The members, if it is an object.
    pub fn as_object(&self) -> Option<&Members<'_>> {
        match self {
            Self::Object(members) => Some(members),
            Self::Null
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::String(_)
            | Self::Array(_) => None,
        }
    }

    /// The strings of an array of strings, or the one string; `None` for anything else.
    pub fn as_strings(&self) -> Option<Vec<&str>> {
        match self {
            Self::String(text) => Some(vec![text]),
            Self::Array(items) => items.iter().map(Json::as_str).collect(),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::Object(_) => None,
        }
    }
}

/// The value as JSON text without white space.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::String(text) => f.write_str(&quoted(text)),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{}:{value}", if index == 0 { "" } else { "," }, quoted(name))?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Deserializes a value that lies `depth` levels down.
#[derive(Clone, Copy)]
struct Nested {
    depth: usize,
}

impl Nested {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::with_capacity(8);
        while let Some(name) = access.next_key_seed(Name)? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(de::Error::custom("an object names a member twice"));
            }
            if members.len() == MAX_MEMBERS {
                return Err(de::Error::custom(format_args!("an object has more than {MAX_MEMBERS} members")));
            }
            members.push((name, access.next_value_seed(inner)?));
        }
        Ok(Json::Object(Members(members)))
    }
}

/// A member's name, borrowed where the text has no escapes in it.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) {
        assert!(parse_object(text.as_bytes()).is_err(), "accepted {text:?}");
    }

    #[test]
    fn keeps_every_kind_of_value_and_prints_it_back() {
        let text = r#"{"a":null,"b":true,"c":-7,"d":1.5,"e":"x\"y","f":[1,[]],"g":{"h":"ü"}}"#;
        let members = parse_object(text.as_bytes()).expect("valid");
        assert_eq!(Json::Object(members).to_string(), text);
    }

    #[test]
    fn refuses_a_member_named_twice_at_any_depth_and_however_it_is_escaped() {
        refused(r#"{"exp":1,"exp":2}"#);
        refused(r#"{"a":{"b":1,"b":1}}"#);
        refused(r#"{"a":[{"b":1,"b":1}]}"#);
        refused(r#"{"exp":1,"\u0065xp":2}"#);
    }

    #[test]
    fn refuses_nesting_and_members_beyond_the_bounds() {
        let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(parse_object(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        refused(&nested(MAX_DEPTH));
        refused(&nested(100_000));
        let wide = |members: usize| {
            let members: Vec<String> = (0..members).map(|index| format!(r#""m{index}":0"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(parse_object(wide(MAX_MEMBERS).as_bytes()).is_ok());
        refused(&wide(MAX_MEMBERS + 1));
    }

    #[test]
    fn refuses_what_lax_parsers_let_pass() {
        for text in [
            "",
            "{",
            "{}x",
            "{} {}",
            "[]",
            "null",
            "\"a\"",
            "{\"a\":1,}",
            "{'a':1}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\t\"}",
            "{\"a\":1/**/}",
            "\u{feff}{}",
        ] {
            refused(text);
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}").is_err(), "invalid UTF-8");
        assert!(parse_object(b" {\"a\" : 1 }\n").is_ok(), "white space around tokens is JSON");
    }

    #[test]
    fn numbers_beyond_64_bits_with_sign_become_floats() {
        let members = parse_object(br#"{"a":9223372036854775807,"b":9223372036854775808}"#).expect("valid");
        assert_eq!(members.member("a"), Some(&Json::Integer(i64::MAX)));
        assert_eq!(members.member("b"), Some(&Json::Float(9_223_372_036_854_775_808.0)));
    }
}
