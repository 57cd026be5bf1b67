//! URLs of specifications: `https://host/path/NAME/vMAJOR.MINOR`.

use std::fmt;

use crate::model::Name;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version {
    pub major: u32,
    pub minor: u32,
}

impl Version {
    pub(crate) const fn new(major: u32, minor: u32) -> Version {
        Version { major, minor }
    }

    fn parse(segment: &str) -> Option<Version> {
        let (major, minor) = segment.strip_prefix('v')?.split_once('.')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten()
        };
        Some(Version { major: number(major)?, minor: number(minor)? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}", self.major, self.minor)
    }
}

/// A specification's URL, split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpecUrl {
    /// The URL without version, query and fragment.
    pub identity: String,
    pub name: Name,
    pub version: Version,
}

/// Why a URL names no specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpecUrlError {
    #[error("`{0}` is no absolute URL; expected `https://host/name/v1.0`")]
    Relative(String),
    #[error("`{0}` has no path; expected it to end in `/name/v1.0`")]
    NoPath(String),
    #[error("`{0}` does not end in a version; expected `…/v1.0`")]
    NoVersion(String),
    #[error("`{0}` names no specification before its version; expected it to end in `/name/v1.0`")]
    NoName(String),
}

impl SpecUrl {
    pub(crate) fn parse(url: &str) -> Result<SpecUrl, SpecUrlError> {
        let whole = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let path_start = whole.find("://").ok_or_else(|| SpecUrlError::Relative(url.to_owned()))? + 3;
        let (rest, last) =
            split_last(whole, path_start).ok_or_else(|| SpecUrlError::NoPath(url.to_owned()))?;
        let version = Version::parse(last).ok_or_else(|| SpecUrlError::NoVersion(url.to_owned()))?;
        let name = split_last(rest, path_start).map(|(_, name)| name).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| SpecUrlError::NoName(url.to_owned()))?.into();
        Ok(SpecUrl { identity: rest.to_owned(), name, version })
    }
}

impl fmt::Display for SpecUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.identity, self.version)
    }
}

/// Last segment of the path and what stands before it; the host is no segment.
fn split_last(url: &str, path_start: usize) -> Option<(&str, &str)> {
    let slash = path_start + url[path_start..].rfind('/')?;
    Some((&url[..slash], &url[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<(&str, &str, Version)>) {
        let parsed = SpecUrl::parse(url).ok();
        let found = parsed.as_ref().map(|u| (u.identity.as_str(), &*u.name, u.version));
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn a_url_splits_into_identity_name_and_version() {
        let expected = Some(("https://specs.apollo.dev/federation", "federation", Version::new(2, 9)));
        check("https://specs.apollo.dev/federation/v2.9", expected);
        check("https://specs.apollo.dev/federation/v2.9/?a=b#c", expected);
        check("https://h/a/b/v0.1", Some(("https://h/a/b", "b", Version::new(0, 1))));
    }

    #[test]
    fn a_url_without_name_or_version_is_refused() {
        for url in ["", "federation/v2.0", "https://h", "https://h/", "https://h/v1.0", "https://h/a/1.0"] {
            check(url, None);
        }
        for version in ["v1", "v1.", "v.1", "v1.x", "v-1.0", "v1.0.0", "v99999999999.0"] {
            check(&format!("https://h/a/{version}"), None);
        }
    }
}
