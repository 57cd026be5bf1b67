//! The task that keeps one issuer's key set fresh.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderValue;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::cache::{Cache, whole_second};
use super::fetch::{FetchError, Fetched, Fetcher};
use super::schedule::Schedule;

/// A key set, and when the issuer last said that it is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// The set as the issuer sent it (RFC 7517).
    pub jwks: Arc<str>,
    /// To the second.
    pub fetched_at: SystemTime,
}

/// Looks at a key set as strictly as the filter will; gives the `kid`s of its keys, or what is wrong with it.
pub type Check = fn(&str) -> Result<Vec<String>, String>;

/// What is needed to follow one issuer.
#[derive(Debug)]
pub struct Follower {
    /// The issuer's `iss`, for the log.
    pub issuer: String,
    /// Where its key set is.
    pub fetcher: Fetcher,
    /// How long the filter uses a set that the issuer does not confirm. It is asked at least twice in that time,
    /// however long it says that its set is fresh.
    pub max_stale: Duration,
    /// Where the last good one is kept.
    pub cache: Cache,
    /// Decides whether a set is good; a bad one changes nothing.
    pub check: Check,
}

/// Follows one issuer until the sender of `unknown` is gone. `unknown` brings the `kid`s of tokens that the filter had no
/// key for; every good set, the cached one first, goes to `publish`.
pub async fn follow(
    follower: Follower,
    mut unknown: mpsc::Receiver<String>,
    publish: watch::Sender<Option<KeySet>>,
) {
    let mut current = Current { follower, publish, set: None, kids: Vec::new(), etag: None };
    current.load();
    let mut schedule = Schedule::new(Instant::now(), current.kids.iter().cloned());
    let mut fetching: Option<JoinHandle<Result<Fetched, FetchError>>> = None;
    loop {
        let due = schedule.deadline().map(tokio::time::Instant::from_std);
        tokio::select! {
            kid = unknown.recv() => match kid {
                Some(kid) => schedule.unknown_kid(&kid, Instant::now()),
                None => break,
            },
            () = async { tokio::time::sleep_until(due.expect("checked by the branch")).await }, if due.is_some() => {
                if schedule.begin(Instant::now()) {
                    let (fetcher, etag) = (current.follower.fetcher.clone(), current.etag.clone());
                    fetching = Some(tokio::spawn(async move { fetcher.fetch(etag.as_ref()).await }));
                }
            }
            ended = async { fetching.as_mut().expect("checked by the branch").await }, if fetching.is_some() => {
                fetching = None;
                let jitter = fastrand::f64();
                match ended.map_err(|error| error.to_string()).and_then(|fetched| current.take(fetched)) {
                    Ok(lifetime) => {
                        schedule.fetched(lifetime, current.kids.iter().cloned(), Instant::now(), jitter);
                    }
                    Err(error) => {
                        warn!(issuer = current.follower.issuer, error, "the key set could not be fetched; the last good one serves until it is too old");
                        schedule.failed(Instant::now(), jitter);
                    }
                }
            }
        }
    }
    if let Some(fetching) = fetching {
        fetching.abort();
    }
}

struct Current {
    follower: Follower,
    publish: watch::Sender<Option<KeySet>>,
    set: Option<KeySet>,
    kids: Vec<String>,
    etag: Option<HeaderValue>,
}

impl Current {
    fn load(&mut self) {
        match self.follower.cache.load() {
            Ok(Some(KeySet { jwks, fetched_at })) => match (self.follower.check)(&jwks) {
                Ok(kids) => {
                    info!(issuer = self.follower.issuer, keys = kids.len(), "key set read from disk");
                    // A clock that was ahead when it was stored must not make it live longer.
                    let fetched_at = fetched_at.min(whole_second(SystemTime::now()));
                    self.accept(KeySet { jwks, fetched_at }, kids);
                }
                Err(error) => warn!(issuer = self.follower.issuer, error, "the key set on disk is not used"),
            },
            Ok(None) => {}
            Err(error) => warn!(issuer = self.follower.issuer, %error, "the key set on disk is not used"),
        }
    }

    /// Takes what a fetch brought; gives how long it is fresh, or why it changes nothing.
    fn take(&mut self, fetched: Result<Fetched, FetchError>) -> Result<Duration, String> {
        let fetched_at = whole_second(SystemTime::now());
        let (set, kids, lifetime) = match fetched.map_err(|error| error.to_string())? {
            Fetched::New { body, etag, lifetime } => {
                let kids = (self.follower.check)(&body)?;
                self.etag = etag;
                (KeySet { jwks: body.into(), fetched_at }, kids, lifetime)
            }
            Fetched::Unchanged { lifetime } => {
                let last =
                    self.set.as_ref().ok_or("the issuer says its key set is unchanged, but none is known")?;
                (KeySet { jwks: Arc::clone(&last.jwks), fetched_at }, self.kids.clone(), lifetime)
            }
        };
        if let Err(error) = self.follower.cache.store(&set) {
            warn!(issuer = self.follower.issuer, %error, "the key set could not be kept on disk; it serves from memory");
        }
        if self.set.as_ref().is_none_or(|last| last.jwks != set.jwks) {
            info!(issuer = self.follower.issuer, keys = kids.len(), "new key set");
        }
        self.accept(set, kids);
        Ok(lifetime.min(self.follower.max_stale / 2))
    }

    fn accept(&mut self, set: KeySet, kids: Vec<String>) {
        self.publish.send_replace(Some(set.clone()));
        self.set = Some(set);
        self.kids = kids;
    }
}

#[cfg(test)]
mod tests;
