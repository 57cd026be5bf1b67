//! What a decision is about: the request as the proxy sees it, and the time.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Route;

/// A point in time: whole seconds since 1970 in UTC. The engine has no clock; the shell passes the time in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// That many seconds after 1970-01-01T00:00:00Z.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn unix_seconds(self) -> u64 {
        self.0
    }
}

/// A time before 1970 counts as 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

/// A request. Everything is borrowed from the proxy's buffers; header values are bytes, as they came.
///
/// A field that the policies do not read (see [`crate::Engine::reads`]) may be left at its default. A field that
/// they read and that is left out is absent in Cedar's context; where the schema requires it (`path`, `host`,
/// `method`), it is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The route taken, or `None` for the configuration's `default_route`.
    pub route: Option<&'a Route>,
    /// Every value of the header [`crate::Engine::credentials_header`], one slice per header line.
    pub credentials: &'a [&'a [u8]],
    /// `:method`.
    pub method: &'a [u8],
    /// `:path`, normalised by the listener. The query is cut off before policies see it.
    pub path: &'a [u8],
    /// `:authority`.
    pub host: &'a [u8],
    /// The kind of GraphQL operation, where the shell knows it.
    pub operation: Option<GraphqlOperation>,
    /// The headers that the configuration lets policies read, names in lower case. Several lines of one name are
    /// joined with `, `.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The address the request came from.
    pub source: Option<IpAddr>,
    /// Who is at the other end of the TLS connection.
    pub tls_peer: Option<TlsPeer<'a>>,
    /// The organisation of the peer node that the request came through.
    pub peer_organisation: Option<&'a str>,
}

/// The verified client certificate of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsPeer<'a> {
    /// Its URI name (a SPIFFE id), else its DNS name, else its subject.
    pub identity: &'a str,
    /// SHA-256 of the certificate in DER, for tokens bound to it (RFC 8705).
    pub certificate_sha256: Option<[u8; 32]>,
}

/// The kind of a GraphQL operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GraphqlOperation {
    /// `query`.
    Query,
    /// `mutation`.
    Mutation,
    /// `subscription`.
    Subscription,
}
