//! A text that is written in place or kept in a file.

use std::borrow::Cow;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Where a document (a JWK set, policies, entities) comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// The document itself. A JSON document may be written as JSON or as a string that holds it; anything else
    /// is a string.
    Inline(
        #[serde(deserialize_with = "text_or_json")]
        #[schemars(schema_with = "any_json")]
        String,
    ),
    /// The path of a file. It is read by the shell, never by the engine.
    File(PathBuf),
}

/// A JSON string gives its content, any other JSON value its source text. The text is kept as written, so that a
/// later strict parse still sees duplicate members.
fn text_or_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    if raw.get().starts_with('"') {
        serde_json::from_str(raw.get()).map_err(D::Error::custom)
    } else {
        Ok(String::from(Box::<str>::from(raw)))
    }
}

fn any_json(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "object", "array"] })
}

impl Source {
    /// The text, or `None` while it is an unread file.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Inline(text) => Some(text),
            Self::File(_) => None,
        }
    }

    /// A short name for messages.
    pub(crate) fn describe(&self) -> Cow<'_, str> {
        match self {
            Self::Inline(_) => Cow::Borrowed("inline"),
            Self::File(path) => path.to_string_lossy(),
        }
    }
}
