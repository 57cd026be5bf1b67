//! The parameters of a GraphQL request.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Code, GraphqlError};

/// A request by POST or GET.
#[derive(Debug)]
pub(super) struct GraphqlRequest<'a> {
    pub(super) query: Option<Cow<'a, str>>,
    pub(super) operation_name: Option<Cow<'a, str>>,
    pub(super) variables: Option<&'a RawValue>,
    /// `extensions.persistedQuery.sha256Hash`.
    pub(super) hash: Option<Cow<'a, str>>,
}

/// The extensions that the gateway knows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions<'a> {
    #[serde(borrow, default)]
    persisted_query: Option<PersistedQuery<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery<'a> {
    version: u32,
    #[serde(borrow)]
    sha256_hash: Cow<'a, str>,
}

/// The members of a JSON body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow, default)]
    query: Option<Text<'a>>,
    #[serde(borrow, default)]
    operation_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    variables: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

/// A string that is borrowed where it has no escapes, which `Option<Cow<str>>` would not be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The parameters of a URL.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    pub(super) query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Box<str>>,
    extensions: Option<Box<str>>,
}

fn bad(message: impl Into<String>) -> Box<GraphqlError> {
    Box::new(GraphqlError::new(Code::BadRequest, message))
}

impl<'a> GraphqlRequest<'a> {
    pub(super) fn from_json(body: &'a [u8]) -> Result<Self, Box<GraphqlError>> {
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(bad("batches of requests are not served; send one request at a time"));
        }
        let body: Body<'a> = serde_json::from_slice(body)
            .map_err(|error| bad(format!("the body is no GraphQL request in JSON: {error}")))?;
        Self::new(
            body.query.map(|Text(text)| text),
            body.operation_name.map(|Text(text)| text),
            body.variables,
            body.extensions,
        )
    }

    pub(super) fn from_parameters(parameters: &'a Parameters) -> Result<Self, Box<GraphqlError>> {
        let json = |name: &str, text: &'a Option<Box<str>>| {
            text.as_deref()
                .filter(|text| !text.is_empty())
                .map(|text| {
                    serde_json::from_str::<&RawValue>(text)
                        .map_err(|error| bad(format!("`{name}` is not JSON: {error}")))
                })
                .transpose()
        };
        Self::new(
            parameters.query.as_deref().map(Cow::Borrowed),
            parameters.operation_name.as_deref().filter(|name| !name.is_empty()).map(Cow::Borrowed),
            json("variables", &parameters.variables)?,
            json("extensions", &parameters.extensions)?,
        )
    }

    fn new(
        query: Option<Cow<'a, str>>,
        operation_name: Option<Cow<'a, str>>,
        variables: Option<&'a RawValue>,
        extensions: Option<&'a RawValue>,
    ) -> Result<Self, Box<GraphqlError>> {
        for (name, value) in [("variables", variables), ("extensions", extensions)] {
            if value.is_some_and(|value| !matches!(value.get().as_bytes()[0], b'{' | b'n')) {
                return Err(bad(format!("`{name}` must be an object, or left out")));
            }
        }
        let hash = match extensions.filter(|extensions| extensions.get() != "null") {
            None => None,
            Some(extensions) => {
                serde_json::from_str::<Extensions<'a>>(extensions.get())
                    .map_err(|error| bad(format!("`extensions`: {error}")))?
                    .persisted_query
            }
        };
        if let Some(PersistedQuery { version, .. }) = hash.as_ref().filter(|hash| hash.version != 1) {
            return Err(bad(format!("`extensions.persistedQuery.version` is {version}; it must be 1")));
        }
        let query = query.filter(|query| !query.is_empty());
        Ok(Self { query, operation_name, variables, hash: hash.map(|hash| hash.sha256_hash) })
    }
}
