//! A sorted map whose clones share what has not changed since.

use std::cmp::Ordering;
use std::sync::Arc;

/// A leaf that would grow beyond this is split in two.
const MAX_LEAF: usize = 256;

type Leaf<K, V> = Vec<(K, V)>;

/// A sorted map in leaves of at most [`MAX_LEAF`] entries, each shared between clones until one of them changes it.
///
/// A clone costs nothing. The first change after it copies the list of leaves (a pointer for some 128 to 256 entries)
/// and each change the one leaf that it touches.
#[derive(Debug, Clone)]
pub(crate) struct PersistentMap<K, V> {
    /// None is empty; keys ascend within and across leaves.
    leaves: Arc<Vec<Arc<Leaf<K, V>>>>,
    len: usize,
}

/// What differs between two maps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Difference<'a, K, V> {
    Added(&'a K, &'a V),
    Changed(&'a K, &'a V),
    Removed(&'a K),
}

impl<K: Ord + Clone, V: Clone> PersistentMap<K, V> {
    pub(crate) fn new() -> Self {
        Self { leaves: Arc::default(), len: 0 }
    }

    /// A map of entries whose keys ascend.
    pub(crate) fn from_sorted(entries: Vec<(K, V)>) -> Self {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
        let len = entries.len();
        let mut leaves = Vec::with_capacity(len.div_ceil(MAX_LEAF));
        let mut rest = entries.into_iter();
        loop {
            // Room is left in each leaf, so that a few insertions don't split all of them.
            let leaf: Leaf<K, V> = rest.by_ref().take(MAX_LEAF * 3 / 4).collect();
            if leaf.is_empty() {
                return Self { leaves: Arc::new(leaves), len };
            }
            leaves.push(Arc::new(leaf));
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let leaf = self.leaves.get(self.leaf_of(key))?;
        let place = leaf.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        Some(&leaf[place].1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.leaves.iter().flat_map(|leaf| leaf.iter().map(|(k, v)| (k, v)))
    }

    /// Sets or takes out the value of `key`.
    pub(crate) fn set(&mut self, key: K, value: Option<V>) {
        let at = self.leaf_of(&key);
        let leaves = Arc::make_mut(&mut self.leaves);
        let Some(leaf) = leaves.get_mut(at) else {
            if let Some(value) = value {
                leaves.push(Arc::new(vec![(key, value)]));
                self.len += 1;
            }
            return;
        };
        match (leaf.binary_search_by(|(k, _)| k.cmp(&key)), value) {
            (Ok(place), Some(value)) => Arc::make_mut(leaf)[place].1 = value,
            (Ok(place), None) => {
                Arc::make_mut(leaf).remove(place);
                self.len -= 1;
                join(leaves, at);
            }
            (Err(place), Some(value)) => {
                let leaf = Arc::make_mut(leaf);
                leaf.insert(place, (key, value));
                self.len += 1;
                if leaf.len() > MAX_LEAF {
                    let upper = leaf.split_off(MAX_LEAF / 2);
                    leaves.insert(at + 1, Arc::new(upper));
                }
            }
            (Err(_), None) => {}
        }
    }

    /// The leaf that has `key`, or would.
    fn leaf_of(&self, key: &K) -> usize {
        self.leaves.partition_point(|leaf| leaf[0].0 <= *key).saturating_sub(1)
    }

    /// What must be done to `older` to get this map, in order of keys. Shared leaves are passed over whole.
    pub(crate) fn diff<'a>(&'a self, older: &'a Self) -> Vec<Difference<'a, K, V>>
    where
        V: PartialEq,
    {
        let (mut new, mut old) = (Cursor::new(&self.leaves), Cursor::new(&older.leaves));
        let mut differences = Vec::new();
        loop {
            if new.skip_shared(&mut old) {
                continue;
            }
            match (new.peek(), old.peek()) {
                (None, None) => return differences,
                (Some((key, value)), None) => {
                    differences.push(Difference::Added(key, value));
                    new.next();
                }
                (None, Some((key, _))) => {
                    differences.push(Difference::Removed(key));
                    old.next();
                }
                (Some((key, value)), Some((old_key, old_value))) => match key.cmp(old_key) {
                    Ordering::Less => {
                        differences.push(Difference::Added(key, value));
                        new.next();
                    }
                    Ordering::Greater => {
                        differences.push(Difference::Removed(old_key));
                        old.next();
                    }
                    Ordering::Equal => {
                        if value != old_value {
                            differences.push(Difference::Changed(key, value));
                        }
                        new.next();
                        old.next();
                    }
                },
            }
        }
    }
}

/// After something was taken out of leaf `at`: an empty leaf goes, a small one is joined with the next.
fn join<K: Clone, V: Clone>(leaves: &mut Vec<Arc<Leaf<K, V>>>, at: usize) {
    if leaves[at].is_empty() {
        leaves.remove(at);
        return;
    }
    let together = leaves.get(at + 1).map(|next| leaves[at].len() + next.len());
    if together.is_some_and(|len| len <= MAX_LEAF / 2) {
        let next = leaves.remove(at + 1);
        Arc::make_mut(&mut leaves[at]).extend_from_slice(&next);
    }
}

/// A place in a list of leaves.
struct Cursor<'a, K, V> {
    leaves: &'a [Arc<Leaf<K, V>>],
    place: usize,
}

impl<'a, K, V> Cursor<'a, K, V> {
    fn new(leaves: &'a [Arc<Leaf<K, V>>]) -> Self {
        Self { leaves, place: 0 }
    }

    fn peek(&self) -> Option<&'a (K, V)> {
        self.leaves.first().map(|leaf| &leaf[self.place])
    }

    fn next(&mut self) {
        self.place += 1;
        if self.leaves.first().is_some_and(|leaf| self.place == leaf.len()) {
            self.leaves = &self.leaves[1..];
            self.place = 0;
        }
    }

    /// If both are at the beginning of one and the same leaf, moves both behind it.
    fn skip_shared(&mut self, other: &mut Self) -> bool {
        let (Some(a), Some(b)) = (self.leaves.first(), other.leaves.first()) else { return false };
        if self.place != 0 || other.place != 0 || !Arc::ptr_eq(a, b) {
            return false;
        }
        self.leaves = &self.leaves[1..];
        other.leaves = &other.leaves[1..];
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn applied(older: &PersistentMap<u16, u8>, newer: &PersistentMap<u16, u8>) -> BTreeMap<u16, u8> {
        let mut map: BTreeMap<u16, u8> = older.iter().map(|(k, v)| (*k, *v)).collect();
        for difference in newer.diff(older) {
            match difference {
                Difference::Added(k, v) => assert_eq!(map.insert(*k, *v), None),
                Difference::Changed(k, v) => assert!(map.insert(*k, *v).is_some_and(|old| old != *v)),
                Difference::Removed(k) => assert!(map.remove(k).is_some()),
            }
        }
        map
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_map_and_clones_keep_what_they_had(
            first in prop::collection::btree_map(0..3000_u16, any::<u8>(), 0..2000),
            steps in prop::collection::vec((0..3000_u16, prop::option::of(any::<u8>())), 0..800),
        ) {
            let mut model = first;
            let mut map = PersistentMap::from_sorted(model.iter().map(|(k, v)| (*k, *v)).collect());
            let before = map.clone();
            let model_before = model.clone();
            for (key, value) in steps {
                map.set(key, value);
                match value {
                    Some(value) => drop(model.insert(key, value)),
                    None => drop(model.remove(&key)),
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert!(map.iter().eq(model.iter()));
            prop_assert!(before.iter().eq(model_before.iter()));
            prop_assert_eq!(applied(&before, &map), model);
            prop_assert!(map.leaves.iter().all(|leaf| (1..=MAX_LEAF).contains(&leaf.len())));
        }
    }

    #[test]
    fn one_change_copies_one_leaf() {
        let mut map = PersistentMap::from_sorted((0..100_000_u32).map(|k| (k, 0_u8)).collect());
        let before = map.clone();
        map.set(50_000, Some(1));
        let copied = map.leaves.iter().zip(before.leaves.iter()).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert_eq!(copied, 1);
        assert_eq!(map.diff(&before), [Difference::Changed(&50_000, &1)]);
    }
}
