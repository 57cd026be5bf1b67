//! The messages of a session, free of any encoding: the shell turns them into `catalyst.peering.v1` and back.

use std::num::NonZeroU8;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;

use crate::attributes::Attributes;
use crate::name::{NodeId, OrgName};
use crate::notification::Notification;
use crate::service::Service;

/// The version of the protocol that this node speaks.
pub const VERSION: u32 = 1;
/// The longest message on the wire, in bytes. A longer one ends the session with `MalformedMessage`.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// The most paths announced for one service in one message. Further ones are not announced; more from a peer are
/// treated as a withdrawal of the service.
pub const MAX_PATHS: usize = 8;
/// The longest key set, in bytes. A longer one is refused.
pub const MAX_KEY_SET_BYTES: usize = 64 * 1024;
/// The longest issuer of a key set, in bytes. A longer one is refused.
pub const MAX_ISSUER_BYTES: usize = 2048;
/// The longest signature over a key set, in bytes. A longer one is refused.
pub const MAX_SIGNATURE_BYTES: usize = 1024;

/// How long a session lives without hearing anything; off, or at least three seconds (RFC 4271 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldTime(u16);

/// A hold time of one or two seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hold time of {0} s; expected 0 (off) or at least 3")]
pub struct UnacceptableHoldTime(pub u16);

impl HoldTime {
    /// No hold timer and no keepalives: the transport alone tells that the peer is gone.
    pub const OFF: Self = Self(0);
    /// Ninety seconds, as RFC 4271 §10 suggests.
    pub const DEFAULT: Self = Self(90);

    /// A hold time in seconds; 1 and 2 are refused.
    pub const fn from_secs(secs: u16) -> Result<Self, UnacceptableHoldTime> {
        match secs {
            1 | 2 => Err(UnacceptableHoldTime(secs)),
            _ => Ok(Self(secs)),
        }
    }

    /// In seconds; 0 is off.
    pub const fn as_secs(self) -> u16 {
        self.0
    }

    /// The smaller of both sides' wishes; "off" is the smallest (RFC 4271 §4.2).
    pub fn negotiated(self, other: Self) -> Self {
        self.min(other)
    }

    /// The time without a message after which the session ends, unless off.
    pub fn hold(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::from_secs(u64::from(self.0)))
    }

    /// The time between keepalives, a third of the hold time (RFC 4271 §4.4), unless off.
    pub fn keepalive(self) -> Option<Duration> {
        self.hold().map(|hold| hold / 3)
    }
}

/// Which run of a node speaks: drawn at random when the daemon starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance(pub u64);

/// What an external peer is to the sender (RFC 9234 §4.1). Routes of a provider or a peer go to customers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The sender carries routes for the receiver.
    Provider,
    /// The receiver carries routes for the sender.
    Customer,
    /// Each exchanges only its own routes and those of its customers.
    Peer,
}

impl Role {
    /// The role the other side must have.
    pub const fn counterpart(self) -> Self {
        match self {
            Self::Provider => Self::Customer,
            Self::Customer => Self::Provider,
            Self::Peer => Self::Peer,
        }
    }

    /// The role in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Customer => "customer",
            Self::Peer => "peer",
        }
    }
}

/// RFC 4724 §3: the sender keeps its data plane while its control plane restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GracefulRestart {
    /// How long the receiver should wait for the sender to come back, in seconds.
    pub restart_secs: u16,
    /// The sender has just restarted: it will be a while before it has learned everything again.
    pub restarting: bool,
    /// The sender's data plane kept going while it was away.
    pub forwarding_preserved: bool,
}

/// What the sender can do beyond the bare protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// Graceful restart, if the sender does that.
    pub graceful_restart: Option<GracefulRestart>,
    /// The most paths per service that the sender wants to be told (RFC 7911); 1 is the best only.
    pub max_paths: NonZeroU8,
    /// The sender's role, if configured.
    pub role: Option<Role>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { graceful_restart: None, max_paths: NonZeroU8::MIN, role: None }
    }
}

/// The first message of each side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Open {
    /// The protocol's version; [`VERSION`].
    pub version: u32,
    /// The sender's organisation.
    pub org: OrgName,
    /// The sender.
    pub node: NodeId,
    /// Which run of the sender.
    pub instance: Instance,
    /// How many opens the sender has sent to the receiver in this run, this one included. Of two connections the one
    /// with the higher count is the newer one in the sender's eyes: the other it has given up.
    pub sequence: u64,
    /// The sender's wish; the smaller of both counts.
    pub hold_time: HoldTime,
    /// What the sender can do.
    pub capabilities: Capabilities,
}

/// Services that are announced with the same paths.
///
/// It replaces every path the sender announced for these services before, so that no path needs an id of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// One to [`MAX_PATHS`] paths, the sender's best first.
    pub paths: Vec<Arc<Attributes>>,
    /// The services.
    pub services: Vec<Service>,
}

/// A route of a peer's that can't be used as sent (RFC 7606).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedRoute {
    /// Its service, as far as that could be read: it is treated as withdrawn.
    pub service: Option<Service>,
    /// What is wrong with it, for people. Shared by all the routes with the same fault.
    pub reason: Arc<str>,
}

/// A change of the sender's routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Services no longer offered. Done before the announcements.
    pub withdraw: Vec<Service>,
    /// New and changed ones.
    pub announce: Vec<Announcement>,
    /// What could not be used, on receipt only; never sent.
    pub malformed: Vec<MalformedRoute>,
    /// Everything known when the session began has now been said (RFC 4724 §2).
    pub end_of_rib: bool,
}

impl Update {
    /// How many routes the update speaks of.
    pub fn routes(&self) -> usize {
        let announced: usize = self.announce.iter().map(|a| a.services.len()).sum();
        self.withdraw.len() + announced + self.malformed.len()
    }
}

/// RFC 2918 and its markers, RFC 7313.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteRefresh {
    /// Say everything again.
    Request,
    /// Everything follows; what is not repeated until `End` is gone.
    Begin,
    /// Everything has been repeated.
    End,
}

/// An issuer's public keys, as its organisation publishes them to those who must check its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// The organisation whose issuer it is. Key sets of different organisations are never merged.
    pub org: OrgName,
    /// The issuer: the `iss` of its tokens.
    pub issuer: Arc<str>,
    /// Grows with each change; an older one is never taken for a newer one.
    pub sequence: u64,
    /// How long it may be used without being confirmed, in seconds.
    pub max_age_secs: u32,
    /// The JWKS document.
    pub jwks: Bytes,
    /// Which of the organisation's keys signed.
    pub signer: Arc<str>,
    /// The organisation's signature. The shell checks it before it hands the message in.
    pub signature: Bytes,
}

/// A message of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Who I am.
    Open(Open),
    /// I am still here.
    Keepalive,
    /// My routes have changed.
    Update(Update),
    /// Say your routes again, or: I do.
    RouteRefresh(RouteRefresh),
    /// Public keys of an issuer.
    KeySet(Arc<KeySet>),
    /// The session ends, and why.
    Notification(Notification),
}

/// A message on its way out: one for all the peers that get the same, and so encoded once.
#[derive(Debug)]
pub struct Outgoing {
    /// What is sent.
    pub message: Message,
    encoded: OnceLock<Bytes>,
}

impl Outgoing {
    /// A message not encoded yet.
    pub fn new(message: Message) -> Arc<Self> {
        Arc::new(Self { message, encoded: OnceLock::new() })
    }

    /// The message's bytes, by `encode` the first time and from then on as they were.
    pub fn encoded(&self, encode: impl FnOnce(&Message) -> Bytes) -> Bytes {
        self.encoded.get_or_init(|| encode(&self.message)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_hold_time_counts_and_off_is_the_smallest() {
        let secs = |s| HoldTime::from_secs(s).expect("acceptable");
        assert_eq!(secs(90).negotiated(secs(30)), secs(30));
        assert_eq!(secs(90).negotiated(HoldTime::OFF), HoldTime::OFF);
        assert_eq!(HoldTime::OFF.keepalive(), None);
        assert_eq!(secs(90).keepalive(), Some(Duration::from_secs(30)));
        assert_eq!(HoldTime::from_secs(1), Err(UnacceptableHoldTime(1)));
        assert_eq!(HoldTime::from_secs(2), Err(UnacceptableHoldTime(2)));
        assert_eq!(HoldTime::from_secs(3).map(HoldTime::as_secs), Ok(3));
    }

    #[test]
    fn a_message_for_many_is_encoded_once() {
        let outgoing = Outgoing::new(Message::Keepalive);
        let first = outgoing.encoded(|_| Bytes::from_static(b"once"));
        let second = outgoing.encoded(|_| unreachable!("encoded already"));
        assert_eq!(first, second);
    }
}
