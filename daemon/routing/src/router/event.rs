//! What goes into the router and what comes out.

use std::sync::Arc;

use crate::attributes::Attributes;
use crate::fsm::{ConnectionId, DownReason, PeerId};
use crate::message::{KeySet, Message, Outgoing};
use crate::notification::Notification;
use crate::router::config::PeerConfig;
use crate::router::import::Refusal;
use crate::service::Service;

/// How a session is freshened up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// End it and begin another.
    Hard,
    /// Have the peer say everything again.
    SoftIn,
    /// Say everything to the peer again.
    SoftOut,
}

/// What happens to the router. The shell hands in one at a time.
#[derive(Debug)]
pub enum Event {
    /// A peer is configured, or configured otherwise. What can change without ending its session does.
    ConfigurePeer(Box<PeerConfig>),
    /// A peer is no longer one.
    RemovePeer(PeerId),
    /// The operator wants a peer's session freshened up. Starts a stopped peer again.
    ResetPeer(PeerId, Reset),
    /// This node offers a service; or offers it otherwise. Path and origin are filled in by the router; the next hop is
    /// the service's own endpoint.
    Announce(Service, Box<Attributes>),
    /// This node does not offer the service any more.
    Withdraw(Service),
    /// An issuer of this organisation publishes keys.
    PublishKeys(Arc<KeySet>),
    /// The dial that [`Action::Dial`] asked for has succeeded.
    Dialled {
        /// Whom it was to reach.
        peer: PeerId,
        /// The new connection.
        connection: ConnectionId,
        /// Who it reached, if the transport has proved that. Without proof, the peer's Open is believed.
        proved: Option<PeerId>,
    },
    /// That dial has failed.
    DialFailed {
        /// Whom it was to reach.
        peer: PeerId,
    },
    /// Somebody has dialled this node.
    Accepted {
        /// The new connection.
        connection: ConnectionId,
        /// Who it is, if the transport has proved that. Without proof, the Open is believed.
        proved: Option<PeerId>,
    },
    /// A message came.
    Received {
        /// On this connection.
        connection: ConnectionId,
        /// This one.
        message: Message,
    },
    /// Something came that is no message; or the shell can't keep up with the connection. It ends with this.
    Refused {
        /// On this connection.
        connection: ConnectionId,
        /// What the other side is told.
        notification: Notification,
    },
    /// A connection is gone.
    Closed {
        /// This one.
        connection: ConnectionId,
    },
    /// This node is about to go: peers are asked to use other paths first (RFC 8326).
    Drain,
    /// This node goes: all sessions end.
    Shutdown,
    /// Time has passed; see [`crate::router::Router::next_deadline`].
    Tick,
}

/// What the shell is to do, in order.
#[derive(Debug)]
pub enum Action {
    /// Dial a peer, and answer with [`Event::Dialled`] or [`Event::DialFailed`].
    Dial {
        /// This one.
        peer: Arc<PeerId>,
    },
    /// Send a message.
    Send {
        /// On this connection.
        connection: ConnectionId,
        /// This one.
        message: Arc<Outgoing>,
    },
    /// There are updates for a peer: as soon as there is room, take them from
    /// [`crate::router::Router::next_message`] until there are none. Said again only after it has said "none".
    UpdatesReady {
        /// On this connection.
        connection: ConnectionId,
    },
    /// Close a connection once what was sent is out.
    Close {
        /// This one.
        connection: ConnectionId,
    },
    /// The routes in use have changed; see [`crate::router::Router::snapshot`].
    RoutesChanged,
    /// For people: a session is up.
    SessionUp {
        /// With this peer.
        peer: Arc<PeerId>,
    },
    /// For people: a session has ended.
    SessionDown {
        /// With this peer.
        peer: Arc<PeerId>,
        /// Why.
        reason: DownReason,
        /// Its routes are kept for now.
        retained: bool,
    },
    /// For people: an update had routes that were refused; they count as withdrawn.
    RoutesRefused {
        /// From this peer.
        peer: Arc<PeerId>,
        /// How many.
        count: usize,
        /// The first of them, as far as it is known which.
        service: Option<Service>,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// For people: a peer announces many routes.
    RouteLimitNear {
        /// This peer.
        peer: Arc<PeerId>,
        /// So many.
        routes: u32,
        /// One more than this ends the session.
        max: u32,
    },
    /// Keys of an issuer have been learned, or have changed.
    KeysLearned {
        /// From this peer.
        peer: Arc<PeerId>,
        /// These.
        keys: Arc<KeySet>,
    },
    /// For people: what was asked for can't be done.
    Rejected(Rejection),
}

/// Why something the shell asked for can't be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A peer with this node's own identity.
    #[error("peer {0} is this node itself")]
    OwnIdentity(PeerId),
    /// More than [`super::MAX_PEERS`].
    #[error("peer {0}: there are {max} peers already", max = super::MAX_PEERS)]
    TooManyPeers(PeerId),
    /// No such peer.
    #[error("no peer {0} is configured")]
    NoSuchPeer(PeerId),
    /// A service of this node's own that is not under its organisation's name.
    #[error("service {0} does not lie under this node's organisation {1}")]
    ForeignService(Service, crate::name::OrgName),
    /// More than [`super::MAX_LOCAL_SERVICES`].
    #[error("service {0}: this node has {max} services already", max = super::MAX_LOCAL_SERVICES)]
    TooManyServices(Service),
    /// More than [`super::MAX_KEY_SETS`].
    #[error("issuer {0}: there are {max} key sets already", max = super::MAX_KEY_SETS)]
    TooManyKeySets(Arc<str>),
    /// Keys that are no newer than those there are.
    #[error("issuer {issuer}: keys have sequence {offered}, but {known} is known already")]
    OldKeys {
        /// Whose keys.
        issuer: Arc<str>,
        /// The sequence of the keys offered.
        offered: u64,
        /// The sequence of those known.
        known: u64,
    },
}
