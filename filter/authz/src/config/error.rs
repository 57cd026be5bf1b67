//! Why a configuration is refused.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

/// A configuration that is refused: where, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct ConfigError {
    path: String,
    problem: Problem,
}

impl ConfigError {
    pub(crate) fn new(path: impl Into<String>, problem: Problem) -> Self {
        Self { path: path.into(), problem }
    }

    /// The JSON path of the refused value, such as `issuers[1].jwks`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same error, seen from a document in which this configuration lies at `prefix`.
    pub fn within(self, prefix: &str) -> Self {
        let path = if self.path == "." { prefix.to_owned() } else { format!("{prefix}.{}", self.path) };
        Self { path, problem: self.problem }
    }
}

/// What is wrong with a configured value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{message} (line {line}, column {column})")]
    Shape { message: String, line: usize, column: usize },
    #[error("file `{}` cannot be read: {error}", file.display())]
    UnreadableFile { file: PathBuf, error: String },
    #[error("file `{file}` was not read before the engine was built; resolve the files first")]
    UnresolvedFile { file: String },
    #[error("must not be empty; {hint}")]
    Empty { hint: &'static str },
    #[error("`{value}` is not valid: expected {expected}")]
    Invalid { value: String, expected: &'static str },
    #[error("{found} is more than the limit of {limit}")]
    TooMany { found: u64, limit: u64 },
    #[error("`{value}` appears twice; {hint}")]
    Duplicate { value: String, hint: &'static str },
    #[error("{0}")]
    Conflict(&'static str),
    #[error(transparent)]
    Jwks(#[from] crate::keys::JwksError),
    #[error(transparent)]
    Policy(#[from] crate::cedar::PolicyError),
}

/// Parses JSON into a configuration type, naming the path of what does not fit.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ConfigError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        shape(path, error.inner())
    })?;
    deserializer.end().map_err(|error| shape(".".to_owned(), &error))?;
    Ok(parsed)
}

fn shape(path: String, error: &serde_json::Error) -> ConfigError {
    let (line, column) = (error.line(), error.column());
    let position = format!(" at line {line} column {column}");
    let message = error.to_string();
    let message = message.strip_suffix(&position).unwrap_or(&message).to_owned();
    ConfigError::new(path, Problem::Shape { message, line, column })
}
