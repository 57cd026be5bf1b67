//! What Envoy's filter is given of the configuration.

use std::time::{SystemTime, UNIX_EPOCH};

use catalyst_authz::config::{FilterConfig, IssuerConfig, PolicyConfig, Source};

use super::inspect::{Files, Keys};
use super::{Auth, Issuer};

/// The filter's configuration, with the content of the files in it. [`Loaded::read_files`](super::Loaded::read_files)
/// has proved that an engine can be made of it.
pub fn filter_config(auth: &Auth, files: &Files) -> FilterConfig {
    let issuers =
        auth.issuers.iter().zip(&files.jwks).map(|(issuer, keys)| issuer_config(issuer, keys)).collect();
    let policy = match files.policies.as_slice() {
        [] => PolicyConfig::default(),
        texts => PolicyConfig { cedar: Source::Inline(texts.join("\n")), ..PolicyConfig::default() },
    };
    FilterConfig {
        // All issuers have the same.
        audiences: auth.issuers.first().map(|issuer| issuer.audiences.clone()).unwrap_or_default(),
        leeway_seconds: auth.leeway.as_secs(),
        issuers,
        policy,
        ..FilterConfig::default()
    }
}

/// Keys of a file are as old as the file says; fetched ones serve as long as the issuer is configured to.
fn issuer_config(issuer: &Issuer, keys: &Keys) -> IssuerConfig {
    let Issuer { issuer, organisation, jwks: _, jwks_max_stale, jwks_private: _, audiences: _, algorithms } =
        issuer;
    let (jwks, fetched_at) = match keys {
        Keys::None => (None, None),
        Keys::File(text) => (Some(text.to_string()), None),
        Keys::Fetched(set) => (Some(set.jwks.to_string()), Some(unix_seconds(set.fetched_at))),
    };
    IssuerConfig {
        algorithms: algorithms.iter().copied().collect(),
        jwks: jwks.map(Source::Inline),
        max_stale_seconds: fetched_at.map(|_| jwks_max_stale.as_secs()),
        fetched_at,
        ..IssuerConfig::new(issuer.as_str(), organisation.as_str())
    }
}

/// A time before 1970 is as old as can be.
fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
