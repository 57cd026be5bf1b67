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
    /// Last path segment, where it can be a GraphQL name.
    pub name: Option<Name>,
    pub version: Option<Version>,
}

impl SpecUrl {
    pub(crate) fn parse(url: &str) -> SpecUrl {
        let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let (rest, last) = split_last(path);
        let version = Version::parse(last);
        let (identity, name) = if version.is_some() { (rest, split_last(rest).1) } else { (path, last) };
        SpecUrl { identity: identity.to_owned(), name: is_name(name).then(|| name.into()), version }
    }
}

/// Last segment of the path and what stands before it; the host is no segment.
fn split_last(url: &str) -> (&str, &str) {
    let path_start = url.find("://").map_or(0, |i| i + 3);
    match url[path_start..].rfind('/') {
        Some(slash) => (&url[..path_start + slash], &url[path_start + slash + 1..]),
        None => (url, ""),
    }
}

/// A name a link may take: `__` would collide with the separator of namespaced elements.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.contains("__")
        && !text.ends_with('_')
}
