//! What an operator writes, and how it is checked.
//!
//! [`FilterConfig`] is the whole configuration of one engine: trusted issuers, policy, bounds. [`RouteConfig`]
//! says what one route leads to and who may use it. Both are plain data; [`crate::Engine::new`] and
//! [`crate::Route::new`] check them and name what is wrong by its JSON path.

mod error;
mod issuer;
mod route;
mod source;

pub use error::ConfigError;
pub use issuer::{IssuerConfig, MAX_REVOCATIONS, PrincipalKind, Revocations, TokenType};
pub use route::{Access, ForwardedClaim, Protocol, RouteConfig};
pub use source::Source;

pub(crate) use error::Problem;

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The default policy: whoever was identified may call every service.
pub const DEFAULT_POLICY: &str =
    "permit (principal, action, resource) unless { principal is Catalyst::Anonymous };";

/// Leeway where none is configured, in seconds.
pub const DEFAULT_LEEWAY_SECONDS: u64 = 30;

/// The largest leeway accepted, in seconds: more would make `exp` meaningless.
pub const MAX_LEEWAY_SECONDS: u64 = 300;

/// The configuration of one engine, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FilterConfig {
    /// The realm named in `WWW-Authenticate`. Printable ASCII without `"` and `\`.
    pub realm: String,
    /// Audiences of which a token must name at least one, on every route. A route may add its own. Compared byte
    /// by byte.
    pub audiences: Vec<String>,
    /// How far clocks may differ when `exp`, `nbf` and `iat` are compared, in seconds. At most 300.
    pub leeway_seconds: u64,
    /// Where a request carries its token.
    pub token_source: TokenSource,
    /// The trusted issuers. An `iss` may appear once: it belongs to one organisation.
    pub issuers: Vec<IssuerConfig>,
    /// Claims that policies may read as `principal.claims.NAME`, with their types. A token's claim of another
    /// type is treated as absent.
    pub claims: BTreeMap<String, ClaimType>,
    /// Request headers that policies may read as `context.headers["NAME"]`. Lower case.
    pub context_headers: Vec<String>,
    /// Cedar policies, with the schema and entities that go with them.
    pub policy: PolicyConfig,
    /// Bounds of the caches.
    pub caches: CacheConfig,
    /// The route of requests that carry no [`RouteConfig`] of their own. Without it they are denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_route: Option<RouteConfig>,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self {
            realm: "catalyst".to_owned(),
            audiences: Vec::new(),
            leeway_seconds: DEFAULT_LEEWAY_SECONDS,
            token_source: TokenSource::default(),
            issuers: Vec::new(),
            claims: BTreeMap::new(),
            context_headers: Vec::new(),
            policy: PolicyConfig::default(),
            caches: CacheConfig::default(),
            default_route: None,
        }
    }
}

impl FilterConfig {
    /// Reads a configuration from JSON text.
    ///
    /// # Errors
    /// [`ConfigError`] with the JSON path, line and column of what does not fit. Only the shape is checked here;
    /// the meaning is checked by [`crate::Engine::new`].
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        error::parse(text)
    }

    /// The files this configuration names, in order of appearance, each once. The shell watches them.
    pub fn files(&self) -> Vec<&Path> {
        let mut files: Vec<&Path> = Vec::new();
        for (_, source) in self.sources() {
            if let Source::File(path) = source
                && !files.contains(&path.as_path())
            {
                files.push(path);
            }
        }
        files
    }

    /// Replaces each file by its content, as `read` returns it. [`crate::Engine::new`] takes only resolved
    /// configurations.
    ///
    /// # Errors
    /// [`ConfigError`] naming the JSON path and the file that could not be read.
    pub fn resolve_files(
        mut self,
        mut read: impl FnMut(&Path) -> std::io::Result<String>,
    ) -> Result<Self, ConfigError> {
        for (path, source) in self.sources_mut() {
            let Source::File(file) = source else { continue };
            let text = read(file).map_err(|error| {
                ConfigError::new(
                    path,
                    Problem::UnreadableFile { file: file.clone(), error: error.to_string() },
                )
            })?;
            *source = Source::Inline(text);
        }
        Ok(self)
    }

    fn sources(&self) -> Vec<(String, &Source)> {
        let mut sources = Vec::new();
        for (index, issuer) in self.issuers.iter().enumerate() {
            sources.extend(issuer.jwks.iter().map(|jwks| (format!("issuers[{index}].jwks"), jwks)));
        }
        let PolicyConfig { cedar, schema, entities } = &self.policy;
        sources.push(("policy.cedar".to_owned(), cedar));
        sources.extend(schema.iter().map(|schema| ("policy.schema".to_owned(), schema)));
        sources.extend(entities.iter().map(|entities| ("policy.entities".to_owned(), entities)));
        sources
    }

    fn sources_mut(&mut self) -> Vec<(String, &mut Source)> {
        let mut sources = Vec::new();
        for (index, issuer) in self.issuers.iter_mut().enumerate() {
            sources.extend(issuer.jwks.iter_mut().map(|jwks| (format!("issuers[{index}].jwks"), jwks)));
        }
        let PolicyConfig { cedar, schema, entities } = &mut self.policy;
        sources.push(("policy.cedar".to_owned(), cedar));
        sources.extend(schema.iter_mut().map(|schema| ("policy.schema".to_owned(), schema)));
        sources.extend(entities.iter_mut().map(|entities| ("policy.entities".to_owned(), entities)));
        sources
    }
}

/// Where a request carries its token. Exactly one place is looked at, so that a request cannot offer two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenSource {
    /// `Authorization: Bearer TOKEN` (RFC 6750).
    #[default]
    Authorization,
    /// A header that holds the token alone, without a scheme.
    Header(String),
    /// A cookie that holds the token.
    Cookie(String),
}

impl TokenSource {
    /// The request header, in lower case, whose values the shell hands in as [`crate::Request::credentials`].
    pub fn header(&self) -> &str {
        match self {
            Self::Authorization => "authorization",
            Self::Header(name) => name,
            Self::Cookie(_) => "cookie",
        }
    }
}

/// The Cedar type of a declared claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimType {
    /// A JSON string; `String` in Cedar.
    String,
    /// A JSON number that is an integer of 64 bits; `Long`.
    Long,
    /// `true` or `false`; `Bool`.
    Bool,
    /// An array of strings, or a single string as a set of one; `Set<String>`.
    StringSet,
}

/// Policies and what they are checked and evaluated with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Cedar policies. An `@id("…")` annotation names a policy in denials.
    pub cedar: Source,
    /// Entity types of the operator's own, in Cedar's schema language. The namespace `Catalyst` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Source>,
    /// Entities in Cedar's JSON form: group hierarchies, and parents of users, services and organisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Source>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { cedar: Source::Inline(DEFAULT_POLICY.to_owned()), schema: None, entities: None }
    }
}

/// Bounds of the caches. When one is full, its least used entries go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Verified tokens.
    pub tokens: CacheBounds,
    /// Decisions.
    pub decisions: CacheBounds,
    /// Tokens whose signature was found to be wrong. Apart from the verified ones, so that a flood of forged
    /// tokens evicts none of those.
    pub forged: CacheBounds,
    /// Entries in front of the shared caches that each worker thread keeps for itself. Rounded up to a power of
    /// two. Zero turns it off.
    pub front_entries: u32,
}

/// The largest number of entries one cache may be given.
pub const MAX_CACHE_ENTRIES: u64 = 10_000_000;

/// The largest front a worker may be given.
pub const MAX_FRONT_ENTRIES: u32 = 1 << 20;

impl Default for CacheConfig {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            tokens: CacheBounds { max_entries: 65_536, max_bytes: 64 * MIB },
            decisions: CacheBounds { max_entries: 131_072, max_bytes: 64 * MIB },
            forged: CacheBounds { max_entries: 8_192, max_bytes: 8 * MIB },
            front_entries: 32_768,
        }
    }
}

/// Both bounds hold; the one reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheBounds {
    /// At most this many entries.
    pub max_entries: u64,
    /// At most about this many bytes.
    pub max_bytes: u64,
}
