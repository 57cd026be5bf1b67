//! Names with one constructor each: what was checked is a type.

use std::fmt;

/// Longest DNS name in bytes (RFC 1035, section 2.3.4, in its textual form).
pub(super) const MAX_NAME: usize = 253;
/// Longest label of a DNS name, and longest node id, in bytes.
pub(super) const MAX_LABEL: usize = 63;
/// Longest issuer in bytes; a longer one is refused.
pub(super) const MAX_ISSUER: usize = 2048;

/// An organisation: a trust domain, named as a DNS name in lower case (`acme.example`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrgName(String);

/// A node's name, unique within its organisation; a segment of a SPIFFE id's path (`edge-1`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(String);

/// A service's full name: one or more labels under its organisation's name (`books.acme.example`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName(String);

/// An issuer as it stands in the `iss` claim; compared byte for byte, hence kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerUrl(String);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Over the limit.
    #[error("it has {length} bytes; at most {limit} are allowed")]
    TooLong {
        /// Bytes found.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A character that does not belong.
    #[error("`{0}` is not allowed in it")]
    Character(char),
    /// Names are compared as written, so there is one way to write them.
    #[error("it has upper-case letters; write `{lower}`")]
    UpperCase {
        /// The name as it should be written.
        lower: String,
    },
    /// An empty label, or one that begins or ends with a hyphen.
    #[error("its label `{0}` is empty or begins or ends with `-`")]
    Label(String),
    /// An organisation's name needs a dot.
    #[error("it has one label only; an organisation is named by a DNS name such as `{0}.example`")]
    SingleLabel(String),
    /// An issuer has to be a URL.
    #[error("it is no https or http URL")]
    NotUrl,
    /// Query and fragment are not part of an issuer (RFC 8414, section 2).
    #[error("an issuer has no query and no fragment")]
    QueryOrFragment,
}

impl OrgName {
    /// Checks a DNS name of at least two labels.
    pub fn new(text: &str) -> Result<Self, NameError> {
        check_dns_name(text)?;
        if !text.contains('.') {
            return Err(NameError::SingleLabel(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl NodeId {
    /// Checks one label of lower-case letters, digits and inner hyphens.
    pub fn new(text: &str) -> Result<Self, NameError> {
        check_dns_name(text)?;
        match text.find('.') {
            Some(_) => Err(NameError::Character('.')),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl ServiceName {
    /// A name that ends with the organisation's is taken as it is; any other is placed under the organisation, so that
    /// `books` and `books.acme.example` name the same service of `acme.example`.
    pub fn new(text: &str, org: &OrgName) -> Result<Self, NameError> {
        check_dns_name(text)?;
        let under_org = text.strip_suffix(org.as_str()).is_some_and(|rest| rest.ends_with('.'));
        let full = if under_org { text.to_owned() } else { format!("{text}.{org}") };
        check_dns_name(&full)?;
        Ok(Self(full))
    }

    /// The name less the organisation's, if the service is under that organisation.
    pub fn relative_to(&self, org: &OrgName) -> Option<&str> {
        self.0.strip_suffix(org.as_str())?.strip_suffix('.')
    }
}

impl IssuerUrl {
    /// Checks an `https` or `http` URL without query and fragment.
    pub fn new(text: &str) -> Result<Self, NameError> {
        check_length(text, MAX_ISSUER)?;
        if text.contains(['?', '#']) {
            return Err(NameError::QueryOrFragment);
        }
        let uri: http::Uri = text.parse().map_err(|_| NameError::NotUrl)?;
        match (uri.scheme_str(), uri.host()) {
            (Some("https" | "http"), Some(host)) if !host.is_empty() => Ok(Self(text.to_owned())),
            (Some(_) | None, Some(_) | None) => Err(NameError::NotUrl),
        }
    }
}

fn check_length(text: &str, limit: usize) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        length if length > limit => Err(NameError::TooLong { length, limit }),
        _ => Ok(()),
    }
}

fn check_dns_name(text: &str) -> Result<(), NameError> {
    check_length(text, MAX_NAME)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if let Some(c) = text.chars().find(|c| !allowed(*c)) {
        return Err(NameError::Character(c));
    }
    if text.contains(|c: char| c.is_ascii_uppercase()) {
        return Err(NameError::UpperCase { lower: text.to_ascii_lowercase() });
    }
    for label in text.split('.') {
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Label(label.to_owned()));
        }
        if label.len() > MAX_LABEL {
            return Err(NameError::TooLong { length: label.len(), limit: MAX_LABEL });
        }
    }
    Ok(())
}

macro_rules! text_of_name {
    ($($name:ty),*) => {$(
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text_of_name!(OrgName, NodeId, ServiceName, IssuerUrl);

#[cfg(test)]
mod tests {
    use super::*;

    fn org() -> OrgName {
        OrgName::new("acme.example").unwrap()
    }

    #[test]
    fn an_organisation_is_a_lower_case_dns_name_of_two_labels_or_more() {
        let long = format!("{}.example", "a".repeat(64));
        let table: &[(&str, Option<NameError>)] = &[
            ("acme.example", None),
            ("a.b.c-d.example", None),
            ("", Some(NameError::Empty)),
            ("acme", Some(NameError::SingleLabel("acme".into()))),
            ("Acme.example", Some(NameError::UpperCase { lower: "acme.example".into() })),
            ("acme..example", Some(NameError::Label(String::new()))),
            ("acme.example.", Some(NameError::Label(String::new()))),
            ("-acme.example", Some(NameError::Label("-acme".into()))),
            ("ac_me.example", Some(NameError::Character('_'))),
            ("acmé.example", Some(NameError::Character('é'))),
            (&long, Some(NameError::TooLong { length: 64, limit: MAX_LABEL })),
        ];
        for (text, expected) in table {
            assert_eq!(OrgName::new(text).err(), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_node_id_is_one_label() {
        assert_eq!(NodeId::new("edge-1").unwrap().as_str(), "edge-1");
        assert_eq!(NodeId::new("edge.1"), Err(NameError::Character('.')));
        assert_eq!(NodeId::new("edge/1"), Err(NameError::Character('/')));
    }

    #[test]
    fn a_service_lies_under_its_organisation_however_it_is_written() {
        for (text, full) in [
            ("books", "books.acme.example"),
            ("books.acme.example", "books.acme.example"),
            ("eu.books", "eu.books.acme.example"),
            ("acme.example", "acme.example.acme.example"),
            ("booksacme.example", "booksacme.example.acme.example"),
        ] {
            let name = ServiceName::new(text, &org()).unwrap();
            assert_eq!(name.as_str(), full);
            assert_eq!(name.relative_to(&org()), full.strip_suffix(".acme.example"));
        }
        let long = vec!["a".repeat(60); 4].join(".");
        assert_eq!(ServiceName::new(&long, &org()), Err(NameError::TooLong { length: 256, limit: MAX_NAME }));
    }

    #[test]
    fn an_issuer_is_kept_as_written() {
        for text in ["https://id.acme.example", "https://id.acme.example/", "http://127.0.0.1:9/realms/a"] {
            assert_eq!(IssuerUrl::new(text).unwrap().as_str(), text);
        }
        for (text, expected) in [
            ("id.acme.example", NameError::NotUrl),
            ("ftp://id.acme.example", NameError::NotUrl),
            ("https://", NameError::NotUrl),
            ("https://id.acme.example/?a", NameError::QueryOrFragment),
        ] {
            assert_eq!(IssuerUrl::new(text), Err(expected), "{text:?}");
        }
    }
}
