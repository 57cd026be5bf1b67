//! Names that only the configuration has; those of the domain are `catalyst_routing`'s.

use std::fmt;

use reqwest::Url;

use super::{NameError, OrgName, ServiceName};

/// Longest issuer in bytes; a longer one is refused.
const MAX_ISSUER: usize = 1024;

/// Reads a service's name. One that lies under `org` is taken as it is; any other is placed under it, so that `books`
/// and `books.acme.example` name the same service of `acme.example`.
pub(super) fn service_name(text: &str, org: &OrgName) -> Result<ServiceName, NameError> {
    match ServiceName::new(text) {
        Ok(name) if name.is_under(org) => Ok(name),
        Ok(_) | Err(_) => ServiceName::new(&format!("{text}.{org}")),
    }
}

/// Why a text is no URL of a key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetUrlError {
    /// Not a URL with a host, of a scheme that is fetched.
    #[error("it is no https or http URL")]
    NotUrl,
    /// Keys that travel in the open can be replaced on their way.
    #[error("keys over plain http can be replaced on their way")]
    Plain,
    /// It would stand in logs.
    #[error("a URL of keys holds no user and no password")]
    Credentials,
}

/// Reads the URL of a key set; plain HTTP only where private targets are allowed.
pub(super) fn key_set_url(text: &str, private: bool) -> Result<Url, KeySetUrlError> {
    let url: Url = text.parse().map_err(|_| KeySetUrlError::NotUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(KeySetUrlError::Credentials);
    }
    match (url.scheme(), url.has_host()) {
        ("https", true) => Ok(url),
        ("http", true) if private => Ok(url),
        ("http", true) => Err(KeySetUrlError::Plain),
        (_, _) => Err(KeySetUrlError::NotUrl),
    }
}

/// An issuer as it stands in the `iss` claim; compared byte for byte, hence kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerUrl(String);

/// Why a text is no issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Over the limit.
    #[error("it has {length} bytes; at most {MAX_ISSUER} are allowed")]
    TooLong {
        /// Bytes found.
        length: usize,
    },
    /// Not a URL.
    #[error("it is no https or http URL")]
    NotUrl,
    /// Query and fragment are not part of an issuer (RFC 8414, section 2).
    #[error("an issuer has no query and no fragment")]
    QueryOrFragment,
}

impl IssuerUrl {
    /// Checks an `https` or `http` URL without query and fragment.
    pub fn new(text: &str) -> Result<Self, IssuerError> {
        if text.len() > MAX_ISSUER {
            return Err(IssuerError::TooLong { length: text.len() });
        }
        if text.contains(['?', '#']) {
            return Err(IssuerError::QueryOrFragment);
        }
        let uri: http::Uri = text.parse().map_err(|_| IssuerError::NotUrl)?;
        match (uri.scheme_str(), uri.host()) {
            (Some("https" | "http"), Some(host)) if !host.is_empty() => Ok(Self(text.to_owned())),
            (Some(_) | None, Some(_) | None) => Err(IssuerError::NotUrl),
        }
    }

    /// The issuer as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_lies_under_its_organisation_however_it_is_written() {
        let org = OrgName::new("acme.example").unwrap();
        for (text, full) in [
            ("books", "books.acme.example"),
            ("books.acme.example", "books.acme.example"),
            ("eu.books", "eu.books.acme.example"),
            ("acme.example", "acme.example.acme.example"),
            ("booksacme.example", "booksacme.example.acme.example"),
        ] {
            assert_eq!(service_name(text, &org).unwrap().as_str(), full);
        }
        assert!(service_name("", &org).is_err());
        assert!(service_name("Books", &org).is_err());
        assert!(
            service_name(&["a"; 125].join("."), &org).is_err(),
            "too long once placed under the organisation"
        );
    }

    #[test]
    fn an_issuer_is_kept_as_written() {
        for text in ["https://id.acme.example", "https://id.acme.example/", "http://127.0.0.1:9/realms/a"] {
            assert_eq!(IssuerUrl::new(text).unwrap().as_str(), text);
        }
        for (text, expected) in [
            ("id.acme.example", IssuerError::NotUrl),
            ("ftp://id.acme.example", IssuerError::NotUrl),
            ("https://", IssuerError::NotUrl),
            ("https://id.acme.example/?a", IssuerError::QueryOrFragment),
        ] {
            assert_eq!(IssuerUrl::new(text), Err(expected), "{text:?}");
        }
    }
}
