//! Operations that clients send by their hash: automatically registered ones (Apollo's APQ), and lists that
//! name all operations there may be.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use hashbrown::DefaultHashBuilder;

/// Bytes of registered queries that are kept. When full, the least recently used are dropped, and their
/// clients asked for the text again.
const REGISTERED_BYTES: u64 = 16 << 20;

/// Operations in a list at most.
const MAX_LISTED: usize = 100_000;

/// The SHA-256 of a query's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueryHash([u8; 32]);

impl QueryHash {
    pub(crate) fn of(query: &str) -> Self {
        let hash = digest(&SHA256, query.as_bytes());
        Self(hash.as_ref().try_into().expect("a SHA-256 has 32 bytes"))
    }

    /// Reads hexadecimal digits, with or without `sha256:` before them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            *byte = (high? * 16 + low?) as u8;
        }
        Some(Self(hash))
    }
}

/// Which operations are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Persisted {
    /// All; a hash alone is none.
    #[default]
    Off,
    /// All; a query that came with its hash is known by the hash from then on.
    Automatic,
    /// Those of a list, by their text or their hash.
    Only(Arc<Safelist>),
}

/// A list of operations.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Safelist(HashMap<QueryHash, Box<str>>);

/// Why a list can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SafelistError {
    /// Not the JSON that it should be.
    #[error("not an object of queries by their SHA-256: {0}")]
    Json(#[from] serde_json::Error),
    /// A hash that is not its query's.
    #[error(
        "[\"{0}\"]: not the SHA-256 of its query; hash the very bytes of the text, in hexadecimal digits"
    )]
    Hash(String),
    /// Too many.
    #[error("{0} operations; a list has at most {MAX_LISTED}")]
    TooMany(usize),
}

impl Safelist {
    /// Reads an object in JSON whose keys are hashes and whose values are the queries.
    pub fn read(json: &str) -> Result<Self, SafelistError> {
        let listed: HashMap<String, Box<str>> = serde_json::from_str(json)?;
        if listed.len() > MAX_LISTED {
            return Err(SafelistError::TooMany(listed.len()));
        }
        let mut list = HashMap::with_capacity(listed.len());
        for (key, query) in listed {
            let hash = QueryHash::of(&query);
            if QueryHash::parse(&key) != Some(hash) {
                return Err(SafelistError::Hash(key));
            }
            list.insert(hash, query);
        }
        Ok(Self(list))
    }
}

/// Why a request's query is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Neither query nor hash.
    Missing,
    /// The hash is no SHA-256 in hexadecimal digits.
    Malformed,
    /// The hash is not the query's.
    Mismatch,
    /// Nothing is known by this hash; its client may send the query with it.
    Unknown,
    /// Hashes are not taken.
    Unsupported,
    /// Not on the list.
    NotListed,
}

/// Finds the text of queries.
#[derive(Debug)]
pub(crate) struct Queries {
    persisted: Persisted,
    registered: moka::sync::Cache<QueryHash, Arc<str>, DefaultHashBuilder>,
}

impl Queries {
    pub(crate) fn new(persisted: Persisted) -> Self {
        let registered = moka::sync::Cache::builder()
            .max_capacity(REGISTERED_BYTES)
            .weigher(|_, query: &Arc<str>| u32::try_from(query.len() + 64).unwrap_or(u32::MAX))
            .build_with_hasher(DefaultHashBuilder::default());
        Self { persisted, registered }
    }

    /// The text to answer, or `None` for that of the request itself.
    pub(crate) fn resolve(
        &self,
        query: Option<&str>,
        hash: Option<&str>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let hash = hash.map(|text| QueryHash::parse(text).ok_or(Refusal::Malformed)).transpose()?;
        match &self.persisted {
            Persisted::Off => match (query, hash) {
                (Some(_), _) => Ok(None),
                (None, Some(_)) => Err(Refusal::Unsupported),
                (None, None) => Err(Refusal::Missing),
            },
            Persisted::Automatic => match (query, hash) {
                (Some(_), None) => Ok(None),
                (Some(query), Some(hash)) if QueryHash::of(query) == hash => {
                    self.registered.insert(hash, Arc::from(query));
                    Ok(None)
                }
                (Some(_), Some(_)) => Err(Refusal::Mismatch),
                (None, Some(hash)) => self.registered.get(&hash).map(Some).ok_or(Refusal::Unknown),
                (None, None) => Err(Refusal::Missing),
            },
            Persisted::Only(list) => {
                let hash = match (query, hash) {
                    (Some(query), hash) => {
                        let own = QueryHash::of(query);
                        if hash.is_some_and(|hash| hash != own) {
                            return Err(Refusal::Mismatch);
                        }
                        own
                    }
                    (None, Some(hash)) => hash,
                    (None, None) => return Err(Refusal::Missing),
                };
                let listed = list.0.get(&hash).ok_or(Refusal::NotListed)?;
                Ok(query.is_none().then(|| Arc::from(&**listed)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "{__typename}";
    /// From APQ's documentation, where this query is the example.
    const HASH: &str = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38";

    fn resolve(
        queries: &Queries,
        query: Option<&str>,
        hash: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        queries.resolve(query, hash).map(|text| text.map(|text| text.to_string()))
    }

    #[test]
    fn hashes_are_those_of_other_implementations() {
        assert_eq!(QueryHash::parse(HASH), Some(QueryHash::of(QUERY)));
        assert_eq!(QueryHash::parse(&HASH[1..]), None);
        assert_eq!(QueryHash::parse(&HASH.replace('e', "g")), None);
    }

    #[test]
    fn takes_no_hashes_by_default() {
        let queries = Queries::new(Persisted::Off);
        assert_eq!(resolve(&queries, Some(QUERY), Some(HASH)), Ok(None));
        assert_eq!(resolve(&queries, None, Some(HASH)), Err(Refusal::Unsupported));
        assert_eq!(resolve(&queries, None, None), Err(Refusal::Missing));
    }

    #[test]
    fn registers_what_comes_with_its_hash() {
        let queries = Queries::new(Persisted::Automatic);
        assert_eq!(resolve(&queries, None, Some(HASH)), Err(Refusal::Unknown));
        assert_eq!(resolve(&queries, Some("{a}"), Some(HASH)), Err(Refusal::Mismatch));
        assert_eq!(resolve(&queries, None, Some(HASH)), Err(Refusal::Unknown));
        assert_eq!(resolve(&queries, Some(QUERY), Some(HASH)), Ok(None));
        assert_eq!(resolve(&queries, None, Some(HASH)), Ok(Some(QUERY.to_owned())));
        assert_eq!(resolve(&queries, None, Some("x")), Err(Refusal::Malformed));
    }

    #[test]
    fn answers_only_what_is_listed() {
        let list = Safelist::read(&format!(r#"{{"sha256:{HASH}": "{QUERY}"}}"#)).unwrap();
        let queries = Queries::new(Persisted::Only(Arc::new(list)));
        assert_eq!(resolve(&queries, None, Some(HASH)), Ok(Some(QUERY.to_owned())));
        assert_eq!(resolve(&queries, Some(QUERY), None), Ok(None));
        assert_eq!(resolve(&queries, Some("{a}"), None), Err(Refusal::NotListed));
        assert_eq!(resolve(&queries, Some("{a}"), Some(HASH)), Err(Refusal::Mismatch));
    }

    #[test]
    fn refuses_a_list_with_a_wrong_hash() {
        let error = Safelist::read(&format!(r#"{{"{HASH}": "{{a}}"}}"#)).unwrap_err();
        assert!(matches!(error, SafelistError::Hash(_)), "{error}");
    }
}
