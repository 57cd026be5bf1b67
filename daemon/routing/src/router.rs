//! The router: peers, tables and policies of one node behind one entrance for events and one exit for actions.
//!
//! ```text
//!  Event ─▶ handle ─┬─ sessions: Fsm per peer, collisions, graceful restart ──▶ Action
//!                   ├─ inbound:  Update ─▶ checks ─▶ import policy ─▶ Rib (decision process, journal)
//!                   └─ keys:     KeySet ─▶ checks ─▶ relay
//!  next_message ──── outbound:   journal ─▶ update group (export policy, one message for all its peers)
//!  snapshot ──────── journal ─▶ persistent map, shared with the readers
//! ```
//!
//! Updates are pulled, not pushed: the shell asks for a peer's next message when there is room for it. A slow peer so
//! falls behind in the journal, where a service that changes a hundred times is one entry, and slows nobody else.

mod config;
mod connections;
mod event;
mod export;
mod group;
mod import;
mod inbound;
mod keys;
mod outbound;
mod peer;
mod peering;
mod sessions;
mod view;

use std::sync::Arc;
use std::time::Duration;

pub use self::config::{
    AllowedOrigins, DEFAULT_MAX_ROUTES, ExternalOptions, MAX_PEERS, MAX_RESTART_TIME, Mesh, NodeConfig,
    PeerConfig, RouteLimit,
};
use self::connections::Connections;
pub use self::connections::MAX_PENDING;
pub use self::event::{Action, Event, Rejection, Reset};
pub use self::export::ExportRefusal;
use self::group::Groups;
pub use self::import::Refusal;
use self::keys::KeySets;
pub use self::keys::MAX_KEY_SETS;
pub use self::outbound::{MAX_UPDATE_BYTES, MAX_UPDATE_ROUTES};
pub use self::peer::PeerCounters;
use self::peer::{Peer, Peers};
pub use self::view::{ExplainedPath, Explanation, PeerStatus, ReceivedRoute};
use crate::attributes::{Attributes, Origin};
use crate::damping::Damping;
use crate::fsm::PeerId;
use crate::intern::Interner;
use crate::path::Path;
use crate::persistent::PersistentMap;
use crate::random::Random;
use crate::rib::{Context, NewPath, Rib, SourceId};
use crate::service::Service;
use crate::snapshot::{RouteSource, SelectedPath, SelectedPaths, Snapshot, TableSnapshot};
use crate::table::{External, Internal};
use crate::time::Time;

/// The most services of this node's own. A further one is refused.
pub const MAX_LOCAL_SERVICES: u32 = 1_000_000;
/// How long a restarted node waits for its peers' routes before it says that its own are complete (RFC 4724 §4.1): what
/// it passed on before the restart must not be swept away at one peer only because another was slower.
pub const RESTART_DEFERRAL: Duration = Duration::from_secs(15);

/// The two tables.
#[derive(Debug)]
struct Tables {
    internal: Rib<Internal>,
    external: Rib<External>,
}

/// The router of one node.
#[derive(Debug)]
pub struct Router {
    node: NodeConfig,
    tables: Tables,
    interner: Interner,
    peers: Peers,
    groups: Groups,
    connections: Connections,
    damping: Damping,
    keys: KeySets,
    random: Random,
    local_services: u32,
    /// Asking peers to use other paths (RFC 8326).
    draining: bool,
    /// End-of-RIB is held back until then, or until all peers have said theirs.
    deferred_until: Option<Time>,
    snapshot: Arc<Snapshot>,
    /// The tables' versions when [`Action::RoutesChanged`] was last said.
    announced_version: u64,
}

impl Router {
    /// A router without peers and services.
    pub fn new(node: NodeConfig, now: Time) -> Self {
        let deferral = RESTART_DEFERRAL.min(Duration::from_secs(u64::from(node.restart_secs)));
        Self {
            tables: Tables { internal: Rib::new(), external: Rib::new() },
            interner: Interner::new(),
            peers: Peers::new(&node),
            groups: Groups::default(),
            connections: Connections::default(),
            damping: Damping::new(node.damping),
            keys: KeySets::default(),
            random: Random::seeded(node.seed),
            local_services: 0,
            draining: false,
            deferred_until: node.restarting.then(|| now + deferral),
            snapshot: Arc::new(Snapshot::empty()),
            announced_version: 0,
            node,
        }
    }

    /// Takes an event in, gives what is to be done, in order.
    pub fn handle(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::ConfigurePeer(config) => self.configure_peer(*config, now, &mut actions),
            Event::RemovePeer(peer) => self.remove_peer(&peer, now, &mut actions),
            Event::ResetPeer(peer, reset) => self.reset_peer(&peer, reset, now, &mut actions),
            Event::Announce(service, attributes) => self.announce(service, *attributes, now, &mut actions),
            Event::Withdraw(service) => self.withdraw(&service, now),
            Event::PublishKeys(keys) => self.publish_keys(keys, &mut actions),
            Event::Dialled { peer, connection, proved } => {
                self.dialled(&peer, connection, proved, now, &mut actions);
            }
            Event::DialFailed { peer } => self.dial_failed(&peer, now, &mut actions),
            Event::Accepted { connection, proved } => self.accepted(connection, proved, now, &mut actions),
            Event::Received { connection, message } => self.received(connection, message, now, &mut actions),
            Event::Refused { connection, notification } => {
                self.refused(connection, notification, now, &mut actions);
            }
            Event::Closed { connection } => self.closed(connection, now, &mut actions),
            Event::Drain => self.drain(now),
            Event::Shutdown => self.shutdown(now, &mut actions),
            Event::Tick => self.tick(now, &mut actions),
        }
        self.end_deferral(now);
        self.forget_read();
        self.signal_updates(now, &mut actions);
        let version = self.version();
        if version != self.announced_version {
            self.announced_version = version;
            actions.push(Action::RoutesChanged);
        }
        actions
    }

    /// When [`Event::Tick`] is due next.
    pub fn next_deadline(&self) -> Option<Time> {
        let peers = self.peers.iter().filter_map(|p| p.next_deadline());
        peers
            .chain(self.connections.next_deadline())
            .chain(self.damping.next_deadline())
            .chain(self.deferred_until)
            .min()
    }

    /// The routes in use. Costs as much as has changed since the last call.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let version = self.version();
        if self.snapshot.version != version || version == 0 {
            let sources = &self.peers;
            let snapshot = Arc::make_mut(&mut self.snapshot);
            snapshot.version = version;
            refresh(&mut snapshot.internal, &mut self.tables.internal, sources);
            refresh(&mut snapshot.external, &mut self.tables.external, sources);
        }
        Arc::clone(&self.snapshot)
    }

    const fn version(&self) -> u64 {
        self.tables.internal.version() + self.tables.external.version()
    }

    fn announce(
        &mut self,
        service: Service,
        mut attributes: Attributes,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let org = &self.node.id.org;
        if !service.name.is_under(org) {
            return actions.push(Action::Rejected(Rejection::ForeignService(service, org.clone())));
        }
        attributes.origin = Origin { org: org.clone(), node: Some(self.node.id.node.clone()) };
        attributes.path = Path::empty();
        attributes.reflection = None;
        let known = self.tables.internal.find(&service).is_some_and(|id| {
            self.tables.internal.net(id).paths().iter().any(|p| p.source == SourceId::LOCAL)
        });
        if !known {
            if self.local_services == MAX_LOCAL_SERVICES {
                return actions.push(Action::Rejected(Rejection::TooManyServices(service)));
            }
            self.local_services += 1;
        }
        let attributes = self.interner.intern(&Arc::new(attributes));
        let path = NewPath { received: Arc::clone(&attributes), imported: attributes, rejected: None };
        let context = self.peers.context(&self.node, now);
        self.tables.internal.replace(&service, SourceId::LOCAL, &[path], &context);
    }

    fn withdraw(&mut self, service: &Service, now: Time) {
        let Some(id) = self.tables.internal.find(service) else { return };
        let mine = |p: &crate::rib::PathEntry| p.source == SourceId::LOCAL;
        if self.tables.internal.net(id).paths().iter().any(mine) {
            self.local_services -= 1;
            let context = self.peers.context(&self.node, now);
            self.tables.internal.retain(id, SourceId::LOCAL, &context, |_| false);
        }
    }

    /// Forgets what every reader of the journals has read.
    fn forget_read(&mut self) {
        let (mut internal, mut external) = (self.tables.internal.version(), self.tables.external.version());
        for (id, group) in self.groups.iter_mut() {
            let scope = group.audience.scope();
            let members = || self.peers.iter().filter_map(Peer::outbound).filter(|out| out.group == id);
            let read = members().map(|out| out.internal.version()).min().unwrap_or(internal);
            group.internal.read_up_to(read, &self.tables.internal, scope);
            internal = internal.min(read);
            let read = members().map(|out| out.external.version()).min().unwrap_or(external);
            group.external.read_up_to(read, &self.tables.external, scope);
            external = external.min(read);
        }
        let groups = &mut self.groups;
        self.tables.internal.read_up_to(internal, |id| groups.forget(id, |g| &mut g.internal));
        self.tables.external.read_up_to(external, |id| groups.forget(id, |g| &mut g.external));
    }
}

/// Brings one table of the snapshot up to date.
fn refresh<T>(snapshot: &mut TableSnapshot<T>, rib: &mut Rib<T>, peers: &Peers) {
    let selected = |net: &crate::rib::Net| -> Option<SelectedPaths> {
        let path = |p: &crate::rib::PathEntry| SelectedPath {
            attributes: Arc::clone(&p.imported),
            source: peers.route_source(p.source),
            standing: p.standing,
        };
        let paths: SelectedPaths = net.usable().map(path).collect();
        (!paths.is_empty()).then_some(paths)
    };
    let Some(mut dirty) = rib.take_dirty() else {
        let nets = rib.nets_from(0).filter_map(|(_, net)| Some((net.service().clone(), selected(net)?)));
        let mut entries: Vec<_> = nets.collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        snapshot.routes = PersistentMap::from_sorted(entries);
        return;
    };
    dirty.sort_unstable();
    dirty.dedup();
    for service in dirty {
        let paths = rib.find(&service).and_then(|id| selected(rib.net(id)));
        snapshot.routes.set(service, paths);
    }
}

impl Peers {
    fn context(&self, node: &NodeConfig, now: Time) -> Context<'_> {
        Context { sources: self.sources(), multipath: usize::from(node.multipath.get()), now }
    }

    fn route_source(&self, source: SourceId) -> RouteSource {
        match self.by_source(source) {
            Some(peer) => RouteSource::Peer(Arc::clone(&peer.id)),
            None => RouteSource::Local,
        }
    }
}

/// Whether a peer is of this node's organisation.
fn is_internal(node: &NodeConfig, peer: &PeerId) -> bool {
    node.id.org == peer.org
}
