//! Settings of the module itself. They stand beside the engine's, in the same JSON object.

use std::fmt;

use catalyst_authz::config::{ConfigError, FilterConfig};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is not the engine's.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Member `access_log`: which decisions are written to the stream's dynamic metadata.
    pub(crate) access_log: AccessLog,
}

/// Which decisions Envoy's access log can show, as `%DYNAMIC_METADATA(catalyst:KEY)%`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccessLog {
    /// Denials only: an allowed request pays nothing for it.
    #[default]
    Denials,
    /// All of them.
    All,
}

/// Why a configuration is refused before it reaches the engine.
#[derive(Debug)]
pub(crate) enum SettingsError {
    /// No JSON object, or a setting of ours with another value than its type has.
    Json(serde_json::Error),
    /// The rest does not have the engine's shape.
    Config(ConfigError),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl Settings {
    /// Takes the module's settings out of the object; what is left is the engine's.
    pub(crate) fn split(json: &str) -> Result<(Self, FilterConfig), SettingsError> {
        let Members(mut members) = serde_json::from_str(json).map_err(SettingsError::Json)?;
        let mut settings = Self::default();
        let mut engine_only = true;
        for (_, value) in members.extract_if(.., |(name, _)| name == "access_log") {
            if !engine_only {
                return Err(SettingsError::Json(serde_json::Error::custom("duplicate field `access_log`")));
            }
            settings.access_log = serde_json::from_str(value.get()).map_err(|error| {
                SettingsError::Json(serde_json::Error::custom(format!("access_log: {error}")))
            })?;
            engine_only = false;
        }
        // The engine's errors name lines and columns, so it gets the text as written wherever it can.
        let rest;
        let text = if engine_only {
            json
        } else {
            rest = Members(members).to_json();
            &rest
        };
        Ok((settings, FilterConfig::from_json(text).map_err(SettingsError::Config)?))
    }
}

/// The members of an object as written; a duplicate stays one, for the engine to refuse.
struct Members<'j>(Vec<(String, &'j RawValue)>);

impl Members<'_> {
    fn to_json(&self) -> String {
        let members =
            self.0.iter().map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name.as_str())));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

impl<'j> Deserialize<'j> for Members<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'j> Visitor<'j> for Object {
            type Value = Members<'j>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'j>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
