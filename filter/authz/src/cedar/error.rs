//! Why policies, a schema or entities are refused.

use std::fmt;

use miette::Diagnostic;

/// A place in a text: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset, which may lie at the end of the text.
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The first place that a diagnostic points to.
    pub(super) fn of_diagnostic(text: &str, diagnostic: &dyn Diagnostic) -> Option<Self> {
        let label = diagnostic.labels().and_then(|mut labels| labels.next())?;
        Some(Self::of(text, label.offset()))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A text with the place where it fails, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, if the parser knows.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
}

impl Finding {
    pub(super) fn new(text: &str, diagnostic: &dyn Diagnostic) -> Self {
        let mut message = diagnostic.to_string();
        if let Some(help) = diagnostic.help() {
            message = format!("{message} ({help})");
        }
        Self { position: Position::of_diagnostic(text, diagnostic), message }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{position}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Why a policy configuration is refused. The last good one stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The policies are no Cedar.
    #[error("policies do not parse: {0}")]
    Parse(Finding),
    /// A policy names what the schema does not have, or uses it against its type.
    #[error("policy `{policy}` does not fit the schema: {finding}")]
    Invalid {
        /// Its id.
        policy: String,
        /// Where and why.
        finding: Finding,
    },
    /// Two policies have the same `@id`.
    #[error("two policies have the id `{0}`; `@id` must be unique")]
    DuplicateId(String),
    /// A template; nothing links templates here.
    #[error("policy `{0}` is a template; write out `?principal` and `?resource`")]
    Template(String),
    /// More policies, or more text, than the bounds.
    #[error("{found} {what}; at most {limit} are accepted")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much of it.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// The operator's part of the schema.
    #[error("schema is not accepted: {0}")]
    Schema(Finding),
    /// The operator's entities.
    #[error("entities are not accepted: {0}")]
    Entities(String),
}

impl PolicyError {
    /// The JSON path in the configuration of the text that is refused.
    pub(crate) fn config_path(&self) -> &'static str {
        match self {
            Self::Parse(_)
            | Self::Invalid { .. }
            | Self::DuplicateId(_)
            | Self::Template(_)
            | Self::TooMany { .. } => "policy.cedar",
            Self::Schema(_) => "policy.schema",
            Self::Entities(_) => "policy.entities",
        }
    }
}
