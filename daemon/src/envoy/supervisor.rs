//! Keeps one Envoy running.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::admin::Admin;
use super::process::{Command, Found, Process};

/// The wait before an Envoy that died soon after its start is started again; it doubles up to [`LAST_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// The longest wait between starts.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// An Envoy that has run this long died of something new: it is started again at once.
const STABLE: Duration = Duration::from_secs(10);

/// What an Envoy that was asked to end may still take before it is killed.
const TERMINATE_LIMIT: Duration = Duration::from_secs(5);

/// How often a draining Envoy is asked whether it is idle.
const DRAIN_POLL: Duration = Duration::from_millis(100);

/// What the supervisor needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How Envoy is started.
    pub command: Command,
    /// Its admin interface.
    pub admin: Admin,
    /// How long requests in flight may take when Envoy is ended.
    pub drain_time: Duration,
}

/// What there is to know of the supervised Envoy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not running; started when the back-off is over.
    Down {
        /// Why.
        reason: String,
    },
    /// Running.
    Up {
        /// Its process id.
        pid: i32,
    },
}

/// Runs Envoy until `stop` becomes true, then drains and ends it.
pub async fn supervise(settings: Settings, mut stop: watch::Receiver<bool>, state: watch::Sender<State>) {
    let mut backoff = Backoff::default();
    let mut left_behind = take_over(&settings).await;
    while !*stop.borrow() {
        let started = Instant::now();
        let process = match left_behind.take() {
            Some(process) => Ok(process),
            None => settings.command.start(),
        };
        let reason = match process {
            Ok(mut process) => {
                state.send_replace(State::Up { pid: process.pid });
                tokio::select! {
                    reason = process.ended() => reason,
                    () = stopped(&mut stop) => {
                        end(&settings, process, settings.drain_time).await;
                        return;
                    }
                }
            }
            Err(error) => format!("{}: {error}", settings.command.bin.display()),
        };
        let wait = backoff.after(started.elapsed());
        error!(reason, restart_in_ms = wait.as_millis(), "Envoy is not running");
        state.send_replace(State::Down { reason });
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopped(&mut stop) => {}
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone stops as well: nobody is left who could.
    if stop.wait_for(|stop| *stop).await.is_err() {
        warn!("the node is gone without a word; ending Envoy");
    }
}

/// Takes over the Envoy of an earlier daemon, or ends it if it is not as it should be.
async fn take_over(settings: &Settings) -> Option<Process> {
    match settings.command.find() {
        Ok(Found::Same(process)) => {
            info!(pid = process.pid, "took over the Envoy that an earlier daemon left running");
            Some(process)
        }
        Ok(Found::Other(process)) => {
            warn!(
                pid = process.pid,
                "an earlier daemon left an Envoy with other settings running; replacing it"
            );
            end(settings, process, Duration::ZERO).await;
            None
        }
        Ok(Found::None) => None,
        Err(error) => {
            warn!(%error, "could not look for an Envoy of an earlier daemon");
            None
        }
    }
}

/// Drains for at most `drain_time`, then ends the process, by force if it must be.
async fn end(settings: &Settings, mut process: Process, drain_time: Duration) {
    if !drain_time.is_zero() {
        tokio::select! {
            () = drain(settings, drain_time) => {}
            reason = process.ended() => {
                warn!(reason, "Envoy ended while it was draining");
                return;
            }
        }
    }
    process.terminate();
    if tokio::time::timeout(TERMINATE_LIMIT, process.ended()).await.is_err() {
        warn!(pid = process.pid, "Envoy did not end when asked to; killing it");
        process.kill();
        process.ended().await;
    }
    info!(pid = process.pid, "Envoy ended");
}

async fn drain(settings: &Settings, drain_time: Duration) {
    if let Err(error) = settings.admin.drain().await {
        warn!(%error, "Envoy could not be asked to drain");
        return;
    }
    let idle = async {
        while settings.admin.active_requests().await.is_ok_and(|active| active > 0) {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    };
    if tokio::time::timeout(drain_time, idle).await.is_err() {
        warn!(seconds = drain_time.as_secs(), "requests were still in flight when the drain time was over");
    }
}

/// How long to wait before the next start.
#[derive(Debug, Default)]
struct Backoff {
    next: Duration,
}

impl Backoff {
    /// The wait after an Envoy that ran for `lifetime`.
    fn after(&mut self, lifetime: Duration) -> Duration {
        if lifetime >= STABLE {
            self.next = Duration::ZERO;
        }
        let wait = self.next;
        self.next = (wait * 2).clamp(FIRST_BACKOFF, LAST_BACKOFF);
        wait
    }
}

#[cfg(test)]
mod tests;
