//! Shorthands for the crate's own tests.

use std::net::IpAddr;

use crate::attributes::{Attributes, Host, NextHop, Origin};
use crate::name::{NodeId, OrgName, ServiceName};
use crate::path::{Hop, Path};
use crate::service::{Protocol, Service};
use crate::tag::Tag;

pub(crate) const ACME: &str = "acme.example";

pub(crate) fn org(name: &str) -> OrgName {
    OrgName::new(name).expect("a name")
}

pub(crate) fn node(name: &str) -> NodeId {
    NodeId::new(name).expect("a name")
}

pub(crate) fn tag(text: &str) -> Tag {
    Tag::new(text).expect("a tag")
}

/// `books` is `books.acme.example`; a name with a dot is as it is.
pub(crate) fn service(name: &str) -> Service {
    let full = if name.contains('.') { name.to_owned() } else { format!("{name}.{ACME}") };
    Service { name: ServiceName::new(&full).expect("a name"), protocol: Protocol::Graphql }
}

/// Hops, nearest first: `acme.example/n1 other.example`.
pub(crate) fn hops(text: &str) -> Path {
    let hop = |h: &str| match h.split_once('/') {
        Some((o, n)) => Hop::node(org(o), node(n)),
        None => Hop::org(org(h)),
    };
    Path::new(text.split_whitespace().map(hop).collect()).expect("short")
}

pub(crate) fn next_hop(last: u8, port: u16) -> NextHop {
    NextHop::new(Host::Address(IpAddr::from([10, 0, 0, last])), port).expect("a port")
}

/// A route of acme's node `origin`, as that node announces it.
pub(crate) fn attributes(origin: &str, med: u32) -> Attributes {
    let mut attributes =
        Attributes::new(Origin { org: org(ACME), node: Some(node(origin)) }, next_hop(1, 10_000));
    attributes.path = hops(&format!("{ACME}/{origin}"));
    attributes.med = med;
    attributes
}
