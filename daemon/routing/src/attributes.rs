//! The attributes of a route: everything about it but the service's name. Shared by all the routes that have the same.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use crate::name::{HostName, NodeId, OrgName};
use crate::path::Path;
use crate::tag::{Tag, Tags};

/// The local preference of a route that nobody has given another (as most BGP speakers have it).
pub const DEFAULT_LOCAL_PREFERENCE: u32 = 100;
/// The longest cluster list (RFC 4456), in clusters. A longer one is treated as withdrawn.
pub const MAX_CLUSTERS: usize = 64;
/// The longest path prefix and the longest region, in bytes. A longer one is refused.
pub const MAX_TEXT_BYTES: usize = 256;

/// Why an attribute's text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// Empty or longer than [`MAX_TEXT_BYTES`].
    #[error("{what} of {length} bytes; expected 1 to {MAX_TEXT_BYTES}")]
    Length {
        /// Which attribute.
        what: &'static str,
        /// How long it is, in bytes.
        length: usize,
    },
    /// A path prefix that does not begin with a slash.
    #[error("path prefix `{0}` does not begin with `/`")]
    NotAbsolute(String),
    /// A path prefix with an empty, `.` or `..` segment: proxies disagree about what those mean.
    #[error("path prefix `{0}` has an empty, `.` or `..` segment")]
    Segment(String),
    /// A character that the attribute does not have.
    #[error("{what} `{text}`: {found:?} at byte {position} is not allowed")]
    Character {
        /// Which attribute.
        what: &'static str,
        /// The whole text.
        text: String,
        /// The character found.
        found: char,
        /// Its offset in bytes.
        position: usize,
    },
    /// More than [`MAX_CLUSTERS`] clusters.
    #[error("cluster list of {0}; at most {MAX_CLUSTERS} are allowed")]
    TooManyClusters(usize),
    /// A next hop with port 0.
    #[error("next hop `{0}` has port 0")]
    PortZero(Host),
}

fn check_text(what: &'static str, text: &str, allowed: fn(char) -> bool) -> Result<(), AttributeError> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES {
        return Err(AttributeError::Length { what, length: text.len() });
    }
    match text.char_indices().find(|&(_, c)| !allowed(c)) {
        Some((position, found)) => {
            Err(AttributeError::Character { what, text: text.to_owned(), found, position })
        }
        None => Ok(()),
    }
}

/// Where a host is: by address, or by a name that the data plane resolves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A DNS name.
    Name(HostName),
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

/// Where the data plane sends a request for the service: a peer's Envoy, or for a route of this node's own the service
/// itself. The announcer decides both host and port; a receiver never puts in its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    /// The host.
    pub host: Host,
    /// The port; never 0.
    port: NonZeroU16,
}

impl NextHop {
    /// A next hop; the port must not be 0.
    pub fn new(host: Host, port: u16) -> Result<Self, AttributeError> {
        match NonZeroU16::new(port) {
            Some(port) => Ok(Self { host, port }),
            None => Err(AttributeError::PortZero(host)),
        }
    }

    /// The port; never 0.
    pub const fn port(&self) -> u16 {
        self.port.get()
    }
}

impl std::fmt::Display for NextHop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Who first announced a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The organisation; the service's name lies under its name.
    pub org: OrgName,
    /// Its node; none once the route has left the organisation.
    pub node: Option<NodeId>,
}

/// How the origin came to know the service, best first (RFC 4271's ORIGIN).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginKind {
    /// In the node's configuration.
    #[default]
    Configured,
    /// Added while the node runs.
    Registered,
    /// Known in some other way.
    Incomplete,
}

/// What the origin's probe of the service says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It answers, or is not probed.
    #[default]
    Healthy,
    /// It does not answer. Announced only where the origin de-prefers rather than withdraws; the last to be chosen.
    Unhealthy,
}

/// A part of the world, in the operator's words (`eu-west`), for policies to match on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// Checks `region` and takes it: `a-z`, `0-9`, `-`, `_` and `.`.
    pub fn new(region: &str) -> Result<Self, AttributeError> {
        check_text("region", region, |c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.'))?;
        Ok(Self(Arc::from(region)))
    }

    /// The region as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The part of the URL's path that belongs to the service, where several share one name (`/v1/books`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(Arc<str>);

impl PathPrefix {
    /// Checks `prefix` and takes it: absolute, of RFC 3986's unreserved characters and slashes, already normal.
    pub fn new(prefix: &str) -> Result<Self, AttributeError> {
        check_text(
            "path prefix",
            prefix,
            |c| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' | '/'),
        )?;
        let Some(rest) = prefix.strip_prefix('/') else {
            return Err(AttributeError::NotAbsolute(prefix.to_owned()));
        };
        let inner = rest.strip_suffix('/').unwrap_or(rest);
        if !rest.is_empty() && inner.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(AttributeError::Segment(prefix.to_owned()));
        }
        Ok(Self(Arc::from(prefix)))
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of a GraphQL service's schema: when it changes, those who compose it know without asking.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SchemaDigest(pub [u8; 32]);

impl std::fmt::Debug for SchemaDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What route reflectors add (RFC 4456 §8), inside the organisation only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reflection {
    /// The node whose route was first reflected.
    pub originator: NodeId,
    clusters: Vec<NodeId>,
}

impl Reflection {
    /// A reflected route's originator, and the clusters it has passed, nearest first. A cluster is named by its id,
    /// which is its reflector's node id unless several reflectors share one.
    pub fn new(originator: NodeId, clusters: Vec<NodeId>) -> Result<Self, AttributeError> {
        if clusters.len() > MAX_CLUSTERS {
            return Err(AttributeError::TooManyClusters(clusters.len()));
        }
        Ok(Self { originator, clusters })
    }

    /// The clusters passed, nearest first.
    pub fn clusters(&self) -> &[NodeId] {
        &self.clusters
    }

    /// The same, having passed `cluster` too.
    pub fn through(&self, cluster: &NodeId) -> Result<Self, AttributeError> {
        let mut clusters = vec![cluster.clone()];
        clusters.extend_from_slice(&self.clusters);
        Self::new(self.originator.clone(), clusters)
    }
}

/// The attributes of a route. Kept once for all the routes that share them, so the route itself is a name and a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Who first announced the route.
    pub origin: Origin,
    /// How the origin knows it.
    pub origin_kind: OriginKind,
    /// Who has passed it on.
    pub path: Path,
    /// Where requests go.
    pub next_hop: NextHop,
    /// Higher is preferred. Meaningful inside one organisation; set anew on import from another.
    pub local_preference: u32,
    /// Lower is preferred: the announcer's wish among several ways in (RFC 4271's MULTI_EXIT_DISC). 0 when not given.
    pub med: u32,
    /// This path's share of the requests, where several of equal rank are used.
    pub weight: NonZeroU16,
    /// Communities.
    pub tags: Tags,
    /// What the origin's probe says.
    pub health: Health,
    /// Where in the world the origin is.
    pub region: Option<Region>,
    /// The part of the URL's path that is the service's.
    pub path_prefix: Option<PathPrefix>,
    /// The schema, if the service is a GraphQL one and its schema is known.
    pub schema: Option<SchemaDigest>,
    /// What route reflectors added.
    pub reflection: Option<Reflection>,
    /// RFC 9234's Only-to-Customer: set by the first who passed the route to a customer or a peer.
    pub only_to_customer: Option<OrgName>,
}

/// The weight of a path that was given none.
pub const DEFAULT_WEIGHT: NonZeroU16 = NonZeroU16::new(100).expect("100 is not 0");

impl Attributes {
    /// The attributes of a plain route of `origin`, to be reached at `next_hop`.
    pub fn new(origin: Origin, next_hop: NextHop) -> Self {
        Self {
            origin,
            origin_kind: OriginKind::Configured,
            path: Path::empty(),
            next_hop,
            local_preference: DEFAULT_LOCAL_PREFERENCE,
            med: 0,
            weight: DEFAULT_WEIGHT,
            tags: Tags::default(),
            health: Health::Healthy,
            region: None,
            path_prefix: None,
            schema: None,
            reflection: None,
            only_to_customer: None,
        }
    }

    /// The preference that the decision process compares: 0 for a route whose announcer is about to go (RFC 8326 §4.1)
    /// or whose service does not answer, so that every node, in every organisation, uses it last.
    pub fn effective_preference(&self) -> u32 {
        match self.health {
            Health::Unhealthy => 0,
            Health::Healthy if self.tags.contains(Tag::GRACEFUL_SHUTDOWN) => 0,
            Health::Healthy => self.local_preference,
        }
    }

    /// An upper bound of the attributes' size on the wire, in bytes, from which messages are kept within their limit.
    pub fn wire_size(&self) -> usize {
        let name = |n: &str| n.len() + 4;
        let hop = |org: &OrgName, node: Option<&NodeId>| {
            4 + name(org.as_str()) + node.map_or(0, |n| name(n.as_str()))
        };
        let host = match &self.next_hop.host {
            Host::Address(_) => 48,
            Host::Name(host) => name(host.as_str()),
        };
        let clusters = |r: &Reflection| r.clusters.iter().map(|c| name(c.as_str())).sum::<usize>();
        128 + host
            + hop(&self.origin.org, self.origin.node.as_ref())
            + self.path.hops().iter().map(|h| hop(&h.org, h.node.as_ref())).sum::<usize>()
            + self.tags.iter().map(|t| name(t.as_str())).sum::<usize>()
            + self.region.as_ref().map_or(0, |r| name(r.as_str()))
            + self.path_prefix.as_ref().map_or(0, |p| name(p.as_str()))
            + self.reflection.as_ref().map_or(0, |r| name(r.originator.as_str()) + clusters(r))
            + self.only_to_customer.as_ref().map_or(0, |o| name(o.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prefix_is_absolute_and_normal() {
        for good in ["/", "/v1", "/v1/", "/a/b.c/~d"] {
            assert!(PathPrefix::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "v1",
            "//",
            "/a//b",
            "/a/../b",
            "/.",
            "/a?b",
            "/a%2e",
            "/a b",
            &format!("/{}", "a".repeat(256)),
        ] {
            assert!(PathPrefix::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_next_hop_has_a_port() {
        let host = Host::Address(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(NextHop::new(host.clone(), 0), Err(AttributeError::PortZero(host.clone())));
        assert_eq!(NextHop::new(host, 80).map(|n| n.to_string()), Ok("10.0.0.1:80".to_owned()));
        let v6 = NextHop::new(Host::Address("::1".parse().expect("an address")), 80);
        assert_eq!(v6.map(|n| n.to_string()), Ok("[::1]:80".to_owned()));
    }

    #[test]
    fn a_service_that_fails_or_is_about_to_go_is_used_last() {
        let org = OrgName::new("acme.example").expect("a name");
        let host = Host::Address(IpAddr::from([10, 0, 0, 1]));
        let next_hop = NextHop::new(host, 80).expect("a port");
        let mut attributes = Attributes::new(Origin { org, node: None }, next_hop);
        attributes.local_preference = 500;
        assert_eq!(attributes.effective_preference(), 500);
        attributes.health = Health::Unhealthy;
        assert_eq!(attributes.effective_preference(), 0);
        attributes.health = Health::Healthy;
        attributes.tags.insert(Tag::new(Tag::GRACEFUL_SHUTDOWN).expect("a tag")).expect("room");
        assert_eq!(attributes.effective_preference(), 0);
    }
}
