//! A thread's own table of decisions, in front of the shared caches: no lock, no atomic counter but the one of the
//! returned `Arc`.

use std::sync::Arc;

use crate::engine::Outcome;
use crate::request::Timestamp;

/// Entries that share a hash's low bits. A fifth one replaces one of them.
const WAYS: usize = 4;

/// Entries to begin with; the table doubles up to its bound as it fills.
const INITIAL_ENTRIES: usize = 256;

/// A thread's decisions. Bounded: when a set of entries is full, a new one replaces another.
#[derive(Debug)]
pub(crate) struct Front {
    slots: Vec<Slot>,
    max_entries: usize,
    /// Replacements since the last growth.
    replaced: usize,
}

#[derive(Debug, Default, Clone)]
struct Slot {
    hash: u64,
    window: Window,
    outcome: Option<Arc<Outcome>>,
}

/// When a decision may be used: from the first second to before the second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Window {
    pub(crate) const ALWAYS: Self = Self { from: 0, until: u64::MAX };

    pub(crate) fn contains(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now.unix_seconds())
    }
}

impl Front {
    /// `max_entries` is rounded up to a power of two; zero keeps nothing.
    pub(crate) fn new(max_entries: u32) -> Self {
        let max_entries = match max_entries as usize {
            0 => 0,
            entries => entries.next_power_of_two().max(WAYS),
        };
        let slots = vec![Slot::default(); max_entries.min(INITIAL_ENTRIES)];
        Self { slots, max_entries, replaced: 0 }
    }

    /// The entry of that hash that `fits` and may be used now.
    pub(crate) fn find(
        &self,
        hash: u64,
        now: Timestamp,
        fits: impl Fn(&Outcome) -> bool,
    ) -> Option<&Arc<Outcome>> {
        self.set(hash)
            .iter()
            .filter(|slot| slot.hash == hash && slot.window.contains(now))
            .find_map(|slot| slot.outcome.as_ref().filter(|outcome| fits(outcome)))
    }

    /// Keeps an entry; one of the same hash is replaced.
    pub(crate) fn keep(&mut self, hash: u64, window: Window, outcome: Arc<Outcome>) {
        if self.slots.is_empty() {
            return;
        }
        if self.replaced > self.slots.len() / 4 && self.slots.len() < self.max_entries {
            self.grow();
        }
        self.place(Slot { hash, window, outcome: Some(outcome) });
    }

    fn place(&mut self, entry: Slot) {
        let turn = self.replaced % WAYS;
        let range = self.range(entry.hash);
        let set = &mut self.slots[range];
        let same = set.iter().position(|slot| slot.outcome.is_some() && slot.hash == entry.hash);
        let place = same.or_else(|| set.iter().position(|slot| slot.outcome.is_none()));
        self.replaced += usize::from(place.is_none());
        set[place.unwrap_or(turn)] = entry;
    }

    fn grow(&mut self) {
        let doubled = vec![Slot::default(); self.slots.len() * 2];
        let old = std::mem::replace(&mut self.slots, doubled);
        self.replaced = 0;
        for slot in old.into_iter().filter(|slot| slot.outcome.is_some()) {
            self.place(slot);
        }
    }

    fn set(&self, hash: u64) -> &[Slot] {
        &self.slots[self.range(hash)]
    }

    fn range(&self, hash: u64) -> std::ops::Range<usize> {
        if self.slots.is_empty() {
            return 0..0;
        }
        let sets = self.slots.len() / WAYS;
        // Lossless: only low bits are kept, and the number of sets is a power of two.
        let first = (hash as usize & (sets - 1)) * WAYS;
        first..first + WAYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Arc<Outcome> {
        Arc::new(Outcome::anonymous(crate::cedar::Verdict::NotPermitted, &[]))
    }

    fn find(front: &Front, hash: u64, now: u64) -> bool {
        front.find(hash, Timestamp::from_unix_seconds(now), |_| true).is_some()
    }

    #[test]
    fn an_entry_is_found_within_its_window_only() {
        let mut front = Front::new(8);
        front.keep(7, Window { from: 10, until: 20 }, outcome());
        let found: Vec<bool> = [9, 10, 19, 20].into_iter().map(|now| find(&front, 7, now)).collect();
        assert_eq!(found, [false, true, true, false]);
        assert!(!find(&front, 8, 10));
    }

    #[test]
    fn it_grows_to_its_bound_and_no_further() {
        let mut front = Front::new(1000);
        for hash in 0..10_000_u64 {
            front.keep(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15), Window::ALWAYS, outcome());
        }
        assert_eq!(front.slots.len(), 1024);
        let kept = (0..10_000_u64).filter(|hash| find(&front, hash.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0));
        assert!((900..=1024).contains(&kept.count()));
    }

    #[test]
    fn growing_keeps_what_was_there() {
        let mut front = Front::new(4096);
        (0..256_u64).for_each(|hash| front.keep(hash, Window::ALWAYS, outcome()));
        front.grow();
        assert_eq!(front.slots.len(), 512);
        assert!((0..256).all(|hash| find(&front, hash, 0)));
    }

    #[test]
    fn without_entries_nothing_is_kept() {
        let mut front = Front::new(0);
        front.keep(1, Window::ALWAYS, outcome());
        assert!(!find(&front, 1, 0));
    }
}
