//! What a decision depends on beside the token, as bytes that can be compared.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::cedar::{Reads, schema};
use crate::config::Access;
use crate::request::{Request, Timestamp};
use crate::route::Route;

/// Route, action, and each thing that some policy reads. Two requests with equal keys and the same verified token
/// get the same decision. Keys of usual length stay on the stack.
pub(super) type DecisionKey = SmallVec<[u8; 256]>;

/// Decisions with a longer key are not cached, so that a client cannot fill the cache with long paths.
pub(super) const MAX_KEY_BYTES: usize = 2048;

pub(super) fn decision_key(
    reads: &Reads,
    route: &Route,
    action: &str,
    request: &Request<'_>,
    now: Timestamp,
) -> DecisionKey {
    let mut key = DecisionKey::new();
    key.extend_from_slice(route.id());
    match route.access() {
        Access::Public | Access::Authenticated => return key,
        Access::Policy => {}
    }
    let number = schema::ACTIONS.iter().position(|(name, _)| *name == action);
    key.push(u8::try_from(number.expect("actions are those of the schema")).expect("there are few actions"));
    if reads.path {
        text(&mut key, without_query(request.path));
    }
    if reads.method {
        text(&mut key, request.method);
    }
    if reads.host {
        text(&mut key, request.host);
    }
    for name in &reads.headers {
        let values = request.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| *value);
        values.for_each(|value| {
            key.push(1);
            text(&mut key, value);
        });
        key.push(0);
    }
    if reads.source {
        match request.source {
            None => key.push(0),
            Some(IpAddr::V4(address)) => {
                key.push(4);
                key.extend_from_slice(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                key.push(6);
                key.extend_from_slice(&address.octets());
            }
        }
    }
    if reads.tls_peer {
        optional(&mut key, request.tls_peer.map(|peer| peer.identity));
    }
    if reads.peer_organisation {
        optional(&mut key, request.peer_organisation);
    }
    if reads.time {
        key.extend_from_slice(&now.unix_seconds().to_be_bytes());
    }
    key
}

/// The path that policies see.
pub(super) fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// Appends text with its length, so that no two sequences of texts look alike.
fn text(key: &mut DecisionKey, text: &[u8]) {
    key.extend_from_slice(&(text.len() as u64).to_be_bytes());
    // Of what is too long for a key anyway the length suffices.
    if text.len() <= MAX_KEY_BYTES {
        key.extend_from_slice(text);
    } else {
        key.resize(MAX_KEY_BYTES + 1, 0);
    }
}

fn optional(key: &mut DecisionKey, value: Option<&str>) {
    match value {
        None => key.push(0),
        Some(value) => {
            key.push(1);
            text(key, value.as_bytes());
        }
    }
}
