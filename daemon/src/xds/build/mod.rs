//! From what is routed to what Envoy is told: a pure function.
//!
//! | part | makes |
//! |---|---|
//! | [`cluster`] | a cluster for each service and one for the gateway, and their endpoints |
//! | [`route`] | the route tables of the three listeners |
//! | [`listener`] | the three HTTP listeners, hardened as an edge |
//! | [`filter`] | the authorization filter: its place in a chain, its configuration, its settings for a route |
//!
//! Everything is encoded deterministically: the same table and settings give the same bytes in every process. A
//! protobuf map has one entry at most, since `prost` keeps maps in a `HashMap`.

mod cluster;
mod filter;
mod listener;
mod proto;
mod route;

use std::net::SocketAddr;
use std::path::PathBuf;

use super::resource::Resource;
use super::snapshot::Snapshot;
use super::table::Table;
use crate::config::{OrgName, Protocol};

pub use listener::Entry;

/// What of the node itself goes into a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// The node's organisation.
    pub org: OrgName,
    /// Where clients enter.
    pub ingress: SocketAddr,
    /// Where the gateway's calls enter, with the client's token.
    pub egress: SocketAddr,
    /// Where the node's own calls enter, without a token.
    pub node_socket: PathBuf,
    /// The gateway, if there is one.
    pub gateway: Option<Gateway>,
    /// The authorization filter.
    pub filter: Filter,
    /// Certificates (PEM) of the authorities that are trusted when a service is called over TLS. `None`: no service
    /// can be called over TLS.
    pub trusted_ca: Option<PathBuf>,
}

/// The GraphQL gateway as Envoy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The Unix socket it listens on.
    pub socket: PathBuf,
    /// Whether a browser is given GraphiQL, without a token.
    pub graphiql: bool,
}

/// The authorization filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Absolute path of the module. Envoy loads a path once: another version needs another path.
    pub module: PathBuf,
    /// The JSON of a `catalyst_authz::config::FilterConfig` that an engine was made of.
    pub config: String,
}

/// Everything that a node's Envoy needs to serve `table`. A service that speaks TCP has no listener, hence nothing.
pub fn build(table: &Table, node: &NodeSettings) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut add = |resource: Resource| snapshot.insert(resource.into());
    add(Resource::new(&filter::extension(&node.filter)));
    for entry in Entry::ALL {
        add(Resource::new(&listener::listener(entry, node)));
        add(Resource::new(&route::table(entry, table, node)));
    }
    if let Some(gateway) = &node.gateway {
        add(Resource::new(&cluster::gateway(gateway)));
    }
    for (name, service) in &table.services {
        match service.protocol {
            Protocol::Graphql | Protocol::Http | Protocol::Grpc => {
                add(Resource::new(&cluster::cluster(name, service, node)));
                if let Some(endpoints) = cluster::endpoints(name, service) {
                    add(Resource::new(&endpoints));
                }
            }
            Protocol::Tcp => {}
        }
    }
    snapshot
}

#[cfg(test)]
mod tests;
