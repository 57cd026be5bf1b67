//! What is routed: the input of a snapshot.

use std::collections::BTreeMap;

use crate::config::{self, Access, Protocol, ServiceName, ServiceUrl};

/// Every service that requests can be sent to, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The key is the service's own name.
    pub services: BTreeMap<ServiceName, Service>,
}

/// One service and where its requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What the service speaks.
    pub protocol: Protocol,
    /// Who may call it.
    pub access: Access,
    /// Free words for policies; sorted, without duplicates.
    pub tags: Vec<String>,
    /// Where it listens.
    pub url: ServiceUrl,
}

impl Table {
    /// The services of the configuration.
    pub fn new(services: &[config::Service]) -> Self {
        let entry = |service: &config::Service| {
            let config::Service { name, protocol, url, tags, access } = service.clone();
            (name, Service { protocol, access, tags, url })
        };
        Self { services: services.iter().map(entry).collect() }
    }
}
