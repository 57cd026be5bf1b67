//! One route: the service behind it and who may use it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, error};

/// What a route leads to and who may use it, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// The service, as `books.acme.example`: the resource `Catalyst::Service::"books.acme.example"`.
    pub service: String,
    /// The organisation that owns the service. Without it, what follows the first dot of `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// What the service speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// Who may use it.
    #[serde(default)]
    pub access: Access,
    /// With `access: policy`: a request without a token is put to the policy as `Catalyst::Anonymous` instead of
    /// being denied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// Audiences accepted here beside those of the filter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Claims sent on as headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forward_claims: Vec<ForwardedClaim>,
    /// Groups the service belongs to: `resource in Catalyst::ServiceGroup::"NAME"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Tags of the service: `resource.hasTag("tier") && resource.getTag("tier") == "gold"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl RouteConfig {
    /// A route to `service` with every setting at its default: HTTP, decided by policy.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            organisation: None,
            protocol: Protocol::default(),
            access: Access::default(),
            anonymous: false,
            audiences: Vec::new(),
            forward_claims: Vec::new(),
            groups: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Reads a route's configuration from JSON text.
    ///
    /// # Errors
    /// [`ConfigError`] with the JSON path, line and column of what does not fit.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        error::parse(text)
    }
}

/// What a service speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Plain HTTP.
    #[default]
    Http,
    /// GraphQL over HTTP: the action is the kind of operation where the shell knows it.
    Graphql,
    /// gRPC: the action is `call`.
    Grpc,
    /// A byte stream: the action is `connect`.
    Tcp,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everybody. The identity of a valid token is sent on; a bad token counts as none.
    Public,
    /// Whoever has a valid token. No policy is asked.
    Authenticated,
    /// Whoever the policy permits.
    #[default]
    Policy,
}

/// A claim that is sent on as a header.
///
/// A string is sent as it is, an array of strings joined by commas, anything else as JSON. Bytes outside the
/// visible ASCII range, `%`, and commas inside array items are percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardedClaim {
    /// The claim's name at the top level of the token.
    pub claim: String,
    /// The header's name, in lower case. It is stripped from every client request on this route.
    pub header: String,
}
