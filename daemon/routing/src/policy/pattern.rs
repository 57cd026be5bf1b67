//! Patterns of service names: `books.acme.example`, `public-*.acme.example`, `**.acme.example`.

use crate::name::{MAX_NAME_BYTES, ServiceName};

/// A pattern of service names, matched label by label.
///
/// Inside a label `*` stands for any characters, none included, but never for a dot. A first label `**` stands for one
/// or more whole labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePattern {
    text: String,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Empty, or longer than a name can be.
    #[error("service pattern of {length} bytes; expected 1 to {MAX_NAME_BYTES}")]
    Length {
        /// How long it is, in bytes.
        length: usize,
    },
    /// A character that no name has.
    #[error(
        "service pattern `{pattern}`: {found:?} is in no service's name; expected a-z, 0-9, `-`, `.` or `*`"
    )]
    Character {
        /// The whole pattern.
        pattern: String,
        /// The character found.
        found: char,
    },
    /// An empty label, or `**` where it is not a whole first label.
    #[error("service pattern `{pattern}`: `**` can only be the whole first label, and no label is empty")]
    Label {
        /// The whole pattern.
        pattern: String,
    },
}

impl ServicePattern {
    /// Checks `pattern` and takes it.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        if pattern.is_empty() || pattern.len() > MAX_NAME_BYTES {
            return Err(PatternError::Length { length: pattern.len() });
        }
        let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.' | '*');
        if let Some(found) = pattern.chars().find(|c| !allowed(c)) {
            return Err(PatternError::Character { pattern: pattern.to_owned(), found });
        }
        let rest = pattern.strip_prefix("**.").unwrap_or(pattern);
        let bad = |label: &str| label.is_empty() || label.contains("**");
        if pattern != "**" && rest.split('.').any(bad) {
            return Err(PatternError::Label { pattern: pattern.to_owned() });
        }
        Ok(Self { text: pattern.to_owned() })
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `name` is one the pattern describes.
    pub fn matches(&self, name: &ServiceName) -> bool {
        let mut labels = name.as_str().rsplit('.');
        for pattern in self.text.rsplit('.') {
            let Some(label) = labels.next() else { return false };
            if pattern == "**" {
                return true;
            }
            if !label_matches(pattern.as_bytes(), label.as_bytes()) {
                return false;
            }
        }
        labels.next().is_none()
    }
}

/// Wildcard matching in linear time for practical purposes: on a mismatch only the last `*` takes one more character.
fn label_matches(pattern: &[u8], label: &[u8]) -> bool {
    let (mut p, mut l) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while l < label.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, l));
            p += 1;
        } else if pattern.get(p) == Some(&label[l]) {
            p += 1;
            l += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            l = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_label_by_label() {
        #[track_caller]
        fn check(pattern: &str, name: &str, expected: bool) {
            let pattern = ServicePattern::new(pattern).expect("a pattern");
            let name = ServiceName::new(name).expect("a name");
            assert_eq!(pattern.matches(&name), expected, "{pattern:?} {name}");
        }
        check("books.acme.example", "books.acme.example", true);
        check("books.acme.example", "v1.books.acme.example", false);
        check("*.acme.example", "books.acme.example", true);
        check("*.acme.example", "v1.books.acme.example", false);
        check("*.acme.example", "acme.example", false);
        check("**.acme.example", "books.acme.example", true);
        check("**.acme.example", "v1.books.acme.example", true);
        check("**.acme.example", "acme.example", false);
        check("**.acme.example", "books.notacme.example", false);
        check("**", "books.acme.example", true);
        check("public-*.acme.example", "public-books.acme.example", true);
        check("public-*.acme.example", "public-.books.acme.example".replace("-.", "-a.").as_str(), false);
        check("public-*.acme.example", "private-books.acme.example", false);
        check("*-v*.acme.example", "books-v2.acme.example", true);
        check("*-v*.acme.example", "a-vv-v.acme.example", true);
        check("*-v*.acme.example", "books.acme.example", false);
        check("b*s.acme.example", "bs.acme.example", true);
        check("b*s.acme.example", "book.acme.example", false);
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        let label = |p: &str| Err(PatternError::Label { pattern: p.to_owned() });
        assert_eq!(ServicePattern::new(""), Err(PatternError::Length { length: 0 }));
        assert_eq!(ServicePattern::new("a..b"), label("a..b"));
        assert_eq!(ServicePattern::new("a.**.b"), label("a.**.b"));
        assert_eq!(ServicePattern::new("a**.b"), label("a**.b"));
        let upper = PatternError::Character { pattern: "A.b".to_owned(), found: 'A' };
        assert_eq!(ServicePattern::new("A.b"), Err(upper));
    }
}
