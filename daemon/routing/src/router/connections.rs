//! Whose each connection is.

use std::collections::BTreeMap;

use crate::fsm::{ConnectionId, PeerId};
use crate::rib::SourceId;
use crate::time::Time;

/// The most accepted connections whose sender is not known yet. A further one is closed at once.
pub const MAX_PENDING: usize = 256;

/// Whose a connection is.
#[derive(Debug)]
pub(super) enum Owner {
    /// Nobody's yet: the Open is awaited.
    Pending { proved: Option<PeerId>, open_by: Time },
    /// A peer's.
    Peer(SourceId),
}

/// All connections there are.
#[derive(Debug, Default)]
pub(super) struct Connections {
    owners: BTreeMap<ConnectionId, Owner>,
    pending: usize,
}

impl Connections {
    pub(super) fn peer(&self, connection: ConnectionId) -> Option<SourceId> {
        match self.owners.get(&connection)? {
            Owner::Pending { .. } => None,
            Owner::Peer(source) => Some(*source),
        }
    }

    pub(super) fn owner(&self, connection: ConnectionId) -> Option<&Owner> {
        self.owners.get(&connection)
    }

    /// Whether no further connection of somebody unknown is taken.
    pub(super) const fn is_full(&self) -> bool {
        self.pending >= MAX_PENDING
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.pending == 0 {
            return None;
        }
        let pending = self.owners.values().filter_map(|owner| match owner {
            Owner::Pending { open_by, .. } => Some(*open_by),
            Owner::Peer(_) => None,
        });
        pending.min()
    }

    pub(super) fn insert(&mut self, connection: ConnectionId, owner: Owner) {
        self.remove(connection);
        self.pending += usize::from(matches!(owner, Owner::Pending { .. }));
        self.owners.insert(connection, owner);
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<Owner> {
        let owner = self.owners.remove(&connection)?;
        self.pending -= usize::from(matches!(owner, Owner::Pending { .. }));
        Some(owner)
    }

    /// Connections that should have said by now who they are.
    pub(super) fn late(&self, now: Time) -> Vec<ConnectionId> {
        let late = |(connection, owner): (&ConnectionId, &Owner)| match owner {
            Owner::Pending { open_by, .. } => (*open_by <= now).then_some(*connection),
            Owner::Peer(_) => None,
        };
        self.owners.iter().filter_map(late).collect()
    }
}
