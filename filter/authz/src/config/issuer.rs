//! One trusted issuer.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Source;
use crate::jose::Algorithm;

/// A trusted issuer, its keys, and how its tokens are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` of its tokens, compared byte by byte.
    pub issuer: String,
    /// The organisation it speaks for, a DNS name.
    pub organisation: String,
    /// What its subjects are to the policies.
    #[serde(default)]
    pub principal: PrincipalKind,
    /// The signature algorithms it may use. Name only those it does use (RFC 8725, 3.1).
    #[serde(default = "default_algorithms")]
    pub algorithms: BTreeSet<Algorithm>,
    /// Its key set (RFC 7517). Without one its tokens are denied as `keys_unavailable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Source>,
    /// When the key set was last fetched or confirmed, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<u64>,
    /// For how long after `fetched_at` the key set serves, in seconds. Later its tokens are denied as
    /// `keys_stale`. Needs `fetched_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_stale_seconds: Option<u64>,
    /// Which `typ` its tokens must have.
    #[serde(default)]
    pub token_type: TokenType,
    /// The claim that lists the subject's groups: an array of strings, or one string.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// What it has taken back.
    #[serde(default)]
    pub revoked: Revocations,
}

impl IssuerConfig {
    /// An issuer with every setting at its default and no keys yet.
    pub fn new(issuer: impl Into<String>, organisation: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            organisation: organisation.into(),
            principal: PrincipalKind::default(),
            algorithms: default_algorithms(),
            jwks: None,
            fetched_at: None,
            max_stale_seconds: None,
            token_type: TokenType::default(),
            groups_claim: default_groups_claim(),
            revoked: Revocations::default(),
        }
    }
}

fn default_algorithms() -> BTreeSet<Algorithm> {
    BTreeSet::from([Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa])
}

fn default_groups_claim() -> String {
    "groups".to_owned()
}

/// The Cedar entity type of an issuer's subjects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// `Catalyst::User`.
    #[default]
    User,
    /// `Catalyst::Node`.
    Node,
    /// `Catalyst::Service`.
    Service,
}

/// Which `typ` header a token must carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TokenType {
    /// Any `typ` or none.
    #[default]
    #[serde(rename = "any")]
    Any,
    /// `at+jwt` or `application/at+jwt` (RFC 9068, 2.1): keeps ID tokens and the like from being used for access.
    #[serde(rename = "at+jwt")]
    AccessToken,
}

/// Tokens and subjects that are denied although their tokens verify. At most 100,000 of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Revocations {
    /// By `jti`.
    pub tokens: BTreeSet<String>,
    /// By `sub`.
    pub subjects: BTreeSet<String>,
}

/// The most revoked tokens, and the most revoked subjects, of one issuer. More is refused as a configuration.
pub const MAX_REVOCATIONS: usize = 100_000;
