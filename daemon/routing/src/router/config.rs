//! What the router is told about its node and its peers.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use crate::attributes::NextHop;
use crate::damping::DampingConfig;
use crate::fsm::PeerId;
use crate::message::{HoldTime, Instance, Role};
use crate::name::{NodeId, OrgName};
use crate::policy::Policy;

/// The most peers. Configuring a further one is refused.
pub const MAX_PEERS: usize = 4096;
/// The routes a peer may announce unless configured otherwise.
pub const DEFAULT_MAX_ROUTES: u32 = 100_000;
/// The longest time that a peer's routes are kept while it restarts, whatever it asks for.
pub const MAX_RESTART_TIME: Duration = Duration::from_secs(600);

/// What the router knows of its own node. Fixed for the life of the router.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Its organisation and id.
    pub id: PeerId,
    /// This run of it.
    pub instance: Instance,
    /// Decides all jitter.
    pub seed: u64,
    /// Where peers send requests for the services announced to them: this node's data plane.
    pub next_hop: NextHop,
    /// The cluster it reflects for (RFC 4456); reflectors for the same clients share one. Its own id by default.
    pub cluster: NodeId,
    /// How many paths of equal rank are used at once.
    pub multipath: NonZeroU8,
    /// How long peers should keep this node's routes while its control plane restarts, in seconds (RFC 4724). 0 switches
    /// that off.
    pub restart_secs: u16,
    /// It has just restarted, and its data plane kept going.
    pub restarting: bool,
    /// How routes that come and go are damped, at peers that are configured so.
    pub damping: DampingConfig,
}

/// How routes flow between this node and another one of the same organisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Mesh {
    /// Everything is passed on, each node adding itself to the path and becoming the next hop, so that any connected
    /// topology works: a chain as well as a full mesh.
    #[default]
    Transit,
    /// The peer is a client of this route reflector (RFC 4456): what others announce is passed on to it unchanged, and
    /// what it announces is passed on to all.
    Client,
    /// The peer is a reflector, another node of a full mesh, or not a client of this reflector: what it announces is
    /// passed on to clients only.
    NonClient,
}

/// Whose services an external peer may announce.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Its own organisation's only.
    #[default]
    OwnOnly,
    /// Its own, and these organisations'.
    Also(Vec<OrgName>),
    /// Anybody's; the import policy alone decides.
    Any,
}

impl AllowedOrigins {
    pub(super) fn allow(&self, peer: &OrgName, origin: &OrgName) -> bool {
        match self {
            Self::OwnOnly => origin == peer,
            Self::Also(orgs) => origin == peer || orgs.contains(origin),
            Self::Any => true,
        }
    }
}

/// What holds for a peer of another organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalOptions {
    /// This side's role (RFC 9234); without one, leaks are not detected.
    pub role: Option<Role>,
    /// Whose services the peer may announce.
    pub origins: AllowedOrigins,
}

/// How many routes a peer may announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteLimit {
    /// One more ends the session.
    pub max: u32,
    /// At how many percent of that a warning is given.
    pub warn_percent: u8,
    /// When the session is tried again; never by itself if none.
    pub restart_after: Option<Duration>,
}

impl Default for RouteLimit {
    fn default() -> Self {
        Self { max: DEFAULT_MAX_ROUTES, warn_percent: 80, restart_after: Some(Duration::from_secs(300)) }
    }
}

/// What the router knows of a peer. Whether it is internal or external follows from its organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its organisation and id.
    pub id: PeerId,
    /// Never dial it; wait for it.
    pub passive: bool,
    /// The wish for the hold time.
    pub hold_time: HoldTime,
    /// The most paths per service to exchange (RFC 7911); the smaller of both sides' wishes counts.
    pub max_paths: NonZeroU8,
    /// What is taken from it. Without one an internal peer's routes are all taken and an external peer's none (RFC 8212).
    pub import: Option<Arc<Policy>>,
    /// What it is told. Without one an internal peer is told everything and an external peer nothing. Of a route that is
    /// reflected, it only decides whether it passes (RFC 4456 §10).
    pub export: Option<Arc<Policy>>,
    /// Where this peer reaches this node's data plane, if not where all do.
    pub next_hop: Option<NextHop>,
    /// How many routes it may announce.
    pub route_limit: RouteLimit,
    /// Damp its routes when they come and go.
    pub damping: bool,
    /// For an internal peer.
    pub mesh: Mesh,
    /// For an external peer.
    pub external: ExternalOptions,
}

impl PeerConfig {
    /// A peer with everything as it is by default.
    pub fn new(id: PeerId) -> Self {
        Self {
            id,
            passive: false,
            hold_time: HoldTime::DEFAULT,
            max_paths: NonZeroU8::MIN,
            import: None,
            export: None,
            next_hop: None,
            route_limit: RouteLimit::default(),
            damping: false,
            mesh: Mesh::default(),
            external: ExternalOptions::default(),
        }
    }
}
