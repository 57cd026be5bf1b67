//! Waiting for a state.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

/// How long a state may take to come about. Far beyond what is expected, for a machine whose two cores are busy with
/// something else; whoever has a promise about time to test measures it.
pub const LIMIT: Duration = Duration::from_secs(90);
const EVERY: Duration = Duration::from_millis(50);

/// Asks until `probe` answers `Ok`, and returns what it answered.
///
/// # Panics
/// It does not within [`LIMIT`]; the last error is shown.
#[track_caller]
pub fn eventually<T, E: Display>(
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        loop {
            match probe().await {
                Ok(value) => return value,
                Err(last) if start.elapsed() > LIMIT => {
                    panic!("{caller}: not within {} s: {what}; at last: {last}", LIMIT.as_secs())
                }
                Err(_) => tokio::time::sleep(EVERY).await,
            }
        }
    }
}
