//! Between `catalyst.peering.v1` and the routing core's messages.
//!
//! [`decode`] is where bounds are enforced on what a peer sends. What makes a message as a whole unusable ends the
//! session ([`FrameError::notification`]); what makes a route unusable is said in the update, and that route counts as
//! withdrawn (RFC 7606). Every message's fields are taken apart by name, so that a new one is noticed here.

mod attributes;
#[cfg(test)]
mod tests;

use std::num::NonZeroU8;
use std::sync::Arc;

use bytes::Bytes;
use catalyst_proto::Frame;
use catalyst_proto::peering::v1 as proto;
use catalyst_proto::peering::v1::session_message::Message as Content;
use catalyst_routing::message::{
    Announcement, Capabilities, GracefulRestart, HoldTime, Instance, KeySet, MAX_ISSUER_BYTES,
    MAX_KEY_SET_BYTES, MAX_MESSAGE_BYTES, MAX_PATHS, MAX_SIGNATURE_BYTES, MalformedRoute, Message, Open,
    Outgoing, Role, RouteRefresh, UnacceptableHoldTime, Update,
};
use catalyst_routing::name::{NameError, NodeId, OrgName, ServiceName};
use catalyst_routing::notification::{Notification, NotificationCode};
use catalyst_routing::service::{Protocol, Service};
use prost::Message as _;

use self::attributes::{decode_attributes, encode_attributes};

/// Why a frame is no message. The peer's fault; the session ends with [`FrameError::notification`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("message of {0} bytes; at most {MAX_MESSAGE_BYTES} are allowed")]
    TooLong(usize),
    /// Not protobuf of the expected kind.
    #[error("not a session message: {0}")]
    Undecodable(#[from] prost::DecodeError),
    /// A message without content, or of a kind unknown here.
    #[error("a session message of no known kind")]
    Empty,
    /// A name that is none.
    #[error("{0}")]
    Name(#[from] NameError),
    /// A hold time of one or two seconds.
    #[error("{0}")]
    HoldTime(#[from] UnacceptableHoldTime),
    /// A number out of its range.
    #[error("{field} is {value}; at most {max} is allowed")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// What it is.
        value: u64,
        /// The largest allowed.
        max: u64,
    },
    /// An enum's value that is unknown here.
    #[error("{field} has the unknown value {value}")]
    Unknown {
        /// Which.
        field: &'static str,
        /// What it is.
        value: i32,
    },
    /// A field that is longer than it may be, or is empty.
    #[error("{field} has {length} bytes; expected 1 to {max}")]
    Length {
        /// Which.
        field: &'static str,
        /// How long it is.
        length: usize,
        /// The longest allowed.
        max: usize,
    },
    /// The peer ended the session for a reason unknown here.
    #[error("the peer ended the session with the unknown code {code}: {reason}")]
    Farewell {
        /// Its code.
        code: i32,
        /// What it said.
        reason: String,
    },
}

impl FrameError {
    /// What the peer is told before the session ends.
    pub fn notification(&self) -> Notification {
        let code = match self {
            Self::HoldTime(_) => NotificationCode::UnacceptableHoldTime,
            Self::TooLong(_)
            | Self::Undecodable(_)
            | Self::Empty
            | Self::Name(_)
            | Self::OutOfRange { .. }
            | Self::Unknown { .. }
            | Self::Length { .. }
            | Self::Farewell { .. } => NotificationCode::MalformedMessage,
        };
        Notification::new(code, self.to_string())
    }
}

/// A message's frame. The same for all the peers it goes to, and made once.
pub fn encode(outgoing: &Outgoing) -> Frame {
    Frame(outgoing.encoded(|message| encode_message(message).encode_to_vec().into()))
}

fn encode_message(message: &Message) -> proto::SessionMessage {
    let content = match message {
        Message::Open(open) => Content::Open(encode_open(open)),
        Message::Keepalive => Content::Keepalive(proto::Keepalive {}),
        Message::Update(update) => Content::Update(encode_update(update)),
        Message::RouteRefresh(refresh) => Content::RouteRefresh(encode_refresh(*refresh)),
        Message::KeySet(keys) => Content::KeySet(encode_keys(keys)),
        Message::Notification(notification) => Content::Notification(encode_notification(notification)),
    };
    proto::SessionMessage { message: Some(content) }
}

/// The message in a frame.
pub fn decode(Frame(bytes): Frame) -> Result<Message, FrameError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(FrameError::TooLong(bytes.len()));
    }
    let proto::SessionMessage { message } = proto::SessionMessage::decode(bytes)?;
    match message.ok_or(FrameError::Empty)? {
        Content::Open(open) => Ok(Message::Open(decode_open(open)?)),
        Content::Keepalive(proto::Keepalive {}) => Ok(Message::Keepalive),
        Content::Update(update) => Ok(Message::Update(decode_update(update))),
        Content::RouteRefresh(refresh) => Ok(Message::RouteRefresh(decode_refresh(refresh)?)),
        Content::KeySet(keys) => Ok(Message::KeySet(Arc::new(decode_keys(keys)?))),
        Content::Notification(notification) => Ok(Message::Notification(decode_notification(notification)?)),
    }
}

fn encode_open(open: &Open) -> proto::Open {
    let Open { version, org, node, instance, sequence, hold_time, capabilities } = open;
    let Capabilities { graceful_restart, max_paths, role } = *capabilities;
    let restart = |restart| {
        let GracefulRestart { restart_secs, restarting, forwarding_preserved } = restart;
        proto::GracefulRestart { restart_secs: restart_secs.into(), restarting, forwarding_preserved }
    };
    let role = match role {
        None => proto::Role::Unspecified,
        Some(Role::Provider) => proto::Role::Provider,
        Some(Role::Customer) => proto::Role::Customer,
        Some(Role::Peer) => proto::Role::Peer,
    };
    proto::Open {
        version: *version,
        organisation: org.to_string(),
        node: node.to_string(),
        instance: instance.0,
        sequence: *sequence,
        hold_time_secs: hold_time.as_secs().into(),
        capabilities: Some(proto::Capabilities {
            graceful_restart: graceful_restart.map(restart),
            max_paths: max_paths.get().into(),
            role: role.into(),
        }),
    }
}

fn decode_open(open: proto::Open) -> Result<Open, FrameError> {
    let proto::Open { version, organisation, node, instance, sequence, hold_time_secs, capabilities } = open;
    let proto::Capabilities { graceful_restart, max_paths, role } = capabilities.unwrap_or_default();
    let graceful_restart = match graceful_restart {
        None => None,
        Some(proto::GracefulRestart { restart_secs, restarting, forwarding_preserved }) => {
            let restart_secs = small(restart_secs, "restart_secs")?;
            Some(GracefulRestart { restart_secs, restarting, forwarding_preserved })
        }
    };
    let role = match known(role, "role")? {
        proto::Role::Unspecified => None,
        proto::Role::Provider => Some(Role::Provider),
        proto::Role::Customer => Some(Role::Customer),
        proto::Role::Peer => Some(Role::Peer),
    };
    // A peer that wants more is told as many as there ever are.
    let max_paths = u8::try_from(max_paths).unwrap_or(u8::MAX);
    let max_paths = NonZeroU8::new(max_paths).unwrap_or(NonZeroU8::MIN);
    Ok(Open {
        version,
        org: OrgName::new(&organisation)?,
        node: NodeId::new(&node)?,
        instance: Instance(instance),
        sequence,
        hold_time: HoldTime::from_secs(small(hold_time_secs, "hold_time_secs")?)?,
        capabilities: Capabilities { graceful_restart, max_paths, role },
    })
}

fn encode_update(update: &Update) -> proto::Update {
    // What a peer sent malformed is never sent on.
    let Update { withdraw, announce, malformed: _, end_of_rib } = update;
    let announcement = |announcement: &Announcement| {
        let Announcement { paths, services } = announcement;
        let paths = paths.iter().map(|path| encode_attributes(path).encode_to_vec().into());
        proto::Announcement {
            paths: paths.collect(),
            services: services.iter().map(encode_service).collect(),
        }
    };
    proto::Update {
        withdraw: withdraw.iter().map(encode_service).collect(),
        announce: announce.iter().map(announcement).collect(),
        end_of_rib: *end_of_rib,
    }
}

fn decode_update(update: proto::Update) -> Update {
    let proto::Update { withdraw, announce, end_of_rib } = update;
    let mut decoded = Update { end_of_rib, ..Update::default() };
    for service in withdraw {
        match decode_service(service) {
            Ok(service) => decoded.withdraw.push(service),
            Err(error) => {
                decoded.malformed.push(MalformedRoute { service: None, reason: error.to_string().into() })
            }
        }
    }
    for announcement in announce {
        decode_announcement(announcement, &mut decoded);
    }
    decoded
}

/// RFC 7606: what is wrong with a path concerns the services announced with it, and no others.
fn decode_announcement(announcement: proto::Announcement, decoded: &mut Update) {
    let proto::Announcement { paths, services } = announcement;
    let paths = decode_paths(&paths);
    let mut good = Vec::with_capacity(services.len());
    for service in services {
        match (decode_service(service), &paths) {
            (Ok(service), Ok(_)) => good.push(service),
            (Ok(service), Err(reason)) => {
                let reason = Arc::clone(reason);
                decoded.malformed.push(MalformedRoute { service: Some(service), reason });
            }
            (Err(error), _) => {
                decoded.malformed.push(MalformedRoute { service: None, reason: error.to_string().into() });
            }
        }
    }
    if let Ok(paths) = paths {
        decoded.announce.push(Announcement { paths, services: good });
    }
}

fn decode_paths(paths: &[Bytes]) -> Result<Vec<Arc<catalyst_routing::attributes::Attributes>>, Arc<str>> {
    if paths.is_empty() || paths.len() > MAX_PATHS {
        return Err(format!("{} paths; expected 1 to {MAX_PATHS}", paths.len()).into());
    }
    let decode = |path: &Bytes| match decode_attributes(path.clone()) {
        Ok(attributes) => Ok(Arc::new(attributes)),
        Err(error) => Err(error.to_string().into()),
    };
    paths.iter().map(decode).collect()
}

fn encode_service(service: &Service) -> proto::Service {
    let Service { name, protocol } = service;
    let protocol = match protocol {
        Protocol::Http => proto::Protocol::Http,
        Protocol::Graphql => proto::Protocol::Graphql,
        Protocol::Grpc => proto::Protocol::Grpc,
        Protocol::Tcp => proto::Protocol::Tcp,
    };
    proto::Service { name: name.to_string(), protocol: protocol.into() }
}

fn decode_service(service: proto::Service) -> Result<Service, FrameError> {
    let proto::Service { name, protocol } = service;
    let unknown = FrameError::Unknown { field: "protocol", value: protocol };
    let protocol = match known(protocol, "protocol")? {
        proto::Protocol::Unspecified => return Err(unknown),
        proto::Protocol::Http => Protocol::Http,
        proto::Protocol::Graphql => Protocol::Graphql,
        proto::Protocol::Grpc => Protocol::Grpc,
        proto::Protocol::Tcp => Protocol::Tcp,
    };
    Ok(Service { name: ServiceName::new(&name)?, protocol })
}

fn encode_refresh(refresh: RouteRefresh) -> proto::RouteRefresh {
    let kind = match refresh {
        RouteRefresh::Request => proto::RouteRefreshKind::Request,
        RouteRefresh::Begin => proto::RouteRefreshKind::Begin,
        RouteRefresh::End => proto::RouteRefreshKind::End,
    };
    proto::RouteRefresh { kind: kind.into() }
}

fn decode_refresh(proto::RouteRefresh { kind }: proto::RouteRefresh) -> Result<RouteRefresh, FrameError> {
    match known(kind, "route refresh kind")? {
        proto::RouteRefreshKind::Unspecified => {
            Err(FrameError::Unknown { field: "route refresh kind", value: kind })
        }
        proto::RouteRefreshKind::Request => Ok(RouteRefresh::Request),
        proto::RouteRefreshKind::Begin => Ok(RouteRefresh::Begin),
        proto::RouteRefreshKind::End => Ok(RouteRefresh::End),
    }
}

fn encode_keys(keys: &KeySet) -> proto::KeySet {
    let KeySet { org, issuer, sequence, max_age_secs, jwks, signer, signature } = keys;
    proto::KeySet {
        organisation: org.to_string(),
        issuer: issuer.to_string(),
        sequence: *sequence,
        max_age_secs: *max_age_secs,
        jwks: jwks.clone(),
        signer: signer.to_string(),
        signature: signature.clone(),
    }
}

fn decode_keys(keys: proto::KeySet) -> Result<KeySet, FrameError> {
    let proto::KeySet { organisation, issuer, sequence, max_age_secs, jwks, signer, signature } = keys;
    bounded("issuer", issuer.len(), MAX_ISSUER_BYTES)?;
    bounded("jwks", jwks.len(), MAX_KEY_SET_BYTES)?;
    bounded("signer", signer.len(), MAX_ISSUER_BYTES)?;
    bounded("signature", signature.len(), MAX_SIGNATURE_BYTES)?;
    Ok(KeySet {
        org: OrgName::new(&organisation)?,
        issuer: issuer.into(),
        sequence,
        max_age_secs,
        // Copies: a slice would keep the whole frame alive for as long as the keys are known.
        jwks: Bytes::copy_from_slice(&jwks),
        signer: signer.into(),
        signature: Bytes::copy_from_slice(&signature),
    })
}

fn bounded(field: &'static str, length: usize, max: usize) -> Result<(), FrameError> {
    if length == 0 || length > max { Err(FrameError::Length { field, length, max }) } else { Ok(()) }
}

fn encode_notification(notification: &Notification) -> proto::Notification {
    let code = CODES.iter().find(|(code, _)| *code == notification.code);
    let (_, code) = code.expect("every code is in the table, as a test checks");
    proto::Notification { code: (*code).into(), reason: notification.reason().to_owned() }
}

fn decode_notification(notification: proto::Notification) -> Result<Notification, FrameError> {
    let proto::Notification { code, reason } = notification;
    match CODES.iter().find(|(_, c)| i32::from(*c) == code) {
        Some((code, _)) => Ok(Notification::new(*code, reason)),
        // Cut as a known one's would be: it goes into logs.
        None => {
            let reason = Notification::new(NotificationCode::MalformedMessage, reason).reason().to_owned();
            Err(FrameError::Farewell { code, reason })
        }
    }
}

/// The codes, on both sides of the wire.
const CODES: [(NotificationCode, proto::NotificationCode); 19] = {
    use NotificationCode as Ours;
    use proto::NotificationCode as Theirs;
    [
        (Ours::MalformedMessage, Theirs::MalformedMessage),
        (Ours::UnsupportedVersion, Theirs::UnsupportedVersion),
        (Ours::WrongOrganisation, Theirs::WrongOrganisation),
        (Ours::WrongNodeId, Theirs::WrongNodeId),
        (Ours::UnknownPeer, Theirs::UnknownPeer),
        (Ours::UnacceptableHoldTime, Theirs::UnacceptableHoldTime),
        (Ours::RoleMismatch, Theirs::RoleMismatch),
        (Ours::MalformedUpdate, Theirs::MalformedUpdate),
        (Ours::HoldTimerExpired, Theirs::HoldTimerExpired),
        (Ours::SendHoldTimerExpired, Theirs::SendHoldTimerExpired),
        (Ours::UnexpectedMessage, Theirs::UnexpectedMessage),
        (Ours::MaxRoutesReached, Theirs::MaxRoutesReached),
        (Ours::AdministrativeShutdown, Theirs::AdministrativeShutdown),
        (Ours::PeerDeconfigured, Theirs::PeerDeconfigured),
        (Ours::AdministrativeReset, Theirs::AdministrativeReset),
        (Ours::ConnectionRejected, Theirs::ConnectionRejected),
        (Ours::ConfigurationChange, Theirs::ConfigurationChange),
        (Ours::CollisionResolution, Theirs::CollisionResolution),
        (Ours::OutOfResources, Theirs::OutOfResources),
    ]
};

fn small(value: u32, field: &'static str) -> Result<u16, FrameError> {
    let out_of_range = |_| FrameError::OutOfRange { field, value: value.into(), max: u64::from(u16::MAX) };
    u16::try_from(value).map_err(out_of_range)
}

fn known<T: TryFrom<i32>>(value: i32, field: &'static str) -> Result<T, FrameError> {
    T::try_from(value).map_err(|_| FrameError::Unknown { field, value })
}
