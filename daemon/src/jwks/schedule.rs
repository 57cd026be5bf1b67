//! When to fetch one issuer's key set. Pure: time and randomness are arguments, and the caller does the fetching.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// A token that names an unknown key causes at most one fetch in this time.
pub const ON_DEMAND_INTERVAL: Duration = Duration::from_secs(30);

/// For this long a key that a fetch did not bring is not asked for again.
pub const NEGATIVE_LIFETIME: Duration = Duration::from_secs(300);

/// Unknown keys remembered. When full the oldest goes; [`ON_DEMAND_INTERVAL`] still holds.
pub const MAX_NEGATIVE: usize = 1024;

/// Longest `kid` that may cause a fetch, in bytes; a longer one names no key of a set that we would accept.
pub const MAX_KID: usize = 256;

/// The wait after the first failed fetch; it doubles with each further one.
pub const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest wait between failed fetches.
pub const LAST_RETRY: Duration = Duration::from_secs(60);

/// A background refresh comes after this share of the lifetime (less jitter), so that the set is new before it is old.
const REFRESH_AT: f64 = 0.8;

/// The schedule of one issuer. At most one fetch is under way at any time.
#[derive(Debug)]
pub struct Schedule {
    fetching: bool,
    /// When the next fetch is due; `None` only while one is under way.
    due: Option<Instant>,
    failures: u32,
    last_on_demand: Option<Instant>,
    known: HashSet<String>,
    /// Keys asked for since the last fetch began.
    wanted: HashSet<String>,
    negative: VecDeque<(String, Instant)>,
}

impl Schedule {
    /// A schedule whose first fetch is due `now`. `known` are the `kid`s of a set read from disk, if any.
    pub fn new(now: Instant, known: impl IntoIterator<Item = String>) -> Self {
        Self {
            fetching: false,
            due: Some(now),
            failures: 0,
            last_on_demand: None,
            known: known.into_iter().collect(),
            wanted: HashSet::new(),
            negative: VecDeque::new(),
        }
    }

    /// When [`Schedule::begin`] may next return true.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a fetch is to begin now. The caller answers with [`Schedule::fetched`] or [`Schedule::failed`].
    pub fn begin(&mut self, now: Instant) -> bool {
        match self.due {
            Some(due) if due <= now => {
                self.due = None;
                self.fetching = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// A token named `kid`, which the filter did not know. Brings the next fetch forward where that may help.
    pub fn unknown_kid(&mut self, kid: &str, now: Instant) {
        self.negative.retain(|(_, until)| *until > now);
        let hopeless = kid.len() > MAX_KID
            || self.known.contains(kid)
            || self.negative.iter().any(|(negative, _)| negative == kid);
        if hopeless || self.wanted.len() >= MAX_NEGATIVE || !self.wanted.insert(kid.to_owned()) {
            return;
        }
        if let Some(due) = self.due {
            // While the issuer is down its retries are already as frequent as they may be.
            let earliest = match self.last_on_demand {
                Some(last) => now.max(last + ON_DEMAND_INTERVAL),
                None => now,
            };
            if self.failures == 0 && earliest < due {
                self.due = Some(earliest);
                self.last_on_demand = Some(earliest);
            }
        }
    }

    /// The fetch brought a good set, or word that the last one is still good: it lives for `lifetime`. `kids` are the
    /// keys now known; `jitter` is uniform in 0..1.
    pub fn fetched(
        &mut self,
        lifetime: Duration,
        kids: impl IntoIterator<Item = String>,
        now: Instant,
        jitter: f64,
    ) {
        self.known = kids.into_iter().collect();
        self.failures = 0;
        for kid in self.wanted.drain() {
            if !self.known.contains(&kid) {
                if self.negative.len() >= MAX_NEGATIVE {
                    self.negative.pop_front();
                }
                self.negative.push_back((kid, now + NEGATIVE_LIFETIME));
            }
        }
        self.negative.retain(|(kid, _)| !self.known.contains(kid));
        self.end(now + lifetime.mul_f64(REFRESH_AT - 0.1 * jitter));
    }

    /// The fetch failed. `jitter` is uniform in 0..1.
    pub fn failed(&mut self, now: Instant, jitter: f64) {
        let wait = FIRST_RETRY.saturating_mul(1 << self.failures.min(10)).min(LAST_RETRY);
        self.failures = self.failures.saturating_add(1);
        // Keys wanted while the issuer is down may be asked for again once it is back.
        self.wanted.clear();
        self.end(now + wait.mul_f64(0.75 + 0.25 * jitter));
    }

    fn end(&mut self, due: Instant) {
        debug_assert!(self.fetching, "a fetch ends once, after it began");
        self.fetching = false;
        self.due = Some(due);
    }
}

#[cfg(test)]
mod tests;
