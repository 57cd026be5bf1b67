//! What is routed: a service's name and its protocol.

use crate::name::ServiceName;

/// How a service is spoken to. WebSocket is an upgrade of HTTP and needs no protocol of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1 or HTTP/2, told apart by `:authority`.
    Http,
    /// GraphQL over HTTP; also composed into the gateway's supergraph.
    Graphql,
    /// gRPC over HTTP/2.
    Grpc,
    /// Plain TCP, on a local port of each node's own.
    Tcp,
}

/// A protocol's name that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol `{0}`; expected http, graphql, grpc or tcp")]
pub struct UnknownProtocol(pub String);

impl Protocol {
    /// Every protocol there is.
    pub const ALL: [Self; 4] = [Self::Http, Self::Graphql, Self::Grpc, Self::Tcp];

    /// The name used in configuration and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Graphql => "graphql",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        // Cut what is quoted back: the text may be a peer's.
        let unknown = || UnknownProtocol(name.chars().take(32).collect());
        Self::ALL.into_iter().find(|p| p.as_str() == name).ok_or_else(unknown)
    }
}

/// The key of a route: BGP would say the NLRI. One name may be offered in several protocols, each routed by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// Its name, under its organisation's.
    pub name: ServiceName,
    /// How it is spoken to.
    pub protocol: Protocol,
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_reads_back_as_it_is_written() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.as_str().parse(), Ok(protocol));
        }
        assert_eq!("HTTP".parse::<Protocol>(), Err(UnknownProtocol("HTTP".to_owned())));
    }
}
