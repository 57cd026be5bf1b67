//! Passing on issuers' public keys: who may speak for whom, and never an old set for a newer one.
//!
//! The shell checks a set's signature before it hands it in; here it is only decided whether the peer may bring it, whether
//! it is newer than what is known, and who is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fsm::ConnectionId;
use crate::message::{KeySet, Message, Outgoing};
use crate::name::OrgName;
use crate::rib::SourceId;
use crate::router::Router;
use crate::router::event::{Action, Rejection};

/// The most issuers whose keys are known. Keys of a further one are not taken.
pub const MAX_KEY_SETS: usize = 1024;

#[derive(Debug)]
struct Known {
    keys: Arc<KeySet>,
    from: SourceId,
}

/// The newest keys of each issuer of each organisation.
#[derive(Debug, Default)]
pub(super) struct KeySets {
    known: BTreeMap<(OrgName, Arc<str>), Known>,
}

impl KeySets {
    /// A removed peer's number may be another's soon. What it has brought stays: it was signed by its issuer.
    pub(super) fn forget_source(&mut self, source: SourceId) {
        self.known.values_mut().filter(|k| k.from == source).for_each(|k| k.from = SourceId::LOCAL);
    }

    fn take(&mut self, keys: &Arc<KeySet>, from: SourceId) -> Result<(), Rejection> {
        let key = (keys.org.clone(), Arc::clone(&keys.issuer));
        match self.known.get(&key) {
            Some(known) if known.keys.sequence >= keys.sequence => {
                return Err(Rejection::OldKeys {
                    issuer: Arc::clone(&keys.issuer),
                    offered: keys.sequence,
                    known: known.keys.sequence,
                });
            }
            Some(_) => {}
            None if self.known.len() == MAX_KEY_SETS => {
                return Err(Rejection::TooManyKeySets(Arc::clone(&keys.issuer)));
            }
            None => {}
        }
        self.known.insert(key, Known { keys: Arc::clone(keys), from });
        Ok(())
    }
}

impl Router {
    pub(super) fn publish_keys(&mut self, keys: Arc<KeySet>, actions: &mut Vec<Action>) {
        match self.keys.take(&keys, SourceId::LOCAL) {
            Ok(()) => self.relay_keys(&keys, SourceId::LOCAL, actions),
            Err(rejection) => actions.push(Action::Rejected(rejection)),
        }
    }

    /// An external peer speaks for its own organisation only, a node of this organisation for all that it has heard.
    /// Sets that are not new are what a mesh brings several times; nothing is said of them.
    pub(super) fn keys_received(&mut self, source: SourceId, keys: Arc<KeySet>, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        if !peer.internal && keys.org != peer.id.org {
            peer.counters.refused += 1;
            return;
        }
        let id = Arc::clone(&peer.id);
        match self.keys.take(&keys, source) {
            Ok(()) => {
                self.relay_keys(&keys, source, actions);
                actions.push(Action::KeysLearned { peer: id, keys });
            }
            Err(Rejection::OldKeys { .. }) => {}
            Err(rejection) => actions.push(Action::Rejected(rejection)),
        }
    }

    /// Tells a peer whose session has come up.
    pub(super) fn send_keys(&self, source: SourceId, connection: ConnectionId, actions: &mut Vec<Action>) {
        for known in self.keys.known.values() {
            if known.from != source && self.may_tell(source, &known.keys) {
                let message = Outgoing::new(Message::KeySet(Arc::clone(&known.keys)));
                actions.push(Action::Send { connection, message });
            }
        }
    }

    fn relay_keys(&self, keys: &Arc<KeySet>, from: SourceId, actions: &mut Vec<Action>) {
        let message = Outgoing::new(Message::KeySet(Arc::clone(keys)));
        for peer in self.peers.iter() {
            let Some(established) = &peer.established else { continue };
            if peer.source != from && self.may_tell(peer.source, keys) {
                let connection = established.session.connection;
                actions.push(Action::Send { connection, message: Arc::clone(&message) });
            }
        }
    }

    /// Nodes of this organisation are told all keys; others only those of this organisation's own issuers.
    fn may_tell(&self, to: SourceId, keys: &KeySet) -> bool {
        self.peers.by_source(to).is_some_and(|p| p.internal || keys.org == self.node.id.org)
    }
}
