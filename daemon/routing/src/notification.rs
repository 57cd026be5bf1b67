//! Why a session ends, said to the other side before it does (RFC 4271 §4.5).

/// The longest reason given with a notification, in bytes (RFC 9003 allows as many). A longer one is cut.
pub const MAX_REASON_BYTES: usize = 255;

/// What went wrong; RFC 4271 §6's codes and subcodes as one closed enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationCode {
    /// A message that can't be read, or is longer than [`crate::message::MAX_MESSAGE_BYTES`].
    MalformedMessage,
    /// The other side speaks a version that this one does not.
    UnsupportedVersion,
    /// The sender is of another organisation than the peer configured here.
    WrongOrganisation,
    /// The sender is another node than the one configured or authenticated, has this node's own id, or an id that
    /// another running node has.
    WrongNodeId,
    /// Nobody here knows the sender as a peer.
    UnknownPeer,
    /// A hold time of one or two seconds (RFC 4271 §6.2).
    UnacceptableHoldTime,
    /// The two sides' roles do not fit together (RFC 9234 §4.2).
    RoleMismatch,
    /// An update that can't be treated as a withdrawal.
    MalformedUpdate,
    /// Nothing was heard for the hold time.
    HoldTimerExpired,
    /// The other side read nothing for the send hold time (RFC 9687).
    SendHoldTimerExpired,
    /// A message that has no place in the session's state.
    UnexpectedMessage,
    /// Cease: more routes than the peer may announce (RFC 4486).
    MaxRoutesReached,
    /// Cease: the operator or a stopping node ended the session.
    AdministrativeShutdown,
    /// Cease: the peer was taken out of the configuration.
    PeerDeconfigured,
    /// Cease: the operator asked for a fresh session.
    AdministrativeReset,
    /// Cease: the peer is stopped at this time.
    ConnectionRejected,
    /// Cease: the peer's configuration changed in a way that needs a fresh session.
    ConfigurationChange,
    /// Cease: another connection of the same two nodes is kept (RFC 4271 §6.8).
    CollisionResolution,
    /// Cease: a bound of this node was reached.
    OutOfResources,
}

impl NotificationCode {
    /// Whether the receiver keeps the sender's routes for the restart time, as after a lost connection (RFC 8538):
    /// what was known may well still be true. After any other code, the routes go at once.
    pub const fn is_graceful(self) -> bool {
        match self {
            Self::HoldTimerExpired
            | Self::SendHoldTimerExpired
            | Self::CollisionResolution
            | Self::AdministrativeReset
            | Self::ConfigurationChange => true,
            Self::MalformedMessage
            | Self::UnsupportedVersion
            | Self::WrongOrganisation
            | Self::WrongNodeId
            | Self::UnknownPeer
            | Self::UnacceptableHoldTime
            | Self::RoleMismatch
            | Self::MalformedUpdate
            | Self::UnexpectedMessage
            | Self::MaxRoutesReached
            | Self::AdministrativeShutdown
            | Self::PeerDeconfigured
            | Self::ConnectionRejected
            | Self::OutOfResources => false,
        }
    }

    /// The code in words, as operators read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedMessage => "malformed message",
            Self::UnsupportedVersion => "unsupported version",
            Self::WrongOrganisation => "wrong organisation",
            Self::WrongNodeId => "wrong node id",
            Self::UnknownPeer => "unknown peer",
            Self::UnacceptableHoldTime => "unacceptable hold time",
            Self::RoleMismatch => "role mismatch",
            Self::MalformedUpdate => "malformed update",
            Self::HoldTimerExpired => "hold timer expired",
            Self::SendHoldTimerExpired => "send hold timer expired",
            Self::UnexpectedMessage => "unexpected message",
            Self::MaxRoutesReached => "maximum number of routes reached",
            Self::AdministrativeShutdown => "administrative shutdown",
            Self::PeerDeconfigured => "peer deconfigured",
            Self::AdministrativeReset => "administrative reset",
            Self::ConnectionRejected => "connection rejected",
            Self::ConfigurationChange => "configuration change",
            Self::CollisionResolution => "connection collision resolution",
            Self::OutOfResources => "out of resources",
        }
    }
}

impl std::fmt::Display for NotificationCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The last message of a session: what went wrong, and for people why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notification {
    /// What went wrong.
    pub code: NotificationCode,
    reason: String,
}

impl Notification {
    /// A notification; the reason is cut at [`MAX_REASON_BYTES`], at a character's border.
    pub fn new(code: NotificationCode, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self { code, reason }
    }

    /// The reason, for people; may be empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl std::fmt::Display for Notification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reason.as_str() {
            "" => write!(f, "{}", self.code),
            reason => write!(f, "{}: {reason}", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let notification = Notification::new(NotificationCode::UnknownPeer, "é".repeat(200));
        assert_eq!(notification.reason(), "é".repeat(127));
    }
}
