//! What Envoy's filter is given of the configuration.

use catalyst_authz::config::{FilterConfig, IssuerConfig, PolicyConfig, Source};

use super::inspect::Files;
use super::{Auth, Issuer};

/// The filter's configuration, with the content of the files in it. [`Loaded::read_files`](super::Loaded::read_files)
/// has proved that an engine can be made of it.
pub fn filter_config(auth: &Auth, files: &Files) -> FilterConfig {
    let issuers =
        auth.issuers.iter().zip(&files.jwks).map(|(issuer, jwks)| issuer_config(issuer, jwks)).collect();
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

fn issuer_config(issuer: &Issuer, jwks: &str) -> IssuerConfig {
    let Issuer { issuer, organisation, jwks: _, audiences: _, algorithms } = issuer;
    IssuerConfig {
        algorithms: algorithms.iter().copied().collect(),
        jwks: Some(Source::Inline(jwks.to_owned())),
        ..IssuerConfig::new(issuer.as_str(), organisation.as_str())
    }
}
