//! What is wrong with a configuration: where, what was found, what was expected, and what to try.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::endpoint::{ListenError, MAX_URL, ServiceUrlError};
use super::holder::Holder;
use super::names::{IssuerError, KeySetUrlError};
use super::path::JsonPath;
use super::shape::Kind;
use super::text::{AddressError, DurationError, LogLevelError};
use super::{MAX_SOCKET_PATH, NameError};

/// Where a value of the configuration came from. The environment is never a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody gave one.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// A flag, with its dashes.
    Flag(String),
}

/// One thing that is wrong with a configuration.
#[derive(Debug)]
pub struct Problem {
    /// Where the value came from.
    pub source: Source,
    /// Its place in the document; empty for the document as a whole.
    pub path: JsonPath,
    /// What was found there.
    pub value: Option<String>,
    /// What is wrong with it.
    pub fault: Fault,
    /// The flag that sets the field, with its dashes.
    pub flag: Option<String>,
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn of(problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "who has no problems has a value");
        Self(problems)
    }

    /// These and then those.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0.into_iter().chain(others.0).collect())
    }

    /// The problems, in the order of the document as far as they have one.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "error: {problem}")?;
        }
        let count = self.0.len();
        write!(
            f,
            "{count} error{} in the configuration; nothing was started",
            if count == 1 { "" } else { "s" }
        )
    }
}

/// What is wrong with a value.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("cannot read the file: {0}")]
    Read(io::Error),
    /// The file is larger than the limit.
    #[error("the file has more than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The file is no JSON.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser says, without the place.
        message: String,
    },
    /// A field that does not exist.
    #[error("unknown field `{name}`")]
    UnknownField {
        /// The field's name.
        name: String,
        /// A field that may be meant, with its path.
        suggestion: Option<String>,
        /// The fields that exist there.
        known: Vec<String>,
    },
    /// Another kind of value.
    #[error("it is {found}")]
    WrongType {
        /// What is there.
        found: &'static str,
        /// What may be there.
        expected: String,
    },
    /// None of a fixed set of words.
    #[error("it is none of the words that may stand here")]
    NotAllowed {
        /// The words.
        allowed: Vec<String>,
        /// The word that may be meant.
        suggestion: Option<String>,
    },
    /// A number out of its bounds.
    #[error("it is out of bounds")]
    OutOfBounds {
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// Too few or too many items.
    #[error("it has {found} item{}", if *found == 1 { "" } else { "s" })]
    Length {
        /// The number of items.
        found: usize,
        /// The least that is allowed.
        min: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// A flag's value that is no list of `KEY=VALUE`.
    #[error("`{0}` is no KEY=VALUE")]
    NotKeyValue(String),
    /// A flag's value with one key twice.
    #[error("`{0}` is given twice")]
    GivenTwice(String),
    /// A flag for the fields of a single item beside a flag for whole items.
    #[error("it cannot be used together with {0}")]
    FlagConflict(String),
    /// A flag for the fields of a single item where the file has several.
    #[error("it cannot tell which of the file's {count} `{list}` it is for")]
    Ambiguous {
        /// The list's path.
        list: JsonPath,
        /// How many items the file has.
        count: usize,
    },
    /// A field that has no default and was not given.
    #[error("it is missing")]
    Missing {
        /// What it should be.
        expected: &'static str,
    },
    /// No name.
    #[error(transparent)]
    Name(NameError),
    /// No issuer.
    #[error(transparent)]
    Issuer(IssuerError),
    /// No URL that keys are fetched from.
    #[error(transparent)]
    KeySetUrl(KeySetUrlError),
    /// No service's URL.
    #[error(transparent)]
    Url(ServiceUrlError),
    /// No address to listen at.
    #[error(transparent)]
    Address(AddressError),
    /// No place for a server to listen.
    #[error(transparent)]
    Listen(ListenError),
    /// No duration.
    #[error(transparent)]
    Duration(DurationError),
    /// No tag.
    #[error(transparent)]
    Tag(catalyst_routing::tag::TagError),
    /// No log directives.
    #[error(transparent)]
    LogLevel(LogLevelError),
    /// An empty text.
    #[error("it is empty")]
    Empty,
    /// The same value in two places where it may occur once.
    #[error("it is the same as {first}")]
    Duplicate {
        /// The other place.
        first: JsonPath,
    },
    /// No file that can be run.
    #[error("it is no executable file")]
    NotExecutable,
    /// No directory, or one that cannot be made or written.
    #[error("the directory cannot be used: {0}")]
    Directory(io::Error),
    /// The filter would refuse the file's content.
    #[error("{}", without_path(.0))]
    Refused(catalyst_authz::config::ConfigError),
    /// Somebody listens there already.
    #[error("the address is in use{}", holder(.0.as_ref()))]
    AddressInUse(Option<Holder>),
    /// The operating system does not let this user listen there.
    #[error("cannot listen there: {0}")]
    AddressUnusable(io::Error),
    /// Another daemon answers at this node's socket.
    #[error("another daemon is running on it: it answers at `{}`", .0.display())]
    SocketInUse(PathBuf),
    /// Another value than in a place where it has to be the same.
    #[error("it differs from {first}, and the filter asks the same of every token")]
    Differs {
        /// The other place.
        first: JsonPath,
    },
    /// The path of a socket is too long for the operating system.
    #[error("the socket's path `{}` has {} bytes; at most {MAX_SOCKET_PATH} are possible", .0.display(), .0.as_os_str().len())]
    SocketPath(PathBuf),
}

impl Fault {
    pub(super) fn wrong_type(found: &serde_json::Value, expected: &Kind) -> Self {
        use serde_json::Value;
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        Self::WrongType { found, expected: expected.expected() }
    }

    /// What should have been there; `None` where the message says it.
    fn expected(&self) -> Option<String> {
        let text = match self {
            Self::Syntax { .. } => "one JSON object, as `catalystd schema` describes it",
            Self::UnknownField { known, .. } => return Some(format!("one of {}", known.join(", "))),
            Self::WrongType { expected, .. } => expected,
            Self::NotAllowed { allowed, .. } => return Some(format!("one of {}", allowed.join(", "))),
            Self::OutOfBounds { min, max } => return Some(format!("a whole number from {min} to {max}")),
            Self::Length { min, max, .. } => return Some(format!("{min} to {max} items")),
            Self::NotKeyValue(_) => "KEY=VALUE,KEY=VALUE… or a JSON object",
            Self::Missing { expected } => expected,
            Self::Issuer(_) => "the `iss` of the issuer's tokens, such as https://id.acme.example",
            Self::KeySetUrl(_) => "a file, or a URL such as https://id.acme.example/.well-known/jwks.json",
            Self::Url(ServiceUrlError::TooLong(_)) => {
                return Some(format!("a URL of at most {MAX_URL} bytes"));
            }
            Self::Url(_) => {
                "http://HOST[:PORT] or https://… for graphql, http and grpc (with a path for graphql only); \
                 tcp://HOST:PORT for tcp"
            }
            Self::Address(AddressError::NotLoopback) => "an address such as 127.0.0.1:9901 or [::1]:9901",
            Self::Address(_) => "an address such as 127.0.0.1:10000 or [::]:10000",
            Self::Listen(_) => "unix:PATH, or a loopback address such as 127.0.0.1:18000",
            Self::Duration(_) => "a number and one of ms, s, m, h, such as 30s",
            Self::LogLevel(_) => {
                "a level (error, warn, info, debug, trace), or directives such as info,catalystd=debug"
            }
            Self::Empty => "at least one character",
            Self::Read(_)
            | Self::TooLarge { .. }
            | Self::GivenTwice(_)
            | Self::FlagConflict(_)
            | Self::Ambiguous { .. }
            | Self::Name(_)
            | Self::Tag(_)
            | Self::Duplicate { .. }
            | Self::Differs { .. }
            | Self::NotExecutable
            | Self::Directory(_)
            | Self::Refused(_)
            | Self::AddressInUse(_)
            | Self::AddressUnusable(_)
            | Self::SocketInUse(_)
            | Self::SocketPath(_) => return None,
        };
        Some(text.to_owned())
    }

    /// What to try, given the flag that sets the field.
    fn remedy(&self, flag: Option<&str>) -> Option<String> {
        match self {
            Self::Read(_) => Some(match flag {
                Some(flag) => format!("check the path and its permissions, or name another with {flag}"),
                None => "check the path and its permissions".to_owned(),
            }),
            Self::Syntax { .. } => Some("correct the file there".to_owned()),
            Self::UnknownField { suggestion, .. } | Self::NotAllowed { suggestion, .. } => {
                suggestion.as_ref().map(|meant| format!("did you mean `{meant}`?"))
            }
            Self::Missing { .. } => flag.map(|flag| format!("add it to the file, or give {flag}")),
            Self::NotKeyValue(_) => Some("write a value that holds a comma as a JSON object".to_owned()),
            Self::FlagConflict(other) => Some(format!("say all of it in {other}")),
            Self::Ambiguous { .. } => {
                Some("change the file, or give the whole list by --trusted-issuer".to_owned())
            }
            Self::SocketPath(_) => Some("choose a shorter directory with --run-dir".to_owned()),
            Self::NotExecutable => flag.map(|flag| format!("name the program with {flag}")),
            Self::Directory(_) => {
                flag.map(|flag| format!("name a directory that this user may write with {flag}"))
            }
            Self::Refused(_) => Some("correct the file".to_owned()),
            Self::AddressInUse(_) => Some(match flag {
                Some(flag) => format!("stop that program, or choose another address with {flag}"),
                None => "stop that program, or choose another address".to_owned(),
            }),

            Self::AddressUnusable(_) => flag.map(|flag| format!("choose another with {flag}")),
            Self::SocketInUse(_) => Some("stop that daemon, or give this one another --run-dir".to_owned()),
            Self::KeySetUrl(KeySetUrlError::Plain) => {
                Some("use https, or set jwks_private for an issuer inside your own network".to_owned())
            }
            Self::Differs { .. } => Some("give every issuer the same audiences".to_owned()),
            Self::Duplicate { .. } => Some("change one of the two, or leave one out".to_owned()),
            Self::TooLarge { .. }
            | Self::WrongType { .. }
            | Self::OutOfBounds { .. }
            | Self::Length { .. }
            | Self::GivenTwice(_)
            | Self::Name(_)
            | Self::Issuer(_)
            | Self::KeySetUrl(_)
            | Self::Url(_)
            | Self::Address(_)
            | Self::Listen(_)
            | Self::Duration(_)
            | Self::Tag(_)
            | Self::LogLevel(_)
            | Self::Empty => flag.map(|flag| format!("correct it, or override it with {flag}")),
        }
    }
}

fn holder(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => format!(" by `{}` (process {})", holder.name(), holder.pid),
        None => " by a program that this user may not see".to_owned(),
    }
}

/// The path in the filter's configuration, which an operator does not write, says nothing to him.
fn without_path(error: &catalyst_authz::config::ConfigError) -> String {
    let text = error.to_string();
    text.strip_prefix(&format!("{}: ", error.path())).unwrap_or(&text).to_owned()
}

/// Longest piece of a value that is quoted back, in characters; the rest is left out.
const MAX_QUOTED: usize = 100;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, path, value, fault, flag } = self;
        match source {
            Source::Default => {}
            Source::File(file) => write!(f, "{}: ", file.display())?,
            Source::Flag(flag) => write!(f, "{flag}: ")?,
        }
        if !path.segments().is_empty() {
            write!(f, "{path}: ")?;
        }
        if let Some(value) = value {
            let cut: String = value.chars().take(MAX_QUOTED).collect();
            let more = if cut.len() < value.len() { "…" } else { "" };
            write!(f, "`{cut}{more}`: ")?;
        }
        write!(f, "{fault}")?;
        if let Some(expected) = fault.expected() {
            write!(f, "\n  expected: {expected}")?;
        }
        // Whoever used the flag knows it.
        let flag = flag.as_deref().filter(|_| !matches!(source, Source::Flag(_)));
        if let Some(remedy) = fault.remedy(flag) {
            write!(f, "\n  try: {remedy}")?;
        }
        Ok(())
    }
}
