//! When to dial again: exponentially later, with jitter, and never not at all.

use std::time::Duration;

use crate::random::Random;

/// The shortest wait before a dial is repeated.
pub const MIN_RETRY: Duration = Duration::from_secs(1);
/// The longest. A session that lasted as long starts over at the shortest.
pub const MAX_RETRY: Duration = Duration::from_secs(60);

/// Counts what went wrong since things last went well.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Attempts since a session last came up.
    attempts: u32,
    /// Sessions in a row that were over soon, so that a peer which fails right after coming up is not dialled every
    /// second.
    short_sessions: u32,
}

impl Backoff {
    /// The wait before the next dial: half of it fixed and half at random, so that two nodes that dial each other at
    /// the same moment don't do so for ever.
    pub(super) fn next(&mut self, random: &mut Random) -> Duration {
        let exponent = self.attempts.max(self.short_sessions).min(16);
        let ceiling = (MIN_RETRY * 2).saturating_mul(1 << exponent).min(MAX_RETRY);
        self.attempts = self.attempts.saturating_add(1);
        let half = u64::try_from((ceiling / 2).as_millis()).expect("half a minute fits");
        Duration::from_millis(half + random.below(half + 1))
    }

    /// A session has ended that lasted for `duration`.
    pub(super) fn lasted(&mut self, duration: Duration) {
        self.attempts = 0;
        self.short_sessions = if duration < MAX_RETRY { self.short_sessions.saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_from_one_second_up_to_sixty_and_goes_on_for_ever() {
        let mut random = Random::seeded(7);
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..10_000).map(|_| backoff.next(&mut random)).collect();
        assert!(waits.iter().all(|w| (MIN_RETRY..=MAX_RETRY).contains(w)));
        assert!(waits[0] <= Duration::from_secs(2));
        assert!(waits[5..].iter().all(|w| *w >= Duration::from_secs(30)));
        assert!(waits[5..].windows(2).any(|w| w[0] != w[1]), "there is jitter");
    }

    #[test]
    fn a_session_starts_over_but_sessions_that_keep_failing_do_not() {
        let mut random = Random::seeded(7);
        let mut backoff = Backoff::default();
        for _ in 0..8 {
            backoff.next(&mut random);
        }
        backoff.lasted(MAX_RETRY);
        assert!(backoff.next(&mut random) <= Duration::from_secs(2));
        (0..8).for_each(|_| backoff.lasted(Duration::from_secs(1)));
        assert!(backoff.next(&mut random) >= Duration::from_secs(30));
    }
}
