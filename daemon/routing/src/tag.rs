//! Tags: the communities of RFC 1997, as words. Policies match on them and set them.

use std::sync::Arc;

/// The most tags a route carries. A route with more is treated as withdrawn; a policy that would add more leaves the
/// route as it is and says so.
pub const MAX_TAGS: usize = 32;
/// The longest tag, in bytes. A longer one is refused.
pub const MAX_TAG_BYTES: usize = 64;

/// Why a text is no tag, or tags are no set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Empty or longer than [`MAX_TAG_BYTES`].
    #[error("tag of {length} bytes; expected 1 to {MAX_TAG_BYTES}")]
    Length {
        /// How long it is, in bytes.
        length: usize,
    },
    /// A character that no tag has.
    #[error("tag `{tag}`: {found:?} at byte {position}; expected a-z, 0-9, `-`, `_`, `.`, `:` or `/`")]
    Character {
        /// The whole tag.
        tag: String,
        /// The character found.
        found: char,
        /// Its offset in bytes.
        position: usize,
    },
    /// More than [`MAX_TAGS`].
    #[error("{count} tags; at most {MAX_TAGS} are allowed")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// One tag, such as `public` or `tier:gold`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// RFC 8326: the announcer is about to go; receivers use any other path first.
    pub const GRACEFUL_SHUTDOWN: &'static str = "graceful-shutdown";
    /// RFC 1997: the route does not leave the organisation that received it.
    pub const NO_EXPORT: &'static str = "no-export";
    /// RFC 1997: the route is passed on to nobody.
    pub const NO_ADVERTISE: &'static str = "no-advertise";

    /// Checks `tag` and takes it.
    pub fn new(tag: &str) -> Result<Self, TagError> {
        if tag.is_empty() || tag.len() > MAX_TAG_BYTES {
            return Err(TagError::Length { length: tag.len() });
        }
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.' | ':' | '/');
        match tag.char_indices().find(|&(_, c)| !allowed(c)) {
            Some((position, found)) => Err(TagError::Character { tag: tag.to_owned(), found, position }),
            None => Ok(Self(Arc::from(tag))),
        }
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Tag {
    type Err = TagError;
    fn from_str(tag: &str) -> Result<Self, TagError> {
        Self::new(tag)
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A set of tags, sorted and without doubles, so that equal sets are equal bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// Sorts the tags and drops doubles; what remains must be at most [`MAX_TAGS`].
    pub fn new(mut tags: Vec<Tag>) -> Result<Self, TagError> {
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > MAX_TAGS {
            return Err(TagError::TooMany { count: tags.len() });
        }
        Ok(Self(tags))
    }

    /// Whether the set has a tag spelled `tag`.
    pub fn contains(&self, tag: &str) -> bool {
        self.0.binary_search_by(|t| t.as_str().cmp(tag)).is_ok()
    }

    /// The tags, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Tag> {
        self.0.iter()
    }

    /// How many tags there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a tag; nothing changes if it is there already.
    pub fn insert(&mut self, tag: Tag) -> Result<(), TagError> {
        match self.0.binary_search(&tag) {
            Ok(_) => Ok(()),
            Err(_) if self.0.len() == MAX_TAGS => Err(TagError::TooMany { count: MAX_TAGS + 1 }),
            Err(place) => {
                self.0.insert(place, tag);
                Ok(())
            }
        }
    }

    /// Removes a tag, if there.
    pub fn remove(&mut self, tag: &Tag) {
        if let Ok(place) = self.0.binary_search(tag) {
            self.0.remove(place);
        }
    }
}

impl std::fmt::Debug for Tags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(count: usize) -> Vec<Tag> {
        (0..count).map(|i| Tag::new(&format!("t{i}")).expect("a tag")).collect()
    }

    #[test]
    fn a_set_holds_32_tags_and_no_more() {
        let mut full = Tags::new(tags(32)).expect("32 fit");
        assert_eq!(Tags::new(tags(33)), Err(TagError::TooMany { count: 33 }));
        assert_eq!(full.insert(Tag::new("one-more").expect("a tag")), Err(TagError::TooMany { count: 33 }));
        assert_eq!(full.insert(Tag::new("t7").expect("a tag")), Ok(()), "it is there already");
    }

    #[test]
    fn order_and_doubles_do_not_matter() {
        let mut reversed = tags(5);
        reversed.reverse();
        reversed.extend(tags(3));
        assert_eq!(Tags::new(reversed), Tags::new(tags(5)));
    }

    #[test]
    fn refuses_what_is_no_tag() {
        assert_eq!(Tag::new(""), Err(TagError::Length { length: 0 }));
        assert_eq!(Tag::new(&"a".repeat(65)), Err(TagError::Length { length: 65 }));
        let error = Tag::new("pub lic").expect_err("a space");
        assert_eq!(error, TagError::Character { tag: "pub lic".to_owned(), found: ' ', position: 3 });
    }

    #[test]
    fn finds_adds_and_removes() {
        let mut set = Tags::new(tags(3)).expect("three fit");
        assert!(set.contains("t1") && !set.contains("t9"));
        set.remove(&Tag::new("t1").expect("a tag"));
        assert!(!set.contains("t1"));
        assert_eq!(set.len(), 2);
    }
}
