//! Key sets (RFC 7517, 5), each of one issuer of one organisation, never merged.

use crate::jose::Algorithm;
use crate::jose::json::{self, Json};
use aws_lc_rs::digest;

use crate::jose::jwk::{Fingerprint, Jwk, JwkError};

/// The largest key set accepted, in bytes. A larger one is refused unread.
pub const MAX_JWKS_BYTES: usize = 512 * 1024;

/// The most keys of one set. A larger set is refused.
pub const MAX_KEYS: usize = 128;

/// The most keys tried for one token. If more fit, as when a token names no `kid` and its issuer has many keys,
/// the token is denied: a stranger must not choose how much is computed.
pub const MAX_CANDIDATES: usize = 4;

/// The public keys of one issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    id: KeySetId,
    keys: Vec<Jwk>,
    skipped: Vec<SkippedKey>,
}

/// Identifies the usable keys of a set, in their order.
pub type KeySetId = [u8; 32];

/// A key that is in the set but not used (RFC 7517, 5: keys that are not understood are ignored).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keys[{index}]: {error}")]
pub struct SkippedKey {
    /// Its place in `keys`.
    pub index: usize,
    /// Why it is not used.
    pub error: JwkError,
}

/// Why a key set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Larger than [`MAX_JWKS_BYTES`].
    #[error("key set of {0} bytes; at most {MAX_JWKS_BYTES} are accepted")]
    TooLarge(usize),
    /// Not a strict JSON object.
    #[error("key set is not strict JSON: {0}")]
    Json(#[from] json::JsonError),
    /// No array `keys`.
    #[error("key set has no array `keys`")]
    NoKeys,
    /// More than [`MAX_KEYS`].
    #[error("key set of {0} keys; at most {MAX_KEYS} are accepted")]
    TooManyKeys(usize),
    /// None of the keys can verify a token.
    #[error("key set has no usable key{}", list(.0))]
    NoUsableKey(Vec<SkippedKey>),
}

fn list(skipped: &[SkippedKey]) -> String {
    let reasons: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) }
}

/// The keys that fit a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCandidate {
    /// No key has that `kid`, or there is none at all.
    UnknownKey,
    /// Keys have that `kid`, but none may be used with that algorithm.
    WrongAlgorithm,
    /// More than [`MAX_CANDIDATES`] fit.
    TooMany,
}

impl KeySet {
    /// Reads a key set from its JSON text.
    ///
    /// # Errors
    /// [`JwksError`]. A single unusable key is no error; see [`KeySet::skipped`].
    pub fn parse(text: &str) -> Result<Self, JwksError> {
        if text.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge(text.len()));
        }
        let members = json::parse_object(text.as_bytes())?;
        let Some(Json::Array(entries)) = members.member("keys") else { return Err(JwksError::NoKeys) };
        if entries.len() > MAX_KEYS {
            return Err(JwksError::TooManyKeys(entries.len()));
        }
        let mut set = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            match Jwk::parse(entry) {
                Ok(key) => set.keys.push(key),
                Err(error) => set.skipped.push(SkippedKey { index, error }),
            }
        }
        if set.keys.is_empty() {
            return Err(JwksError::NoUsableKey(set.skipped));
        }
        let mut context = digest::Context::new(&digest::SHA256);
        set.keys.iter().for_each(|key| context.update(key.fingerprint()));
        set.id.copy_from_slice(context.finish().as_ref());
        Ok(set)
    }

    /// Equal for sets that verify the same tokens with the same keys.
    pub fn id(&self) -> &KeySetId {
        &self.id
    }

    /// Whether the set has that very key.
    pub fn contains(&self, key: &Fingerprint) -> bool {
        self.keys.iter().any(|known| known.fingerprint() == key)
    }

    /// The usable keys, in the order of the set.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The keys that are not used, with the reasons.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The keys to try for a token with that header, at least one and at most [`MAX_CANDIDATES`]. A token with a
    /// `kid` is tried with the keys of that `kid` alone.
    ///
    /// # Errors
    /// [`NoCandidate`].
    pub fn candidates(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<impl Iterator<Item = &Jwk> + Clone, NoCandidate> {
        let named = self.keys.iter().filter(move |key| key_id.is_none() || key.key_id() == key_id);
        let fitting = named.clone().filter(move |key| key.supports(algorithm));
        match fitting.clone().take(MAX_CANDIDATES + 1).count() {
            0 if named.clone().next().is_none() => Err(NoCandidate::UnknownKey),
            0 => Err(NoCandidate::WrongAlgorithm),
            count if count > MAX_CANDIDATES => Err(NoCandidate::TooMany),
            _ => Ok(fitting),
        }
    }
}
