//! Ids of denials.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decision::DenyId;

/// Makes ids that are unique within an engine, unlikely to repeat across engines, and unguessable: a keyed hash
/// (SipHash) of a counter under two keys drawn by `std` when the engine is built.
#[derive(Debug, Default)]
pub(super) struct DenyIds {
    keys: [RandomState; 2],
    counter: AtomicU64,
}

impl DenyIds {
    pub(super) fn next(&self) -> DenyId {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let [first, second] = [&self.keys[0], &self.keys[1]].map(|key| key.hash_one(count).to_be_bytes());
        let mut bits = [0; 12];
        bits[..8].copy_from_slice(&first);
        bits[8..].copy_from_slice(&second[..4]);
        DenyId::new(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_24_hexadecimal_digits_and_differ() {
        let (one, two) = (DenyIds::default(), DenyIds::default());
        let ids: Vec<String> =
            (0..1000).flat_map(|_| [one.next().to_string(), two.next().to_string()]).collect();
        assert!(ids.iter().all(|id| id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit())));
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
    }
}
