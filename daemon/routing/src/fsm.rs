//! The peer's finite state machine: RFC 4271 §8's states over connections that the shell makes.
//!
//! One machine per configured peer. Both sides may dial; whoever dialled sends its Open first, and whoever was dialled
//! answers with its own once it knows who is there. So an accepted connection comes here with its Open
//! ([`Event::Accepted`]), a collision is seen when that Open arrives, and is settled at once ([`Fsm::handle`]): a peer
//! never has two connections.
//!
//! The states are the RFC's, with one difference: a lost session goes to Active rather than to Idle, so that the peer
//! can come back by itself while this side waits to dial. Idle is for peers that are stopped.

mod backoff;
mod machine;

use std::time::Duration;

pub use self::backoff::{MAX_RETRY, MIN_RETRY};
pub use self::machine::Fsm;
use crate::message::{Capabilities, HoldTime, Instance, Message, Open};
use crate::name::{NodeId, OrgName};
use crate::notification::Notification;
use crate::time::Time;

/// How long a dial may take. Then it counts as failed, and is tried again later.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the other side may take for its Open and its first Keepalive. Then the connection is closed.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection, as the shell numbers it; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Who a peer is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    /// Its organisation.
    pub org: OrgName,
    /// Its node id.
    pub node: NodeId,
}

impl std::fmt::Display for PeerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.org, self.node)
    }
}

/// What the machine says of itself, and whom it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub local: PeerId,
    /// This run of this node.
    pub instance: Instance,
    /// The peer.
    pub remote: PeerId,
    /// This side's wish.
    pub hold_time: HoldTime,
    /// What this side offers.
    pub capabilities: Capabilities,
    /// Never dial; wait for the peer to do so.
    pub passive: bool,
}

/// What was agreed when the session came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The connection it runs on.
    pub connection: ConnectionId,
    /// Which run of the peer.
    pub instance: Instance,
    /// The peer's count of opens; see [`Open::sequence`].
    pub sequence: u64,
    /// The smaller of both wishes.
    pub hold_time: HoldTime,
    /// What the peer offers.
    pub capabilities: Capabilities,
}

/// RFC 4271 §8.2.2's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Stopped; refuses connections.
    Idle {
        /// When it starts again by itself, if it does.
        restart_at: Option<Time>,
    },
    /// Dialling.
    Connect {
        /// When the dial counts as failed.
        give_up_at: Time,
    },
    /// Waiting for the peer, and for the time to dial again.
    Active {
        /// When it dials; never if passive.
        retry_at: Option<Time>,
    },
    /// Connected, having dialled; the peer's Open is awaited.
    OpenSent {
        /// The connection.
        connection: ConnectionId,
        /// When the peer is given up.
        open_by: Time,
    },
    /// Both Opens are exchanged; the peer's first Keepalive is awaited.
    OpenConfirm {
        /// What was agreed.
        session: Session,
        /// When the peer is given up.
        open_by: Time,
    },
    /// Routes are exchanged.
    Established {
        /// What was agreed.
        session: Session,
        /// Since when.
        since: Time,
        /// When the peer counts as gone, unless it is heard.
        hold_until: Option<Time>,
        /// When a keepalive is due.
        keepalive_at: Option<Time>,
    },
}

impl State {
    /// The RFC's name of the state.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Idle { .. } => "Idle",
            Self::Connect { .. } => "Connect",
            Self::Active { .. } => "Active",
            Self::OpenSent { .. } => "OpenSent",
            Self::OpenConfirm { .. } => "OpenConfirm",
            Self::Established { .. } => "Established",
        }
    }

    /// The connection, if there is one.
    pub const fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Idle { .. } | Self::Connect { .. } | Self::Active { .. } => None,
            Self::OpenSent { connection, .. } => Some(*connection),
            Self::OpenConfirm { session, .. } | Self::Established { session, .. } => Some(session.connection),
        }
    }
}

/// What happens to a peer.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is configured, or is to run again.
    Start,
    /// It is to stop: say why to the peer, and start again after a while, or never by itself.
    Stop {
        /// What the peer is told.
        notification: Notification,
        /// When to start again.
        restart_after: Option<Duration>,
    },
    /// The session is to end for what the peer did or did not do; the peer is tried again later.
    Fail(Notification),
    /// The dial asked for has succeeded.
    Dialled(ConnectionId),
    /// It has failed.
    DialFailed,
    /// The peer has dialled, and this is its Open.
    Accepted(ConnectionId, &'a Open),
    /// A message came.
    Received(ConnectionId, &'a Message),
    /// The connection is gone.
    Closed(ConnectionId),
    /// Time has passed.
    Tick,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownReason {
    /// The connection went away without a word.
    ConnectionLost,
    /// The peer came with a newer connection: it had lost this one, or has restarted.
    Replaced,
    /// This side ended it.
    Sent(Notification),
    /// The peer ended it.
    Received(Notification),
}

impl DownReason {
    /// Whether the peer's routes are kept for its restart time (RFC 4724, RFC 8538).
    pub const fn is_graceful(&self) -> bool {
        match self {
            Self::ConnectionLost | Self::Replaced => true,
            Self::Sent(notification) | Self::Received(notification) => notification.code.is_graceful(),
        }
    }
}

impl std::fmt::Display for DownReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ConnectionLost => f.write_str("connection lost"),
            Self::Replaced => f.write_str("replaced by the peer's newer connection"),
            Self::Sent(notification) => write!(f, "sent: {notification}"),
            Self::Received(notification) => write!(f, "received: {notification}"),
        }
    }
}

/// What the machine wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Dial the peer, and answer with [`Event::Dialled`] or [`Event::DialFailed`].
    Dial,
    /// Send a message.
    Send(ConnectionId, Message),
    /// Close the connection once what was sent is out; no [`Event::Closed`] is needed.
    Close(ConnectionId),
    /// The session is up: exchange routes.
    Up(Session),
    /// The session that was up has ended.
    Down(DownReason),
    /// The message is of the session: use what it says.
    Deliver,
}
