//! The caches that all threads share.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use moka::sync::Cache;

use crate::config::{CacheBounds, CacheConfig};
use crate::engine::{Outcome, Verified};
use crate::keys::KeySetId;

/// Identifies a policy set with everything that decisions under it depend on.
pub(crate) type PolicyDigest = [u8; 32];

/// Caches that engines share. Cheap to clone; a clone is the same caches.
///
/// A shell that replaces its engine passes them on ([`crate::Engine::with_caches`]), so that a change of
/// configuration does not make it verify every token anew.
#[derive(Clone, Debug)]
pub struct Caches {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    bounds: CacheConfig,
    hash_key: ahash::RandomState,
    tokens: Cache<u64, Arc<Verified>, BuildHasherDefault<Hashed>>,
    forged: Cache<u64, Arc<Forged>, BuildHasherDefault<Hashed>>,
    /// The decision caches in use. Locked while an engine is built, never on a request.
    decisions: Mutex<Vec<(PolicyDigest, Weak<Decisions>)>>,
}

/// A token that does not verify with a key set.
#[derive(Debug)]
struct Forged {
    token: Box<[u8]>,
    keys: KeySetId,
}

/// The decisions under one policy set.
#[derive(Debug)]
pub(crate) struct Decisions {
    cache: Cache<u64, Arc<Outcome>, BuildHasherDefault<Hashed>>,
}

impl Caches {
    /// Empty caches of these bounds.
    pub fn new(bounds: &CacheConfig) -> Self {
        let key = RandomState::new();
        let [a, b, c, d] = [0_u8, 1, 2, 3].map(|part| key.hash_one(part));
        let inner = Inner {
            bounds: bounds.clone(),
            hash_key: ahash::RandomState::with_seeds(a, b, c, d),
            tokens: bounded(bounds.tokens, |verified: &Arc<Verified>| verified.bytes()),
            forged: bounded(bounds.forged, |forged: &Arc<Forged>| forged.token.len() + size_of::<Forged>()),
            decisions: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// These caches if they have these bounds, else empty ones that do.
    pub(crate) fn of_bounds(&self, bounds: &CacheConfig) -> Self {
        if self.inner.bounds == *bounds { self.clone() } else { Self::new(bounds) }
    }

    /// The decisions under a policy set: those of the engines that have the same one, or empty.
    pub(crate) fn decisions(&self, policy: &PolicyDigest) -> Arc<Decisions> {
        // Nothing is left half-done under the lock, so a poisoned one is as good.
        let mut all = self.inner.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, decisions)| decisions.strong_count() > 0);
        let known =
            all.iter().find(|(digest, _)| digest == policy).and_then(|(_, decisions)| decisions.upgrade());
        known.unwrap_or_else(|| {
            let weigh = |outcome: &Arc<Outcome>| outcome.bytes();
            let decisions = Arc::new(Decisions { cache: bounded(self.inner.bounds.decisions, weigh) });
            all.push((*policy, Arc::downgrade(&decisions)));
            decisions
        })
    }

    /// The keyed hash of a token and of what follows it. Good enough to spread entries in spite of an adversary;
    /// nothing relies on it being free of collisions.
    pub(crate) fn hashes(&self, token: &[u8], rest: &[u8]) -> (u64, u64) {
        let mut hasher = self.inner.hash_key.build_hasher();
        hasher.write(token);
        let of_token = hasher.finish();
        hasher.write(rest);
        (of_token, hasher.finish())
    }

    pub(crate) fn verified(&self, hash: u64, token: &[u8]) -> Option<Arc<Verified>> {
        self.inner.tokens.get(&hash).filter(|verified| verified.token() == token)
    }

    pub(crate) fn keep_verified(&self, hash: u64, verified: Arc<Verified>) {
        self.inner.tokens.insert(hash, verified);
    }

    pub(crate) fn forget_verified(&self, hash: u64) {
        self.inner.tokens.invalidate(&hash);
    }

    /// Whether a token was found not to verify with this very key set.
    pub(crate) fn is_forged(&self, hash: u64, token: &[u8], keys: &KeySetId) -> bool {
        self.inner.forged.get(&hash).is_some_and(|forged| forged.keys == *keys && *forged.token == *token)
    }

    pub(crate) fn keep_forged(&self, hash: u64, token: &[u8], keys: KeySetId) {
        self.inner.forged.insert(hash, Arc::new(Forged { token: token.into(), keys }));
    }

    /// The hash of a verified token, known by where it lies, and of what follows it. A decision holds on to its token,
    /// so nothing else lies there while the decision is kept.
    pub(crate) fn hash_decision(&self, verified: Option<&Arc<Verified>>, rest: &[u8]) -> u64 {
        let mut hasher = self.inner.hash_key.build_hasher();
        hasher.write_usize(verified.map_or(0, |verified| Arc::as_ptr(verified).addr()));
        hasher.write(rest);
        hasher.finish()
    }

    pub(crate) fn front_entries(&self) -> u32 {
        self.inner.bounds.front_entries
    }
}

impl Decisions {
    pub(crate) fn find(&self, hash: u64, fits: impl Fn(&Outcome) -> bool) -> Option<Arc<Outcome>> {
        self.cache.get(&hash).filter(|outcome| fits(outcome))
    }

    pub(crate) fn keep(&self, hash: u64, outcome: Arc<Outcome>) {
        self.cache.insert(hash, outcome);
    }
}

/// A cache bounded by both entries and bytes: an entry weighs its bytes, but at least its share of them. `moka` keeps
/// those that are used most.
fn bounded<V: Clone + Send + Sync + 'static>(
    bounds: CacheBounds,
    bytes: impl Fn(&V) -> usize + Send + Sync + 'static,
) -> Cache<u64, V, BuildHasherDefault<Hashed>> {
    /// What `moka` itself needs for an entry, as measured.
    const OVERHEAD: usize = 200;
    let share = bounds.max_bytes.checked_div(bounds.max_entries).unwrap_or(0);
    let capacity = if bounds.max_entries == 0 { 0 } else { bounds.max_bytes };
    let weigh = move |_: &u64, value: &V| {
        u32::try_from(share.max((bytes(value) + OVERHEAD) as u64)).unwrap_or(u32::MAX)
    };
    Cache::builder().max_capacity(capacity).weigher(weigh).build_with_hasher(BuildHasherDefault::default())
}

/// Passes on keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
