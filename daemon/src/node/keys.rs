//! Keeps what the filter's configuration is made of current: files of key sets and policies, and key sets from URLs.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tracing::{error, info};

use super::followed::Followed;
use super::{Publisher, filter_json};
use crate::config::{Config, Keys, Loaded};

/// How often the files are looked at. A look costs a `stat` for each, and, unlike a watch on the file itself, it sees
/// through the renames and symbolic links by which files are replaced.
const INTERVAL: Duration = Duration::from_millis(500);

/// What shows that a file has been replaced or written, or a key set fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    files: Vec<(PathBuf, Option<FileStamp>)>,
    fetched: Vec<Keys>,
}

/// Time of the last change, length and inode.
type FileStamp = (SystemTime, u64, u64);

impl Stamp {
    fn of(config: &Config, followed: &[Followed]) -> Self {
        let jwks = config.auth.issuers.iter().filter_map(|issuer| issuer.jwks.file());
        let files = jwks.chain(config.auth.policies.iter().map(PathBuf::as_path));
        Self {
            files: files.map(|file| (file.to_owned(), stamp(file))).collect(),
            fetched: followed.iter().map(Followed::keys).collect(),
        }
    }
}

fn stamp(file: &Path) -> Option<FileStamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// Publishes the filter's configuration anew whenever a file of it has changed to something that the filter accepts.
/// Otherwise the last good one stays, and what is wrong is said once.
pub(super) async fn keep(
    loaded: Loaded,
    followed: Vec<Followed>,
    mut publisher: Publisher,
    mut stopped: watch::Receiver<bool>,
) {
    let loaded = std::sync::Arc::new(loaded);
    // The files may have changed between being read and now: look at them once in any case.
    let mut seen = None;
    loop {
        let now = Stamp::of(&loaded.config, &followed);
        if seen.as_ref() != Some(&now) {
            seen = Some(now);
            let reading = std::sync::Arc::clone(&loaded);
            // Making an engine of many policies takes a while.
            match tokio::task::spawn_blocking(move || reading.read_files()).await {
                Ok(Ok(mut files)) => {
                    for issuer in &followed {
                        files.jwks[issuer.index] = issuer.keys();
                    }
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
