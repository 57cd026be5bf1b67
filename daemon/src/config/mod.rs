//! The configuration of a node: where it comes from, and the one parsed form that the rest of the daemon sees.
//!
//! [`Config`] and its parts are the effective configuration: every field parsed, defaulted and made absolute, with
//! units in its types. Each part of the daemon is given only its section.
//!
//! ```text
//! file ──► json ─┐                                                 ┌─► effective: written back, with sources
//!                ├─► document ─► raw ─► resolve ─► Config ─────────┼─► inspect: files read, addresses tried
//! flags ─────────┘   (checked against the shape, merged,           └─► filter: what Envoy's filter is given
//!                     each value with its source)
//! ```
//!
//! [`load`] goes from left to right without touching anything that the configuration names; [`Loaded::read_files`] and
//! [`Loaded::check_addresses`] look at the machine. All of them tell everything that is wrong, as [`Problems`]. The
//! environment is no source of configuration.

mod document;
mod effective;
mod endpoint;
mod filter;
mod flags;
mod holder;
mod inspect;
mod json;
mod load;
mod names;
mod path;
mod problem;
mod raw;
mod resolve;
mod shape;
mod text;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use endpoint::{DEFAULT_GRAPHQL_PATH, Host, Listen, ListenError, Scheme, ServiceUrl, ServiceUrlError};
pub use filter::filter_config;
pub use flags::Flags;
pub use holder::Holder;
pub use inspect::{Files, Keys};
pub(crate) use load::read_bounded;
pub use load::{Loaded, load};
pub use names::{IssuerError, IssuerUrl, KeySetUrlError};
pub use path::JsonPath;
pub use problem::{Fault, Problem, Problems, Source};
pub use resolve::Surroundings;
pub use shape::schema;
pub use text::{AddressError, DurationError, LogLevelError};

pub use catalyst_authz::config::Access;
pub use catalyst_authz::jose::Algorithm;
pub use catalyst_gateway::Limits;
pub use catalyst_routing::name::{NameError, NodeId, OrgName, ServiceName};
pub use catalyst_routing::service::Protocol;

/// The effective configuration of one node. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who this node is.
    pub node: Node,
    /// Where clients enter.
    pub ingress: Ingress,
    /// Where this node's own calls to services leave.
    pub egress: Egress,
    /// Services that this node offers, in the order given; names are unique.
    pub services: Vec<Service>,
    /// Whose tokens are accepted and what they allow.
    pub auth: Auth,
    /// The Envoy that carries the traffic.
    pub envoy: Envoy,
    /// The GraphQL gateway.
    pub gateway: Gateway,
    /// The xDS server that feeds Envoy.
    pub xds: Xds,
    /// The daemon's own log.
    pub log: Log,
    /// What must survive a restart; made at start (mode 0700) if absent.
    pub state_dir: PathBuf,
    /// Sockets and other things of one run; made at start (mode 0700) if absent.
    pub run_dir: PathBuf,
}

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Unique within the organisation.
    pub id: NodeId,
    /// The organisation (trust domain) that the node belongs to.
    pub org: OrgName,
}

/// The listener that clients reach: `:authority` names a service, the path `/graphql` the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingress {
    /// Never port 0.
    pub address: SocketAddr,
}

/// The listeners for calls that start on this node; never reachable from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// The gateway's calls, which carry the client's token. Always a loopback address, never port 0.
    pub address: SocketAddr,
    /// The node's own calls (reading a subgraph's SDL), which have no token: a Unix socket that only the daemon's user
    /// can open. At most [`MAX_SOCKET_PATH`] bytes.
    pub node_socket: PathBuf,
}

/// Longest path of a Unix socket in bytes (`sun_path` less its NUL); a longer one is refused when configured.
pub const MAX_SOCKET_PATH: usize = 107;

/// One local service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Full name, under an organisation; the `:authority` that clients use.
    pub name: ServiceName,
    /// What the service speaks.
    pub protocol: Protocol,
    /// Where the service listens. The scheme fits the protocol; only GraphQL has a path.
    pub url: ServiceUrl,
    /// Free words for policies; sorted, without duplicates.
    pub tags: Vec<String>,
    /// Who may call it.
    pub access: Access,
}

/// Whose tokens are accepted and what they allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Trusted issuers; each `issuer` occurs once, and all have the same audiences. Empty: no token is valid.
    pub issuers: Vec<Issuer>,
    /// Tolerated difference of clocks when `exp`, `nbf` and `iat` are checked; at most five minutes.
    pub leeway: Duration,
    /// Cedar policy files. Empty: any valid token may call any service.
    pub policies: Vec<PathBuf>,
}

/// Where an issuer's key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file, which is watched.
    File(PathBuf),
    /// An `https` or `http` URL, which is followed.
    Url(Url),
}

impl KeySource {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Url(_) => None,
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
}

/// One trusted issuer of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The exact `iss` claim.
    pub issuer: IssuerUrl,
    /// The organisation whose users this issuer names.
    pub organisation: OrgName,
    /// Where the issuer's key set is (RFC 7517).
    pub jwks: KeySource,
    /// For how long a key set that was fetched serves while the issuer does not confirm it; later its tokens are denied.
    pub jwks_max_stale: Duration,
    /// Whether the key set may be fetched from private and link-local addresses, and over plain HTTP.
    pub jwks_private: bool,
    /// A token must name at least one of these in `aud`; sorted, never empty.
    pub audiences: Vec<String>,
    /// Signature algorithms that are accepted from this issuer; never empty.
    pub algorithms: Vec<Algorithm>,
}

/// The Envoy that carries the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envoy {
    /// Whether the daemon starts, watches and ends Envoy itself.
    pub process: EnvoyProcess,
    /// Envoy's admin interface. Always a loopback address, never port 0.
    pub admin_address: SocketAddr,
    /// The filter module (`libcatalyst_filter.so`) that Envoy loads.
    pub filter: PathBuf,
    /// How long Envoy may finish requests in flight before it is ended.
    pub drain_time: Duration,
}

/// Who runs Envoy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvoyProcess {
    /// The daemon does.
    Managed {
        /// The Envoy binary.
        bin: PathBuf,
        /// Where Envoy's own log goes. `None`: to the daemon's standard error.
        log: Option<PathBuf>,
        /// Number of worker threads. `None`: Envoy's choice, one for each core.
        concurrency: Option<NonZeroU32>,
    },
    /// Somebody else does, with the bootstrap that the daemon prints.
    External,
}

/// The GraphQL gateway, reached through ingress at `/graphql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Whether the GraphQL services are federated at all.
    pub enabled: bool,
    /// Whether a browser that opens `/graphql` is given GraphiQL.
    pub graphiql: bool,
    /// What one request may cost.
    pub limits: Limits,
    /// Where the gateway listens for Envoy; at most [`MAX_SOCKET_PATH`] bytes.
    pub socket: PathBuf,
}

/// The xDS server that feeds Envoy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xds {
    /// A Unix socket (by default), or a loopback address.
    pub listen: Listen,
}

/// The daemon's own log, on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// A level, and optionally levels of single modules after it, as `tracing_subscriber`'s `Targets` reads them:
    /// `info` or `info,catalystd::xds=debug`. Known to parse.
    pub level: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object in each line.
    Json,
}

#[cfg(test)]
mod tests;
