//! Who is connected to the xDS server, and how far each client is.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::stream::{Dialect, TypeStatus};

/// One connected client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientStatus {
    /// The id that it gave itself; empty until its first request.
    pub node: String,
    /// The variant of the protocol that it speaks.
    pub dialect: Dialect,
    /// The generation of the last snapshot that it has accepted or refused in full.
    pub settled: Option<u64>,
    /// The types that it asked for.
    pub types: Vec<TypeStatus>,
}

impl ClientStatus {
    /// How many resources it refused.
    pub fn rejected(&self) -> usize {
        self.types.iter().map(|status| status.rejected.len()).sum()
    }
}

/// The clients that are connected, by a number of their own.
#[derive(Debug, Clone)]
pub struct Clients {
    all: watch::Sender<BTreeMap<u64, Arc<ClientStatus>>>,
}

/// A client's place among [`Clients`]; dropped when its stream ends.
#[derive(Debug)]
pub(super) struct Registration {
    clients: Clients,
    number: u64,
}

impl Default for Clients {
    fn default() -> Self {
        Self { all: watch::Sender::new(BTreeMap::new()) }
    }
}

impl Clients {
    /// The clients at each moment.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<u64, Arc<ClientStatus>>> {
        self.all.subscribe()
    }

    /// Adds a client, unless there are `limit` already.
    pub(super) fn register(&self, status: ClientStatus, limit: usize) -> Option<Registration> {
        let mut number = None;
        self.all.send_if_modified(|all| {
            if all.len() >= limit {
                return false;
            }
            let next = all.last_key_value().map_or(1, |(last, _)| last + 1);
            number = Some(next);
            all.insert(next, Arc::new(status));
            true
        });
        number.map(|number| Registration { clients: self.clone(), number })
    }
}

impl Registration {
    /// Tells everybody who watches, if something has changed.
    pub(super) fn update(&self, status: ClientStatus) {
        self.clients.all.send_if_modified(|all| match all.get_mut(&self.number) {
            Some(current) if **current != status => {
                *current = Arc::new(status);
                true
            }
            Some(_) | None => false,
        });
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.clients.all.send_modify(|all| {
            all.remove(&self.number);
        });
    }
}
