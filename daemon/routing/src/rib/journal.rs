//! What has changed, in order, so that each reader goes on from where it was.

use std::collections::VecDeque;

/// Below this length the journal is not compacted.
const MIN_COMPACT: usize = 1024;

/// Changes in order of their version. A net that has changed several times has several entries, of which only the last is
/// live, and the last in which its best path changed; [`Journal::compact`] drops the others, so the length is bounded by
/// four times the number of nets.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub version: u64,
    pub net: u32,
}

impl Journal {
    /// Appends a change; versions only grow.
    pub(crate) fn push(&mut self, entry: Entry) {
        debug_assert!(self.entries.back().is_none_or(|last| last.version < entry.version));
        self.entries.push_back(entry);
    }

    /// The changes after `version`.
    pub(crate) fn after(&self, version: u64) -> impl Iterator<Item = Entry> {
        let start = self.entries.partition_point(|e| e.version <= version);
        self.entries.range(start..).copied()
    }

    /// Takes out the oldest change, if everybody has read up to `version` and it is not newer.
    pub(crate) fn pop_read(&mut self, version: u64) -> Option<Entry> {
        let read = self.entries.front().is_some_and(|e| e.version <= version);
        if read { self.entries.pop_front() } else { None }
    }

    /// Gives memory back after a burst.
    pub(crate) fn shrink(&mut self) {
        if self.entries.capacity() > MIN_COMPACT && self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    /// Drops the entries that are not live, if there are more than four times as many as `nets`.
    pub(crate) fn compact(&mut self, nets: usize, live: impl Fn(Entry) -> bool) {
        if self.entries.len() > MIN_COMPACT.max(nets * 4) {
            self.entries.retain(|e| live(*e));
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(versions: std::ops::RangeInclusive<u64>) -> Journal {
        let mut journal = Journal::default();
        versions.for_each(|version| {
            journal.push(Entry { version, net: u32::try_from(version % 10).expect("small") })
        });
        journal
    }

    #[test]
    fn a_reader_goes_on_after_what_it_has_read() {
        let journal = journal(5..=9);
        let after = |version| journal.after(version).map(|e| e.version).collect::<Vec<_>>();
        assert_eq!(after(0), [5, 6, 7, 8, 9]);
        assert_eq!(after(7), [8, 9]);
        assert_eq!(after(9), [0_u64; 0]);
    }

    #[test]
    fn only_what_all_have_read_is_taken_out() {
        let mut journal = journal(1..=5);
        let popped: Vec<_> = std::iter::from_fn(|| journal.pop_read(3)).map(|e| e.version).collect();
        assert_eq!(popped, [1, 2, 3]);
        assert_eq!(journal.len(), 2);
    }

    #[test]
    fn a_slow_reader_does_not_make_it_grow_without_bound() {
        let mut journal = Journal::default();
        for version in 1..=100_000 {
            journal.push(Entry { version, net: 0 });
            journal.compact(10, |e| e.version == version);
        }
        assert!(journal.len() <= MIN_COMPACT);
    }
}
