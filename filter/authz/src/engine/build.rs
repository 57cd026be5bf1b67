//! From a configuration to an engine: every value is checked here, and named by its path if it is refused.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use serde::Serialize;
use thread_local::ThreadLocal;

use super::deny_id::DenyIds;
use super::outcome::percent_encoded;
use super::trust::{Issuer, Profile, Signer, Trust};
use super::{Engine, Outcome};
use crate::cache::{Caches, PolicyDigest};
use crate::cedar::{Policies, Texts, Verdict};
use crate::config::{
    ConfigError, FilterConfig, IssuerConfig, MAX_CACHE_ENTRIES, MAX_FRONT_ENTRIES, MAX_LEEWAY_SECONDS,
    MAX_REVOCATIONS, Problem, Source, TokenSource,
};
use crate::jose::jwk::Jwk;
use crate::keys::KeySet;
use crate::request::Timestamp;
use crate::route::{self, Route};

/// The most issuers, audiences, declared claims and context headers of one configuration, each.
pub(super) const MAX_ENTRIES: usize = 4096;

pub(super) fn engine(config: &FilterConfig, caches: &Caches) -> Result<Engine, ConfigError> {
    check_realm(&config.realm)?;
    check_bounds(config)?;
    check_names(config)?;
    let default_route = match &config.default_route {
        None => None,
        Some(route) => Some(Route::new(route).map_err(|error| error.within("default_route"))?),
    };
    let caches = caches.of_bounds(&config.caches);
    Ok(Engine {
        realm: Arc::from(config.realm.as_str()),
        token_source: config.token_source.clone(),
        context_headers: config.context_headers.clone(),
        declared_claims: config.claims.clone(),
        trust: trust(config)?,
        policies: policies(config)?,
        default_route,
        deny_ids: DenyIds::default(),
        decisions: caches.decisions(&policy_digest(config)),
        fronts: ThreadLocal::new(),
        nobody: Arc::new(Outcome::anonymous(Verdict::Permit(Arc::from([])), &[])),
        caches,
    })
}

/// The realm is quoted in a header as it is.
fn check_realm(realm: &str) -> Result<(), ConfigError> {
    let printable = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'"' && byte != b'\\';
    if !realm.is_empty() && realm.len() <= 256 && realm.bytes().all(printable) {
        return Ok(());
    }
    let expected = "1 to 256 characters of printable ASCII without `\"` and `\\`";
    Err(ConfigError::new("realm", Problem::Invalid { value: realm.to_owned(), expected }))
}

fn check_bounds(config: &FilterConfig) -> Result<(), ConfigError> {
    let caches = &config.caches;
    let counts = [
        ("leeway_seconds", config.leeway_seconds, MAX_LEEWAY_SECONDS),
        ("issuers", config.issuers.len() as u64, MAX_ENTRIES as u64),
        ("audiences", config.audiences.len() as u64, MAX_ENTRIES as u64),
        ("claims", config.claims.len() as u64, MAX_ENTRIES as u64),
        ("context_headers", config.context_headers.len() as u64, MAX_ENTRIES as u64),
        ("caches.tokens.max_entries", caches.tokens.max_entries, MAX_CACHE_ENTRIES),
        ("caches.decisions.max_entries", caches.decisions.max_entries, MAX_CACHE_ENTRIES),
        ("caches.forged.max_entries", caches.forged.max_entries, MAX_CACHE_ENTRIES),
        ("caches.front_entries", u64::from(caches.front_entries), u64::from(MAX_FRONT_ENTRIES)),
    ];
    for (path, found, limit) in counts {
        if found > limit {
            return Err(ConfigError::new(path, Problem::TooMany { found, limit }));
        }
    }
    let guards = config.default_route.is_none() || !config.issuers.is_empty();
    if config.audiences.is_empty() && guards && !config.issuers.is_empty() {
        let hint = "name the audience that tokens for this node carry in `aud`";
        return Err(ConfigError::new("audiences", Problem::Empty { hint }));
    }
    Ok(())
}

fn check_names(config: &FilterConfig) -> Result<(), ConfigError> {
    match &config.token_source {
        TokenSource::Authorization => {}
        TokenSource::Header(name) | TokenSource::Cookie(name) => {
            let cookie = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            let (valid, expected) = match &config.token_source {
                TokenSource::Cookie(name) => {
                    (!name.is_empty() && name.bytes().all(cookie), "the name of a cookie")
                }
                TokenSource::Header(_) | TokenSource::Authorization => {
                    (route::is_header_name(name) && name != "cookie", "a header name in lower case")
                }
            };
            if !valid {
                let problem = Problem::Invalid { value: name.clone(), expected };
                return Err(ConfigError::new("token_source", problem));
            }
        }
    }
    for name in config.claims.keys() {
        let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'"' && byte != b'\\';
        if name.is_empty() || !name.bytes().all(plain) {
            let expected = "a claim's name in printable ASCII without `\"` and `\\`";
            return Err(ConfigError::new("claims", Problem::Invalid { value: name.clone(), expected }));
        }
    }
    for (index, name) in config.context_headers.iter().enumerate() {
        let path = format!("context_headers[{index}]");
        if !route::is_header_name(name) {
            let expected = "a header name in lower case";
            return Err(ConfigError::new(path, Problem::Invalid { value: name.clone(), expected }));
        }
        if config.context_headers[..index].contains(name) {
            let problem = Problem::Duplicate { value: name.clone(), hint: "name each header once" };
            return Err(ConfigError::new(path, problem));
        }
    }
    Ok(())
}

fn trust(config: &FilterConfig) -> Result<Trust, ConfigError> {
    let mut issuers = HashMap::new();
    for (index, configured) in config.issuers.iter().enumerate() {
        let path = format!("issuers[{index}]");
        let built = issuer(configured).map_err(|error| error.within(&path))?;
        if issuers.insert(Box::from(configured.issuer.as_str()), built).is_some() {
            let hint = "an issuer belongs to one organisation and is configured once";
            let problem = Problem::Duplicate { value: configured.issuer.clone(), hint };
            return Err(ConfigError::new(format!("{path}.issuer"), problem));
        }
    }
    Ok(Trust { issuers, audiences: config.audiences.clone(), leeway: config.leeway_seconds })
}

fn issuer(config: &IssuerConfig) -> Result<Issuer, ConfigError> {
    // `|` separates issuer and subject in Cedar's entity ids; without it in the issuer, no two pairs share one.
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'|';
    if config.issuer.is_empty() || config.issuer.len() > 1024 || !config.issuer.bytes().all(plain) {
        let expected = "the exact `iss` of its tokens, visible ASCII without `|`";
        return Err(ConfigError::new("issuer", Problem::Invalid { value: config.issuer.clone(), expected }));
    }
    route::check_name("organisation", &config.organisation)?;
    if config.algorithms.is_empty() {
        let hint = "name the algorithms that its tokens are signed with, such as `ES256`";
        return Err(ConfigError::new("algorithms", Problem::Empty { hint }));
    }
    if config.groups_claim.is_empty() {
        let hint = "name the claim that lists groups; `groups` is usual";
        return Err(ConfigError::new("groups_claim", Problem::Empty { hint }));
    }
    for (path, found) in
        [("revoked.tokens", config.revoked.tokens.len()), ("revoked.subjects", config.revoked.subjects.len())]
    {
        if found > MAX_REVOCATIONS {
            let problem = Problem::TooMany { found: found as u64, limit: MAX_REVOCATIONS as u64 };
            return Err(ConfigError::new(path, problem));
        }
    }
    let serves_until = match (config.fetched_at, config.max_stale_seconds) {
        (Some(fetched_at), Some(max_stale)) => {
            Some(Timestamp::from_unix_seconds(fetched_at.saturating_add(max_stale)))
        }
        (Some(_), None) | (None, None) => None,
        (None, Some(_)) => {
            let conflict = "`max_stale_seconds` counts from `fetched_at`, which is missing";
            return Err(ConfigError::new("max_stale_seconds", Problem::Conflict(conflict)));
        }
    };
    let keys = match &config.jwks {
        None => None,
        Some(source) => {
            let text = text("jwks", source)?;
            Some(KeySet::parse(text).map_err(|error| ConfigError::new("jwks", Problem::Jwks(error)))?)
        }
    };
    let profile = Profile {
        name: Arc::from(config.issuer.as_str()),
        name_header: percent_encoded(&config.issuer, |_| false).into_boxed_str(),
        organisation: Box::from(config.organisation.as_str()),
        principal: config.principal,
        groups_claim: config.groups_claim.clone(),
        settings: settings(config),
    };
    let profile = Arc::new(profile);
    let signer = |key: &Jwk| Arc::new(Signer { profile: Arc::clone(&profile), key: *key.fingerprint() });
    let signers = keys.iter().flat_map(|keys: &KeySet| keys.keys()).map(signer).collect();
    Ok(Issuer {
        signers,
        profile,
        algorithms: config.algorithms.clone(),
        keys,
        serves_until,
        token_type: config.token_type,
        revoked_tokens: config.revoked.tokens.iter().cloned().collect(),
        revoked_subjects: config.revoked.subjects.iter().cloned().collect(),
    })
}

/// Identifies everything that decides which of an issuer's tokens are accepted and what they mean, but for the keys
/// and what is revoked, which are looked at anew.
fn settings(config: &IssuerConfig) -> [u8; 32] {
    let IssuerConfig {
        issuer,
        organisation,
        principal,
        algorithms,
        token_type,
        groups_claim,
        jwks: _,
        fetched_at: _,
        max_stale_seconds: _,
        revoked: _,
    } = config;
    digest_of(&(issuer, organisation, principal, algorithms, token_type, groups_claim))
}

/// Identifies everything that decisions about a verified token depend on beside the request and its route.
fn policy_digest(config: &FilterConfig) -> PolicyDigest {
    digest_of(&(&config.policy, &config.claims, &config.context_headers))
}

fn digest_of(value: &impl Serialize) -> [u8; 32] {
    let canonical = serde_json::to_vec(value).expect("texts, lists and maps with texts as keys serialize");
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, &canonical).as_ref());
    bytes
}

fn policies(config: &FilterConfig) -> Result<Policies, ConfigError> {
    let policy = &config.policy;
    let optional = |path, source: &Option<Source>| match source {
        None => Ok(None),
        Some(source) => text(path, source).map(|text| Some(text.to_owned())),
    };
    let schema = optional("policy.schema", &policy.schema)?;
    let entities = optional("policy.entities", &policy.entities)?;
    let texts = Texts {
        policies: text("policy.cedar", &policy.cedar)?,
        schema: schema.as_deref(),
        entities: entities.as_deref(),
    };
    Policies::load(texts, &config.claims, &config.context_headers).map_err(|error| {
        let path = error.config_path();
        ConfigError::new(path, Problem::Policy(error))
    })
}

fn text<'c>(path: &str, source: &'c Source) -> Result<&'c str, ConfigError> {
    source.text().ok_or_else(|| {
        ConfigError::new(path, Problem::UnresolvedFile { file: source.describe().into_owned() })
    })
}
