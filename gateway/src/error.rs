//! Errors as GraphQL clients see them.

use serde::Serialize;
use serde_json::value::RawValue;

/// How many errors a response carries at most. Further ones are counted in one last error.
pub(crate) const MAX_ERRORS: usize = 100;

/// What kind of fault an error tells of: `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The request is no GraphQL request.
    BadRequest,
    /// The query is no GraphQL document.
    GraphqlParseFailed,
    /// The query does not fit the schema.
    GraphqlValidationFailed,
    /// The query exceeds a limit of the gateway.
    LimitExceeded,
    /// Variables do not fit their definitions.
    BadUserInput,
    /// No operation of that name, or none given where there are several.
    OperationResolutionFailure,
    /// The operation can't be planned or run here.
    OperationNotSupported,
    /// A subgraph did not answer, or answered with something else than GraphQL.
    SubgraphRequestFailed,
    /// A subgraph answered with an error of its own that has no code.
    DownstreamServiceError,
    /// The operation asks for the schema, which is off.
    IntrospectionDisabled,
    /// Nothing is known by the hash that was sent for a query.
    PersistedQueryNotFound,
    /// The operation is not among those that are answered.
    OperationNotListed,
    /// A web page of another site may have sent the request.
    CrossSiteRequest,
    /// Subgraphs' data does not fit the schema.
    InvalidSubgraphData,
    /// The response would be larger than the gateway allows.
    ResponseTooLarge,
    /// The gateway is at fault.
    InternalServerError,
}

/// One entry of `errors`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GraphqlError {
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) locations: Vec<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Vec<PathItem>>,
    pub(crate) extensions: Extensions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Location {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum PathItem {
    Field(Box<str>),
    Index(usize),
}

/// `extensions` of an error.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Extensions {
    Own {
        code: Code,
        #[serde(skip_serializing_if = "Option::is_none")]
        service: Option<Box<str>>,
    },
    /// A subgraph's own, with its name.
    Subgraph(Box<serde_json::Map<String, serde_json::Value>>),
}

impl GraphqlError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            locations: Vec::new(),
            path: None,
            extensions: Extensions::Own { code, service: None },
        }
    }

    pub(crate) fn at(mut self, line: usize, column: usize) -> Self {
        self.locations.push(Location { line, column });
        self
    }

    pub(crate) fn with_path(mut self, path: Vec<PathItem>) -> Self {
        self.path = Some(path);
        self
    }

    pub(crate) fn of_subgraph(mut self, name: &str) -> Self {
        match &mut self.extensions {
            Extensions::Own { service, .. } => *service = Some(name.into()),
            Extensions::Subgraph(extensions) => {
                extensions.insert("service".to_owned(), name.into());
            }
        }
        self
    }
}

/// Appends `error` unless the bound is reached.
pub(crate) fn push_bounded(errors: &mut Vec<GraphqlError>, error: GraphqlError) {
    match errors.len() {
        0..MAX_ERRORS => errors.push(error),
        MAX_ERRORS => errors.push(GraphqlError::new(
            Code::SubgraphRequestFailed,
            format!("there are more errors; a response carries {MAX_ERRORS}"),
        )),
        _ => {}
    }
}

/// An error as a subgraph sent it.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct SubgraphError {
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) path: Option<Vec<SubgraphPathItem>>,
    #[serde(default)]
    pub(crate) extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A segment of a path that a subgraph sent; what is neither name nor index ends the useful part.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum SubgraphPathItem {
    Field(Box<str>),
    Index(usize),
    Other(serde::de::IgnoredAny),
}

impl SubgraphError {
    /// Reads `errors` of an answer. What is no list of errors counts as one error of unknown content.
    pub(crate) fn read(json: &[u8]) -> Vec<Self> {
        serde_json::from_slice::<Vec<Box<RawValue>>>(json).map_or_else(
            |_| vec![Self { message: None, path: None, extensions: None }],
            |errors| {
                errors
                    .iter()
                    .take(MAX_ERRORS + 1)
                    .map(|error| {
                        serde_json::from_str(error.get()).unwrap_or(Self {
                            message: None,
                            path: None,
                            extensions: None,
                        })
                    })
                    .collect()
            },
        )
    }
}
