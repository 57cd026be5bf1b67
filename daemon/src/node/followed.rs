//! The issuers whose key sets come from a URL.

use catalyst_authz::keys;
use tokio::sync::{mpsc, watch};

use crate::config::{Config, KeySource, Keys};
use crate::jwks::cache::Cache;
use crate::jwks::fetch::{Fetcher, Targets};
use crate::jwks::{Follower, KeySet, follow};

/// Ids of keys that nobody knows, waiting for an issuer's follower; further ones are dropped while it is busy, since
/// one fetch serves them all.
const UNKNOWN_QUEUE: usize = 16;

/// One issuer that is followed for as long as this lives.
pub(super) struct Followed {
    /// Its place among the configured issuers.
    pub(super) index: usize,
    current: watch::Receiver<Option<KeySet>>,
    /// Held so that the follower goes on.
    _unknown: mpsc::Sender<String>,
}

impl Followed {
    /// The last good set, if there ever was one.
    pub(super) fn keys(&self) -> Keys {
        self.current.borrow().clone().map_or(Keys::None, Keys::Fetched)
    }
}

/// Begins to follow every issuer of the configuration that has a URL.
///
/// # Errors
/// The HTTP library cannot start.
pub(super) fn start(config: &Config) -> Result<Vec<Followed>, reqwest::Error> {
    let dir = config.state_dir.join("jwks");
    let mut followed = Vec::new();
    for (index, issuer) in config.auth.issuers.iter().enumerate() {
        let KeySource::Url(url) = &issuer.jwks else { continue };
        let targets = if issuer.jwks_private { Targets::Any } else { Targets::Public };
        let follower = Follower {
            issuer: issuer.issuer.as_str().to_owned(),
            fetcher: Fetcher::new(url.clone(), targets, &[])?,
            max_stale: issuer.jwks_max_stale,
            cache: Cache::new(&dir, issuer.issuer.as_str(), url.as_str()),
            check: key_ids,
        };
        let (unknown, unknown_kids) = mpsc::channel(UNKNOWN_QUEUE);
        let (publish, current) = watch::channel(None);
        tokio::spawn(follow(follower, unknown_kids, publish));
        followed.push(Followed { index, current, _unknown: unknown });
    }
    Ok(followed)
}

/// The ids of a set that the filter will take.
fn key_ids(text: &str) -> Result<Vec<String>, String> {
    let set = keys::KeySet::parse(text).map_err(|error| error.to_string())?;
    Ok(set.keys().iter().filter_map(|key| key.key_id().map(str::to_owned)).collect())
}
