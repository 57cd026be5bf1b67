//! Shorthands.

use std::net::IpAddr;

use catalyst_routing::attributes::{Attributes, Host, NextHop, Origin};
use catalyst_routing::name::{OrgName, ServiceName};
use catalyst_routing::service::{Protocol, Service};

pub(crate) const ACME: &str = "acme.example";

pub(crate) fn org(name: &str) -> OrgName {
    OrgName::new(name).expect("a name")
}

pub(crate) fn service(name: &str) -> Service {
    let full = if name.contains('.') { name.to_owned() } else { format!("{name}.{ACME}") };
    Service { name: ServiceName::new(&full).expect("a name"), protocol: Protocol::Http }
}

pub(crate) fn next_hop(node: u8, port: u16) -> NextHop {
    NextHop::new(Host::Address(IpAddr::from([10, 0, 0, node])), port).expect("a port")
}

pub(crate) fn attributes(med: u32) -> Attributes {
    let mut attributes = Attributes::new(Origin { org: org(ACME), node: None }, next_hop(200, 8080));
    attributes.med = med;
    attributes
}
