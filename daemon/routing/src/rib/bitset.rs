//! Sets of small numbers, a bit each.

/// A set of numbers; takes an eighth of a byte per number up to the largest.
#[derive(Debug, Default, Clone)]
pub(crate) struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    /// Whether `index` is in.
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.words.get(word(index)).is_some_and(|w| w & bit(index) != 0)
    }

    /// Puts `index` in; whether it was not in before.
    pub(crate) fn insert(&mut self, index: u32) -> bool {
        if self.words.len() <= word(index) {
            self.words.resize(word(index) + 1, 0);
        }
        let w = &mut self.words[word(index)];
        let new = *w & bit(index) == 0;
        *w |= bit(index);
        new
    }

    /// Takes `index` out; whether it was in.
    pub(crate) fn remove(&mut self, index: u32) -> bool {
        let Some(w) = self.words.get_mut(word(index)) else { return false };
        let there = *w & bit(index) != 0;
        *w &= !bit(index);
        there
    }

    /// The smallest number in the set that is `from` or more.
    pub(crate) fn next(&self, from: u32) -> Option<u32> {
        let mut at = word(from);
        let mut w = self.words.get(at)? & (u64::MAX << (from % 64));
        loop {
            if w != 0 {
                let base = u32::try_from(at * 64).expect("an index of 32 bits was put in");
                return Some(base + w.trailing_zeros());
            }
            at += 1;
            w = *self.words.get(at)?;
        }
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(self.next(0), |&i| self.next(i.checked_add(1)?))
    }
}

const fn word(index: u32) -> usize {
    (index / 64) as usize
}

const fn bit(index: u32) -> u64 {
    1 << (index % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_set_of_numbers(steps in prop::collection::vec((any::<bool>(), 0..400_u32), 0..300)) {
            let (mut bits, mut model) = (BitSet::default(), BTreeSet::new());
            for (put, index) in steps {
                if put {
                    prop_assert_eq!(bits.insert(index), model.insert(index));
                } else {
                    prop_assert_eq!(bits.remove(index), model.remove(&index));
                }
                prop_assert_eq!(bits.contains(index), put);
            }
            prop_assert!(bits.iter().eq(model.iter().copied()));
            for from in 0..450 {
                prop_assert_eq!(bits.next(from), model.range(from..).next().copied());
            }
        }
    }
}
