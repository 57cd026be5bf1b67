//! The last good key set of each issuer, on disk.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::KeySet;
use crate::durable;

/// The file of one issuer's key set.
#[derive(Debug, Clone)]
pub struct Cache {
    path: PathBuf,
    url: String,
}

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    url: String,
    /// Seconds since 1970.
    fetched_at: u64,
    jwks: String,
}

/// Why a cached key set is not used. None of these stops the daemon: the set is fetched again.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{}: not a cached key set: {source}; it will be replaced by the next fetch", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl Cache {
    /// The cache below `dir` for the key set of `issuer` at `url`.
    pub fn new(dir: &Path, issuer: &str, url: &str) -> Self {
        let name: String =
            digest(&SHA256, issuer.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { path: dir.join(format!("{name}.json")), url: url.to_owned() }
    }

    /// The cached set, if there is one from the same URL. It is untrusted until it has been checked again.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub fn load(&self) -> Result<Option<KeySet>, CacheError> {
        let path = || self.path.clone();
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CacheError::Read { path: path(), source }),
        };
        let document: Document =
            serde_json::from_slice(&text).map_err(|source| CacheError::Shape { path: path(), source })?;
        let Document { url, fetched_at, jwks } = document;
        let fetched_at = UNIX_EPOCH + Duration::from_secs(fetched_at);
        Ok((url == self.url).then(|| KeySet { jwks: jwks.into(), fetched_at }))
    }

    /// Keeps `set` for the next start.
    ///
    /// # Errors
    /// Whatever the file system says; the last set kept is then still there.
    pub fn store(&self, set: &KeySet) -> io::Result<()> {
        let since = set.fetched_at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let document =
            Document { url: self.url.clone(), fetched_at: since.as_secs(), jwks: set.jwks.to_string() };
        let text = serde_json::to_vec(&document).expect("strings and a number are JSON");
        if let Some(dir) = self.path.parent() {
            durable::private_dir(dir)?;
        }
        durable::replace(&self.path, &text)
    }
}

/// `time` to the whole second, as the cache and the filter's configuration keep it.
pub(super) fn whole_second(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> KeySet {
        KeySet { jwks: r#"{"keys":[]}"#.into(), fetched_at: whole_second(SystemTime::now()) }
    }

    #[test]
    fn a_set_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path(), "https://id.acme.example", "https://id.acme.example/jwks");
        assert_eq!(cache.load().unwrap(), None);
        cache.store(&set()).unwrap();
        assert_eq!(cache.load().unwrap(), Some(set()));
    }

    #[test]
    fn a_set_of_another_issuer_or_url_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        Cache::new(dir.path(), "https://a.example", "https://a.example/jwks").store(&set()).unwrap();
        assert_eq!(
            Cache::new(dir.path(), "https://b.example", "https://a.example/jwks").load().unwrap(),
            None
        );
        assert_eq!(
            Cache::new(dir.path(), "https://a.example", "https://c.example/jwks").load().unwrap(),
            None
        );
    }

    #[test]
    fn a_damaged_file_is_named_and_replaced_by_the_next_set() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path(), "https://a.example", "u");
        cache.store(&set()).unwrap();
        std::fs::write(&cache.path, "{\"url\":").unwrap();
        assert!(cache.load().unwrap_err().to_string().contains(&cache.path.display().to_string()));
        cache.store(&set()).unwrap();
        assert!(cache.load().unwrap().is_some());
    }
}
