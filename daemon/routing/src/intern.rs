//! One copy of each set of attributes, however many routes share it.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::attributes::Attributes;

/// The table is swept when it has grown to this many sets at least.
const FIRST_SWEEP: usize = 1024;

/// The sets of attributes in use. Equal sets are one allocation, so that equal is equal by pointer.
///
/// Never grows beyond twice the sets in use: sets that only the table still holds are dropped when it has doubled.
#[derive(Debug)]
pub(crate) struct Interner {
    sets: HashTable<Arc<Attributes>>,
    hasher: RandomState,
    sweep_at: usize,
}

impl Interner {
    pub(crate) fn new() -> Self {
        Self { sets: HashTable::new(), hasher: RandomState::new(), sweep_at: FIRST_SWEEP }
    }

    /// The one copy of `attributes`.
    pub(crate) fn intern(&mut self, attributes: &Arc<Attributes>) -> Arc<Attributes> {
        let hash = self.hasher.hash_one(attributes);
        if let Some(known) = self.sets.find(hash, |known| known == attributes) {
            return Arc::clone(known);
        }
        if self.sets.len() >= self.sweep_at {
            self.sets.retain(|set| Arc::strong_count(set) > 1);
            self.sweep_at = (self.sets.len() * 2).max(FIRST_SWEEP);
        }
        self.sets.insert_unique(hash, Arc::clone(attributes), |set| self.hasher.hash_one(set));
        Arc::clone(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;

    #[test]
    fn equal_sets_become_one_and_unused_ones_go() {
        let mut interner = Interner::new();
        let first = interner.intern(&Arc::new(attributes("a", 1)));
        let again = interner.intern(&Arc::new(attributes("a", 1)));
        assert!(Arc::ptr_eq(&first, &again));
        for med in 2..5000 {
            interner.intern(&Arc::new(attributes("a", med)));
        }
        assert!(interner.sets.len() <= FIRST_SWEEP, "only one set is in use");
        assert!(Arc::ptr_eq(&first, &interner.intern(&Arc::new(attributes("a", 1)))));
    }
}
