//! Where services and listeners are: URLs and addresses with their parts taken apart.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::Protocol;

/// Longest URL in bytes; a longer one is refused.
pub(super) const MAX_URL: usize = 2048;
/// The path of a GraphQL service whose URL names none.
pub const DEFAULT_GRAPHQL_PATH: &str = "/graphql";

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl {
    scheme: Scheme,
    host: Host,
    port: u16,
    path: Option<String>,
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
    /// A byte stream in the clear.
    Tcp,
}

/// A host by address or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A literal address.
    Ip(IpAddr),
    /// A DNS name, in lower case.
    Name(String),
}

/// Why a URL does not say where a service listens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceUrlError {
    /// No URL at all.
    #[error("it is no absolute URL")]
    NotUrl,
    /// Over [`MAX_URL`].
    #[error("it has {0} bytes; at most {MAX_URL} are allowed")]
    TooLong(usize),
    /// A scheme that the protocol is not spoken over.
    #[error("scheme `{scheme}` does not fit protocol `{protocol}`")]
    Scheme {
        /// The scheme found.
        scheme: String,
        /// The service's protocol.
        protocol: Protocol,
    },
    /// A user or password in the URL.
    #[error("it holds a user name or password")]
    UserInfo,
    /// A query or fragment.
    #[error("it has a query or fragment")]
    QueryOrFragment,
    /// Port 0, or none where the scheme has no default.
    #[error("it names no port")]
    Port,
    /// A path where the client's own path is sent on.
    #[error("it has the path `{path}`, but protocol `{protocol}` sends the caller's own path")]
    Path {
        /// The path found.
        path: String,
        /// The service's protocol.
        protocol: Protocol,
    },
}

impl ServiceUrl {
    /// Parses a URL for a service of `protocol`: `http` or `https` for GraphQL, HTTP and gRPC, `tcp` for TCP. Only
    /// GraphQL may have a path, and has [`DEFAULT_GRAPHQL_PATH`] if the URL names none.
    pub fn new(text: &str, protocol: Protocol) -> Result<Self, ServiceUrlError> {
        if text.len() > MAX_URL {
            return Err(ServiceUrlError::TooLong(text.len()));
        }
        let (scheme_text, rest) = text.split_once("://").ok_or(ServiceUrlError::NotUrl)?;
        if rest.contains(['?', '#']) {
            return Err(ServiceUrlError::QueryOrFragment);
        }
        let scheme = Scheme::of(scheme_text, protocol)?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => (&rest[..slash], Some(&rest[slash..])),
            None => (rest, None),
        };
        if authority.contains('@') {
            return Err(ServiceUrlError::UserInfo);
        }
        let (host, port) = host_and_port(authority, scheme)?;
        Ok(Self { scheme, host, port, path: path_for(path, protocol)? })
    }

    /// How the service is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host to connect to.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port to connect to; never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of a GraphQL service; `None` for every other protocol.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }
}

fn host_and_port(authority: &str, scheme: Scheme) -> Result<(Host, u16), ServiceUrlError> {
    let authority: http::uri::Authority = authority.parse().map_err(|_| ServiceUrlError::NotUrl)?;
    let host = Host::new(authority.host()).ok_or(ServiceUrlError::NotUrl)?;
    // `Authority` keeps a port that does not fit 16 bits; only its absence may fall back to the default.
    let colon = authority.as_str()[authority.host().len()..].strip_prefix(':');
    let port = match (colon, authority.port_u16()) {
        (Some(_), port) => port,
        (None, _) => scheme.default_port(),
    };
    match port {
        Some(0) | None => Err(ServiceUrlError::Port),
        Some(port) => Ok((host, port)),
    }
}

fn path_for(path: Option<&str>, protocol: Protocol) -> Result<Option<String>, ServiceUrlError> {
    match (protocol, path) {
        (Protocol::Graphql, None) => Ok(Some(DEFAULT_GRAPHQL_PATH.to_owned())),
        (Protocol::Graphql, Some(path)) => {
            let parsed: http::uri::PathAndQuery = path.parse().map_err(|_| ServiceUrlError::NotUrl)?;
            Ok(Some(parsed.path().to_owned()))
        }
        (Protocol::Http | Protocol::Grpc | Protocol::Tcp, None | Some("/")) => Ok(None),
        (Protocol::Http | Protocol::Grpc | Protocol::Tcp, Some(path)) => {
            Err(ServiceUrlError::Path { path: path.to_owned(), protocol })
        }
    }
}

impl Scheme {
    fn of(text: &str, protocol: Protocol) -> Result<Self, ServiceUrlError> {
        match (text, protocol) {
            ("http", Protocol::Graphql | Protocol::Http | Protocol::Grpc) => Ok(Self::Http),
            ("https", Protocol::Graphql | Protocol::Http | Protocol::Grpc) => Ok(Self::Https),
            ("tcp", Protocol::Tcp) => Ok(Self::Tcp),
            (_, protocol) => Err(ServiceUrlError::Scheme { scheme: text.to_owned(), protocol }),
        }
    }

    fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Tcp => None,
        }
    }
}

impl Host {
    fn new(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(address.into()));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Ip(address));
        }
        let label =
            |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        text.split('.').all(label).then(|| Self::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path } = self;
        write!(f, "{scheme}://{host}:{port}{}", path.as_deref().unwrap_or(""))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Where a server of this node's own listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket.
    Unix(PathBuf),
    /// A loopback address, never port 0.
    Tcp(SocketAddr),
}

/// Why a text does not say where to listen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// Neither `unix:PATH` nor an address.
    #[error("it is neither `unix:PATH` nor an address with a port")]
    NotAddress,
    /// Everybody on the network could connect.
    #[error("it is not a loopback address")]
    NotLoopback,
    /// A port that the other side could not know.
    #[error("port 0 is no fixed port")]
    PortZero,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, protocol: Protocol, expected: Result<&str, ServiceUrlError>) {
        let found = ServiceUrl::new(text, protocol).map(|url| url.to_string());
        assert_eq!(found, expected.map(str::to_owned), "{text:?}");
    }

    #[test]
    fn a_url_is_read_for_its_protocol() {
        use Protocol::{Graphql, Grpc, Http, Tcp};
        check("http://127.0.0.1:4001/graphql", Graphql, Ok("http://127.0.0.1:4001/graphql"));
        check("http://127.0.0.1:4001", Graphql, Ok("http://127.0.0.1:4001/graphql"));
        check("http://127.0.0.1:4001/", Graphql, Ok("http://127.0.0.1:4001/"));
        check("https://Books.Internal/q", Graphql, Ok("https://books.internal:443/q"));
        check("http://files/", Http, Ok("http://files:80"));
        check("http://[::1]:8080", Grpc, Ok("http://[::1]:8080"));
        check("tcp://10.0.0.9:5432", Tcp, Ok("tcp://10.0.0.9:5432"));
    }

    #[test]
    fn a_url_that_cannot_be_served_is_refused() {
        use Protocol::{Graphql, Http, Tcp};
        let scheme = |s: &str, protocol| Err(ServiceUrlError::Scheme { scheme: s.into(), protocol });
        check("127.0.0.1:4001", Graphql, Err(ServiceUrlError::NotUrl));
        check("http://", Http, Err(ServiceUrlError::NotUrl));
        check("http://a b", Http, Err(ServiceUrlError::NotUrl));
        check("http://[::1", Http, Err(ServiceUrlError::NotUrl));
        check("http://ho$t", Http, Err(ServiceUrlError::NotUrl));
        check("htp://a", Http, scheme("htp", Http));
        check("http://a:1", Tcp, scheme("http", Tcp));
        check("tcp://a:1", Http, scheme("tcp", Http));
        check("http://u:p@a", Http, Err(ServiceUrlError::UserInfo));
        check("http://a?x", Http, Err(ServiceUrlError::QueryOrFragment));
        check("http://a/graphql#x", Graphql, Err(ServiceUrlError::QueryOrFragment));
        check("tcp://a", Tcp, Err(ServiceUrlError::Port));
        check("http://a:0", Http, Err(ServiceUrlError::Port));
        check("http://a:70000", Http, Err(ServiceUrlError::Port));
        check("http://a:", Http, Err(ServiceUrlError::Port));
        check("http://a/v1", Http, Err(ServiceUrlError::Path { path: "/v1".into(), protocol: Http }));
        check(&format!("http://{}", "a".repeat(MAX_URL)), Http, Err(ServiceUrlError::TooLong(MAX_URL + 7)));
    }
}
