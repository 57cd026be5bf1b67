//! What goes over a stream, in the one form that both dialects of the protocol are turned into.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::xds::resource::{Name, Resource, ResourceType};

/// Which variant of the protocol a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Incremental: a response carries what changed.
    Delta,
    /// State of the world: a response about clusters or listeners carries all of them.
    Sotw,
}

/// One request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is about.
    pub ty: ResourceType,
    /// How the client's subscription changes.
    pub names: Names,
    /// The response that it answers, if it does.
    pub reply: Option<Reply>,
    /// What the client has from an earlier stream. Counts in the first request for a type alone.
    pub known: Known,
}

/// A change of what a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// More and less of it (delta). `*` is everything.
    Change {
        /// Wanted from now on.
        subscribe: Vec<Name>,
        /// Wanted no longer.
        unsubscribe: Vec<Name>,
    },
    /// This, and nothing else (state of the world).
    Exactly(Vec<Name>),
}

/// A client's answer to a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Which response.
    pub nonce: String,
    /// Why it was refused; `None` if it was accepted. Nothing else tells a NACK from an ACK.
    pub error: Option<String>,
}

/// What a client has from an earlier stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Versions by resource (delta).
    Versions(BTreeMap<Name, Arc<str>>),
    /// One version of everything (state of the world). Empty: nothing.
    Whole(String),
}

/// One response to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What it is about.
    pub ty: ResourceType,
    /// Names the response in the client's reply.
    pub nonce: String,
    /// For a state-of-the-world client a hash of all that it has once it accepted this; else empty.
    pub version: String,
    /// What is new or different; with a state-of-the-world client everything, where the type demands it.
    pub resources: Vec<Arc<Resource>>,
    /// What is no more. Always empty for a state-of-the-world client.
    pub removed: Vec<Name>,
}
