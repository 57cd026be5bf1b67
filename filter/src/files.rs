//! The files that a configuration names: read once for the first engine, then watched, so that a rotated key set or a
//! changed policy takes effect without Envoy's help. A change that does not hold is logged and the last good engine
//! stays.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use catalyst_authz::Engine;
use catalyst_authz::config::{ConfigError, FilterConfig};
use envoy_dynamic_module::{envoy_log_info, envoy_log_warn};

use crate::config::Shared;

/// The largest file that a configuration may name, in bytes. A larger one is refused: it would be held in memory
/// once as text and once parsed.
pub(crate) const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// How often the files are looked at. A `stat` each; contents are read only after a change.
const INTERVAL: Duration = Duration::from_secs(1);

/// A configuration, its files as last seen, what they held when they last held something good, and why not since.
pub(crate) struct Files {
    config: FilterConfig,
    seen: Vec<Option<Stamp>>,
    in_use: FilterConfig,
    refused: Option<ConfigError>,
}

/// Changes whenever a file is written, replaced or, for a symbolic link, pointed elsewhere.
#[derive(PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    /// Reads the files and builds the first engine, with the caches of an earlier one if there is one.
    pub(crate) fn load(
        config: FilterConfig,
        earlier: Option<&Engine>,
    ) -> Result<(Self, Engine), ConfigError> {
        // Looked at before they are read: a change in between is then noticed as one.
        let seen = stamps(&config);
        let in_use = config.clone().resolve_files(read)?;
        let engine = match earlier {
            Some(earlier) => Engine::with_caches(&in_use, earlier.caches())?,
            None => Engine::new(&in_use)?,
        };
        Ok((Self { config, seen, in_use, refused: None }, engine))
    }

    /// Starts the thread that keeps `shared`'s engine up to the files, if there are any. It ends by itself within
    /// [`INTERVAL`] after the last stream of the configuration; nothing waits for it, since the configuration may be
    /// dropped on a worker.
    pub(crate) fn watch(self, shared: &Arc<Shared>) -> io::Result<()> {
        if self.seen.is_empty() {
            return Ok(());
        }
        let shared = Arc::downgrade(shared);
        thread::Builder::new().name("catalyst-files".to_owned()).spawn(move || self.run(&shared)).map(drop)
    }

    fn run(mut self, shared: &Weak<Shared>) {
        // A file can be written twice within one tick of the file system's clock, so after a change it is read once
        // more even if it looks the same.
        let mut unsettled = false;
        loop {
            thread::sleep(INTERVAL);
            let Some(shared) = shared.upgrade() else { return };
            let now = stamps(&self.config);
            let changed = now != self.seen;
            if changed || unsettled {
                self.seen = now;
                // The panic hook has logged it; the last good engine stays.
                if catch_unwind(AssertUnwindSafe(|| self.reload(&shared))).is_err() {
                    shared.reloads.refused();
                }
            }
            unsettled = changed;
        }
    }

    fn reload(&mut self, shared: &Shared) {
        match self.replace_engine(shared) {
            Ok(()) => self.refused = None,
            Err(error) => {
                // The second look at unchanged files would only say the same again.
                if self.refused.as_ref() != Some(&error) {
                    shared.reloads.refused();
                    envoy_log_warn!("catalyst: changed files refused, the last good ones stay: {error}");
                }
                self.refused = Some(error);
            }
        }
    }

    /// Builds an engine if the files hold something else than what is in use.
    fn replace_engine(&mut self, shared: &Shared) -> Result<(), ConfigError> {
        let resolved = self.config.clone().resolve_files(read)?;
        if resolved != self.in_use {
            let engine = Engine::with_caches(&resolved, shared.engine.load().caches())?;
            shared.engine.store(Arc::new(engine));
            self.in_use = resolved;
            shared.reloads.accepted();
            envoy_log_info!("catalyst: changed files taken into use: {:?}", self.config.files());
        }
        Ok(())
    }
}

/// One per file; `None` while it cannot be looked at.
fn stamps(config: &FilterConfig) -> Vec<Option<Stamp>> {
    config
        .files()
        .into_iter()
        .map(|path| fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata)))
        .collect()
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Reads a regular file that a configuration names; UTF-8, at most [`MAX_FILE_BYTES`].
fn read(path: &Path) -> io::Result<String> {
    // Opening a pipe would block Envoy's main thread until somebody writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MAX_FILE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}
