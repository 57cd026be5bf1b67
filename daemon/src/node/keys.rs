//! Watches the files that the filter's configuration is made of: key sets and policies.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tracing::{error, info};

use super::{Publisher, filter_json};
use crate::config::{Config, Loaded};

/// How often the files are looked at. A look costs a `stat` for each, and, unlike a watch on the file itself, it sees
/// through the renames and symbolic links by which files are replaced.
const INTERVAL: Duration = Duration::from_millis(500);

/// What shows that a file has been replaced or written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp(Vec<(PathBuf, Option<FileStamp>)>);

/// Time of the last change, length and inode.
type FileStamp = (SystemTime, u64, u64);

impl Stamp {
    fn of(config: &Config) -> Self {
        let jwks = config.auth.issuers.iter().map(|issuer| &issuer.jwks);
        let files = jwks.chain(&config.auth.policies);
        Self(files.map(|file| (file.clone(), stamp(file))).collect())
    }
}

fn stamp(file: &Path) -> Option<FileStamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// Publishes the filter's configuration anew whenever a file of it has changed to something that the filter accepts.
/// Otherwise the last good one stays, and what is wrong is said once.
pub(super) async fn keep(loaded: Loaded, mut publisher: Publisher, mut stopped: watch::Receiver<bool>) {
    let loaded = std::sync::Arc::new(loaded);
    // The files may have changed between being read and now: look at them once in any case.
    let mut seen = None;
    loop {
        let now = Stamp::of(&loaded.config);
        if seen.as_ref() != Some(&now) {
            seen = Some(now);
            let reading = std::sync::Arc::clone(&loaded);
            // Making an engine of many policies takes a while.
            match tokio::task::spawn_blocking(move || reading.read_files()).await {
                Ok(Ok(files)) => {
                    if publisher.set_filter(filter_json(&loaded.config, &files)) {
                        info!("keys or policies have changed; the filter is told");
                    }
                }
                Ok(Err(problems)) => {
                    error!("changed files are not used, the last good ones stay:\n{problems}");
                }
                Err(error) => error!(%error, "changed files could not be read; the last good ones stay"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}
