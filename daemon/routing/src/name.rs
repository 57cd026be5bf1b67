//! Names: organisations, nodes and services, each checked once and cheap to share afterwards.

use std::sync::Arc;

/// The longest name accepted, in bytes (RFC 1035 §2.3.4, without the root's dot). A longer one is refused.
pub const MAX_NAME_BYTES: usize = 253;
/// The longest label of a name, in bytes (RFC 1035 §2.3.4). A longer one is refused.
pub const MAX_LABEL_BYTES: usize = 63;

/// Why a text is no name. Says what the name was for, where it went wrong and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("{what} is empty; expected a name like `{example}`")]
    Empty {
        /// What the name was for.
        what: &'static str,
        /// A good one.
        example: &'static str,
    },
    /// More than [`MAX_NAME_BYTES`].
    #[error("{what} is {length} bytes long; at most {MAX_NAME_BYTES} are allowed")]
    TooLong {
        /// What the name was for.
        what: &'static str,
        /// How long it is, in bytes.
        length: usize,
    },
    /// A label that is empty or longer than [`MAX_LABEL_BYTES`].
    #[error("{what} `{name}`: label {index} is {length} bytes long; expected 1 to {MAX_LABEL_BYTES}")]
    LabelLength {
        /// What the name was for.
        what: &'static str,
        /// The whole name.
        name: String,
        /// Which label, counted from 1.
        index: usize,
        /// How long it is, in bytes.
        length: usize,
    },
    /// A character outside `a-z`, `0-9`, `-` and the dot between labels.
    #[error("{what} `{name}`: {found:?} at byte {position}; expected a-z, 0-9, `-` or `.` (in lower case)")]
    Character {
        /// What the name was for.
        what: &'static str,
        /// The whole name.
        name: String,
        /// The character found.
        found: char,
        /// Its offset in bytes.
        position: usize,
    },
    /// A label that begins or ends with a hyphen.
    #[error("{what} `{name}`: label {index} begins or ends with `-`")]
    Hyphen {
        /// What the name was for.
        what: &'static str,
        /// The whole name.
        name: String,
        /// Which label, counted from 1.
        index: usize,
    },
    /// The last label is a number, so that the name could be read as an IP address.
    #[error(
        "{what} `{name}` ends in a number and could be read as an IP address; expected a name like `{example}`"
    )]
    LooksLikeAddress {
        /// What the name was for.
        what: &'static str,
        /// The whole name.
        name: String,
        /// A good one.
        example: &'static str,
    },
    /// One label only, where the name must lie under another.
    #[error("{what} `{name}` has one label; expected a name under its organisation, like `{example}`")]
    NotQualified {
        /// What the name was for.
        what: &'static str,
        /// The whole name.
        name: String,
        /// A good one.
        example: &'static str,
    },
}

/// What a kind of name is called in errors, and what a good one looks like.
struct Kind {
    what: &'static str,
    example: &'static str,
}

/// DNS's letters-digits-hyphen rule in lower case: one spelling per name, so that equal means equal bytes.
fn check_labels(kind: &Kind, name: &str) -> Result<(), NameError> {
    let what = kind.what;
    if name.is_empty() {
        return Err(NameError::Empty { what, example: kind.example });
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong { what, length: name.len() });
    }
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
    if let Some((position, found)) = name.char_indices().find(|&(_, c)| !allowed(c)) {
        return Err(NameError::Character { what, name: name.to_owned(), found, position });
    }
    for (index, label) in (1..).zip(name.split('.')) {
        if label.is_empty() || label.len() > MAX_LABEL_BYTES {
            return Err(NameError::LabelLength { what, name: name.to_owned(), index, length: label.len() });
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Hyphen { what, name: name.to_owned(), index });
        }
    }
    Ok(())
}

/// A last label of digits only would let `10.0.0.1` through as a name (the URL standard's "ends in a number").
fn check_not_address(kind: &Kind, name: &str) -> Result<(), NameError> {
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NameError::LooksLikeAddress {
            what: kind.what,
            name: name.to_owned(),
            example: kind.example,
        });
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $example:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            const KIND: Kind = Kind { what: $what, example: $example };

            /// Checks `name` and takes it. Never changes it: a name in upper case is an error, not another spelling.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check_labels(&Self::KIND, name)?;
                let check: fn(&Kind, &str) -> Result<(), NameError> = $check;
                check(&Self::KIND, name)?;
                Ok(Self(Arc::from(name)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

name_type!(
    /// An organisation: a trust domain, named as a DNS name in lower case (`acme.example`).
    OrgName,
    "organisation name",
    "acme.example",
    check_not_address
);
name_type!(
    /// A node of an organisation (`edge-1`). Two nodes of one organisation never share one.
    NodeId,
    "node id",
    "edge-1",
    |_, _| Ok(())
);
name_type!(
    /// A service under its organisation's name (`books.acme.example`); also the `:authority` clients ask for.
    ServiceName,
    "service name",
    "books.acme.example",
    |kind, name| {
        if !name.contains('.') {
            let (what, example) = (kind.what, kind.example);
            return Err(NameError::NotQualified { what, name: name.to_owned(), example });
        }
        check_not_address(kind, name)
    }
);
name_type!(
    /// A host as a DNS name, where a next hop is not given by address.
    HostName,
    "host name",
    "edge-1.acme.example",
    check_not_address
);

impl ServiceName {
    /// Whether the name lies under `org`: `books.acme.example` does under `acme.example`, and neither
    /// `acme.example` itself nor `notacme.example` does.
    pub fn is_under(&self, org: &OrgName) -> bool {
        self.0.strip_suffix(org.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_of_lower_case_labels() {
        for name in ["acme.example", "acme", "a-1.b2.example", "xn--bcher-kva.example", &"a".repeat(63)] {
            assert_eq!(OrgName::new(name).map(|n| n.to_string()), Ok(name.to_owned()));
        }
        assert!(NodeId::new("1").is_ok(), "a node may be called by a number");
        assert!(ServiceName::new("books.acme").is_ok());
    }

    #[test]
    fn refuses_what_is_no_name_and_says_why() {
        #[track_caller]
        fn check(name: &str, expected: &str) {
            let error = ServiceName::new(name).expect_err(name).to_string();
            assert!(error.contains(expected), "{name:?}: {error}");
        }
        check("", "is empty; expected a name like `books.acme.example`");
        check(&"a.".repeat(127), "254 bytes long; at most 253");
        check("Books.acme", "'B' at byte 0");
        check("books.ac me", "' ' at byte 8");
        check("bücher.acme", "'ü' at byte 1");
        check("books..acme", "label 2 is 0 bytes long");
        check(".acme", "label 1 is 0 bytes long");
        check("books.acme.", "label 3 is 0 bytes long");
        check(&format!("{}.acme", "a".repeat(64)), "label 1 is 64 bytes long");
        check("-books.acme", "label 1 begins or ends with `-`");
        check("books.acme-", "label 2 begins or ends with `-`");
        check("10.0.0.1", "could be read as an IP address");
        check("books", "has one label");
        check("books.acme\0", "'\\0' at byte 10");
    }

    #[test]
    fn a_service_lies_under_its_organisation_by_whole_labels() {
        let org = OrgName::new("acme.example").expect("a name");
        let under = |name: &str| ServiceName::new(name).expect("a name").is_under(&org);
        assert!(under("books.acme.example"));
        assert!(under("v1.books.acme.example"));
        assert!(!under("acme.example"));
        assert!(!under("notacme.example"));
        assert!(!under("books.acme.example.evil"));
        assert!(!under("books.other.example"));
    }
}
