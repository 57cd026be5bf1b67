//! The configuration as it is written: in a file, or by flags.
//!
//! This is the one list of fields. The JSON Schema, the flags with their help, the defaults and the check of what was
//! written are all made from it (see [`super::shape`]), so that a field added here is at once a field of the file and
//! a flag. It has to be parsed in [`super::resolve`] to have an effect.
//!
//! Extensions of the schema used here: `x-flag` names the flag where the path (`a.b_c` → `--a-b-c`) is not the best
//! name; `x-value` is the placeholder of the value in `--help`; `default` is used when nothing was given.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Access, Algorithm, LogFormat};

/// The configuration of a Catalyst node. Relative paths are relative to the directory of this file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "catalystd")]
pub(super) struct RawConfig {
    /// Where the JSON Schema of this file is; for editors only.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-flag" = false))]
    pub(super) schema: Option<String>,
    #[serde(default)]
    pub(super) node: RawNode,
    #[serde(default)]
    pub(super) ingress: RawIngress,
    #[serde(default)]
    pub(super) egress: RawEgress,
    /// The services that this node offers; by flags, one each.
    #[schemars(length(max = 10_000), extend("x-flag" = "service", "default" = []))]
    pub(super) services: Option<Vec<RawService>>,
    #[serde(default)]
    pub(super) auth: RawAuth,
    #[serde(default)]
    pub(super) envoy: RawEnvoy,
    #[serde(default)]
    pub(super) gateway: RawGateway,
    #[serde(default)]
    pub(super) xds: RawXds,
    #[serde(default)]
    pub(super) log: RawLog,
    /// Directory of what must survive a restart [default: NODE_ID.catalyst in the working directory].
    #[schemars(extend("x-value" = "DIR"))]
    pub(super) state_dir: Option<String>,
    /// Directory of sockets and other things of one run [default: run in the state directory].
    #[schemars(extend("x-value" = "DIR"))]
    pub(super) run_dir: Option<String>,
}

/// Who this node is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNode {
    /// Name of this node, unique in its organisation, such as edge-1.
    #[schemars(extend("x-value" = "NAME"))]
    pub(super) id: Option<String>,
    /// The node's organisation, a DNS name such as acme.example.
    #[schemars(extend("x-flag" = "org", "x-value" = "DOMAIN"))]
    pub(super) org: Option<String>,
}

/// Where clients enter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIngress {
    /// Where Envoy listens for clients.
    #[schemars(extend("x-value" = "IP:PORT", "default" = "127.0.0.1:10000"))]
    pub(super) address: Option<String>,
}

/// Where this node's own calls to services leave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEgress {
    /// Where Envoy listens for the gateway's calls; a loopback address.
    #[schemars(extend("x-value" = "IP:PORT", "default" = "127.0.0.1:10001"))]
    pub(super) address: Option<String>,
}

/// A service that this node offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    /// Name under the node's organisation: `books` stands for `books.acme.example`.
    pub(super) name: Option<String>,
    /// What the service speaks.
    pub(super) protocol: Option<RawProtocol>,
    /// Where it listens: http(s)://HOST[:PORT] (with a path for graphql, else /graphql), or tcp://HOST:PORT.
    pub(super) url: Option<String>,
    /// Free words for policies to refer to.
    #[schemars(length(max = 32), extend("default" = []))]
    pub(super) tags: Option<Vec<String>>,
    /// Who may call it: anybody, any valid token, or whom the policies permit.
    #[schemars(extend("default" = "policy"))]
    pub(super) access: Option<Access>,
}

/// What a service speaks, as the configuration spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawProtocol {
    Graphql,
    Http,
    Grpc,
    Tcp,
}

/// Whose tokens are accepted and what they allow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAuth {
    /// The trusted issuers of tokens; by flags, one each. For a single one the flags below are shorter.
    #[schemars(length(max = 64), extend("x-flag" = "trusted-issuer", "default" = []))]
    pub(super) issuers: Option<Vec<RawIssuer>>,
    /// Tolerated difference of clocks when a token's times are checked, at most 5m.
    #[schemars(extend("x-value" = "TIME", "default" = "30s"))]
    pub(super) leeway: Option<String>,
    /// Files of Cedar policies; by flags, one each. Without any, a valid token may call any service.
    #[schemars(length(max = 1024), extend("x-flag" = "policy", "x-value" = "FILE", "default" = []))]
    pub(super) policies: Option<Vec<String>>,
}

/// A trusted issuer of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    /// The exact `iss` of the issuer's tokens.
    #[schemars(extend("x-flag" = "issuer", "x-value" = "URL"))]
    pub(super) issuer: Option<String>,
    /// The organisation whose users the issuer names [default: the node's].
    #[schemars(extend("x-flag" = "issuer-organisation", "x-value" = "DOMAIN"))]
    pub(super) organisation: Option<String>,
    /// The issuer's public keys (a JSON Web Key Set): a file, which is watched, or an https URL, which is followed.
    #[schemars(extend("x-flag" = "jwks", "x-value" = "FILE|URL"))]
    pub(super) jwks: Option<String>,
    /// How long keys from a URL serve while the issuer does not confirm them, at most 720h; then its tokens are denied.
    #[schemars(extend("x-flag" = "jwks-max-stale", "x-value" = "TIME", "default" = "24h"))]
    pub(super) jwks_max_stale: Option<String>,
    /// Whether keys may be fetched from private and link-local addresses, and over plain HTTP.
    #[schemars(extend("x-flag" = "jwks-private", "default" = false))]
    pub(super) jwks_private: Option<bool>,
    /// What a token's `aud` must name, one of several; by flags, one each.
    #[schemars(length(min = 1, max = 64))]
    #[schemars(extend("x-flag" = "audience", "x-value" = "TEXT", "default" = ["catalyst"]))]
    pub(super) audiences: Option<Vec<String>>,
    /// The signature algorithms that are accepted; by flags, one each.
    #[schemars(length(min = 1, max = 9))]
    #[schemars(extend("x-flag" = "algorithm", "x-value" = "ALG"))]
    #[schemars(extend("default" = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]))]
    pub(super) algorithms: Option<Vec<Algorithm>>,
}

/// The Envoy that carries the traffic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnvoy {
    /// Whether Envoy is started and watched by the daemon; if not, its bootstrap is printed.
    #[schemars(extend("default" = true))]
    pub(super) manage: Option<bool>,
    /// The Envoy binary [default: envoy beside catalystd, or else in PATH].
    #[schemars(extend("x-value" = "FILE"))]
    pub(super) bin: Option<String>,
    /// Where Envoy's admin interface listens; a loopback address.
    #[schemars(extend("x-value" = "IP:PORT", "default" = "127.0.0.1:9901"))]
    pub(super) admin_address: Option<String>,
    /// The filter module [default: libcatalyst_filter.so beside catalystd].
    #[schemars(extend("x-value" = "FILE"))]
    pub(super) filter: Option<String>,
    /// File of Envoy's log [default: standard error].
    #[schemars(extend("x-value" = "FILE"))]
    pub(super) log: Option<String>,
    /// How long Envoy may finish requests before it is ended, at most 1h.
    #[schemars(extend("x-value" = "TIME", "default" = "10s"))]
    pub(super) drain_time: Option<String>,
    /// Worker threads of Envoy [default: one for each core].
    #[schemars(range(min = 1, max = 1024))]
    pub(super) concurrency: Option<NonZeroU32>,
}

/// The GraphQL gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGateway {
    /// Whether the GraphQL services are federated, at /graphql of ingress.
    #[schemars(extend("default" = true))]
    pub(super) enabled: Option<bool>,
    /// Whether a browser is given GraphiQL.
    #[schemars(extend("default" = true))]
    pub(super) graphiql: Option<bool>,
    #[serde(default)]
    pub(super) limits: RawLimits,
}

/// What one request to the gateway may cost; one beyond a limit is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    /// Bytes of a request's body.
    #[schemars(range(min = 1, max = 1_073_741_824_u64), extend("x-value" = "BYTES", "default" = 1_048_576))]
    pub(super) body_bytes: Option<usize>,
    /// How deep the fields of an operation may nest.
    #[schemars(range(min = 1, max = 150), extend("default" = 50))]
    pub(super) depth: Option<usize>,
    /// Fields of an operation.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = 10_000))]
    pub(super) fields: Option<usize>,
    /// Aliases of an operation.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 500))]
    pub(super) aliases: Option<usize>,
    /// Requests to services that one operation may cause.
    #[schemars(range(min = 1, max = 100_000), extend("default" = 200))]
    pub(super) fetches: Option<usize>,
    /// How long one request to a service may take, at most 1h.
    #[schemars(extend("x-value" = "TIME", "default" = "30s"))]
    pub(super) fetch_time: Option<String>,
    /// How long an operation may take as a whole, at most 1h.
    #[schemars(extend("x-value" = "TIME", "default" = "1m"))]
    pub(super) operation_time: Option<String>,
    /// Bytes of one service's answer.
    #[schemars(range(min = 1, max = 1_073_741_824_u64), extend("x-value" = "BYTES", "default" = 67_108_864))]
    pub(super) subgraph_response_bytes: Option<usize>,
    /// Bytes of the answer's data.
    #[schemars(range(min = 1, max = 1_073_741_824_u64), extend("x-value" = "BYTES", "default" = 67_108_864))]
    pub(super) response_bytes: Option<usize>,
}

/// The xDS server that feeds Envoy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawXds {
    /// Where it listens: unix:FILE or a loopback address [default: unix:xds.sock in the run directory].
    #[schemars(extend("x-value" = "ADDRESS"))]
    pub(super) listen: Option<String>,
}

/// The daemon's own log, on standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    /// Lines for people, or one JSON object in each line.
    #[schemars(extend("default" = "text"))]
    pub(super) format: Option<LogFormat>,
    /// What is logged, such as `info` or `info,catalystd::xds=debug`.
    #[schemars(extend("x-value" = "LEVEL", "default" = "info"))]
    pub(super) level: Option<String>,
}
