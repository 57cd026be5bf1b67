//! Issuers' keys: who may bring whose, and who is told.

use std::sync::Arc;

use bytes::Bytes;
use catalyst_routing::fsm::ConnectionId;
use catalyst_routing::message::{KeySet, Message};
use catalyst_routing::router::{Action, Event, PeerConfig};

use crate::names::ACME;
use crate::solo::{Solo, id, node_config};

fn b() -> PeerConfig {
    PeerConfig::new(id(ACME, "b"))
}

fn c() -> PeerConfig {
    PeerConfig::new(id(ACME, "c"))
}

fn keys(org: &str, sequence: u64) -> Arc<KeySet> {
    Arc::new(KeySet {
        org: id(org, "x").org,
        issuer: "https://issuer.example".into(),
        sequence,
        max_age_secs: 3600,
        jwks: Bytes::from_static(b"{}"),
        signer: "k1".into(),
        signature: Bytes::from_static(b"signature"),
    })
}

/// To which connections keys of which sequence are sent.
fn keys_sent(actions: &[Action]) -> Vec<(ConnectionId, u64)> {
    let sent = actions.iter().filter_map(|a| match a {
        Action::Send { connection, message } => match &message.message {
            Message::KeySet(keys) => Some((*connection, keys.sequence)),
            _ => None,
        },
        _ => None,
    });
    sent.collect()
}

#[test]
fn keys_are_passed_on_inside_and_never_an_older_set() {
    let mut solo = Solo::new(node_config());
    let (to_b, to_c) = (solo.peer(b()), solo.peer(c()));
    let outside = solo.peer(PeerConfig::new(id("other.example", "o1")));
    let actions = solo.receive(to_b, Message::KeySet(keys("third.example", 5)));
    assert_eq!(keys_sent(&actions), [(to_c, 5)], "not back, and not to other organisations");
    assert!(actions.iter().any(|a| matches!(a, Action::KeysLearned { .. })));
    for old in [4, 5] {
        assert!(solo.receive(to_c, Message::KeySet(keys("third.example", old))).is_empty());
    }
    let actions = solo.handle(Event::PublishKeys(keys(ACME, 1)));
    assert_eq!(keys_sent(&actions), [(to_b, 1), (to_c, 1), (outside, 1)]);
}

#[test]
fn another_organisation_speaks_for_its_own_keys_only() {
    let mut solo = Solo::new(node_config());
    let outside = solo.peer(PeerConfig::new(id("other.example", "o1")));
    assert!(solo.receive(outside, Message::KeySet(keys("third.example", 1))).is_empty());
    assert!(solo.receive(outside, Message::KeySet(keys(ACME, 9))).is_empty());
    let actions = solo.receive(outside, Message::KeySet(keys("other.example", 1)));
    assert!(actions.iter().any(|a| matches!(a, Action::KeysLearned { .. })));
    assert_eq!(solo.router.peers(solo.now)[0].counters.refused, 2);
}

#[test]
fn a_peer_that_comes_up_is_told_the_keys_known() {
    let mut solo = Solo::new(node_config());
    solo.handle(Event::PublishKeys(keys(ACME, 1)));
    solo.configure(PeerConfig { passive: true, ..b() });
    let connection = solo.connection();
    solo.handle(Event::Accepted { connection, proved: None });
    let open = solo.open(&id(ACME, "b"));
    solo.receive(connection, Message::Open(open));
    let actions = solo.receive(connection, Message::Keepalive);
    assert_eq!(keys_sent(&actions), [(connection, 1)]);
}
