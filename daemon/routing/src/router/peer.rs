//! What the router keeps of each peer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::attributes::Attributes;
use crate::decision::Nearness;
use crate::fsm::{Fsm, PeerId, Session, State};
use crate::rib::bitset::BitSet;
use crate::rib::{Source, SourceId};
use crate::router::config::{Mesh, NodeConfig, PeerConfig};
use crate::router::group::{Cursor, GroupId};
use crate::router::is_internal;
use crate::time::Time;

/// A peer that takes no update for this long although there are some is given up (RFC 9687's send hold time; twice the
/// hold time where that is longer).
const SEND_HOLD_TIME: Duration = Duration::from_secs(8 * 60);

/// What has happened at a peer since it was configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerCounters {
    /// Sessions that came up.
    pub sessions: u64,
    /// Updates taken in.
    pub updates_in: u64,
    /// Updates handed out.
    pub updates_out: u64,
    /// Routes that could not be used as sent, and counted as withdrawn.
    pub refused: u64,
}

/// The nets that have a path of a peer's.
#[derive(Debug, Default)]
pub(super) struct AdjRibIn {
    pub internal: BitSet,
    pub external: BitSet,
    pub count: u32,
    /// The warning was given.
    pub warned: bool,
}

/// What is being said to a peer, and how far it is.
#[derive(Debug)]
pub(super) struct Outbound {
    pub group: GroupId,
    pub internal: Cursor,
    pub external: Cursor,
    pub stage: Stage,
    /// The first telling is complete when both tables have been told up to these versions.
    pub complete_at: (u64, u64),
    /// Everything is to be said again once the present stage is over.
    pub again: bool,
    /// The shell was told that there are updates and has not yet been told that there are none; since when it has taken
    /// none.
    pub signalled: Option<Time>,
}

/// What the peer's table is being brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Everything is said for the first time; End-of-RIB follows.
    Initial,
    /// Everything is about to be said again.
    RefreshBegin,
    /// Everything is said again; the end marker follows.
    Refresh,
    /// Changes are said as they come.
    Steady,
}

/// A session that is up.
#[derive(Debug)]
pub(super) struct Established {
    pub session: Session,
    pub out: Outbound,
    /// The peer has said everything it knew.
    pub end_of_rib: bool,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub id: Arc<PeerId>,
    pub config: PeerConfig,
    pub source: SourceId,
    pub internal: bool,
    pub fsm: Fsm,
    pub rib_in: AdjRibIn,
    pub established: Option<Established>,
    /// Routes not confirmed until then are dropped.
    pub stale_until: Option<Time>,
    pub counters: PeerCounters,
}

impl Peer {
    pub(super) fn outbound(&self) -> Option<&Outbound> {
        self.established.as_ref().map(|e| &e.out)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.fsm.next_deadline().into_iter().chain(self.stale_until).chain(self.send_hold_until()).min()
    }

    /// When the peer is given up unless it takes updates.
    pub(super) fn send_hold_until(&self) -> Option<Time> {
        let established = self.established.as_ref()?;
        let hold = established.session.hold_time.hold().unwrap_or_default();
        Some(established.out.signalled? + SEND_HOLD_TIME.max(hold * 2))
    }

    /// Whether the peer is expected to say End-of-RIB and has not yet.
    pub(super) fn owes_end_of_rib(&self) -> bool {
        match (&self.established, self.fsm.state()) {
            (Some(established), _) => {
                let restarting =
                    established.session.capabilities.graceful_restart.is_some_and(|g| g.restarting);
                !established.end_of_rib && !restarting
            }
            (None, State::Idle { .. }) => false,
            (
                None,
                State::Connect { .. }
                | State::Active { .. }
                | State::OpenSent { .. }
                | State::OpenConfirm { .. }
                | State::Established { .. },
            ) => true,
        }
    }

    /// The mesh kind of an internal peer.
    pub(super) fn mesh(&self) -> Option<Mesh> {
        self.internal.then_some(self.config.mesh)
    }

    /// Whether routes of `origin`'s may come from this peer at all.
    pub(super) fn may_announce(&self, attributes: &Attributes) -> bool {
        self.internal || self.config.external.origins.allow(&self.id.org, &attributes.origin.org)
    }
}

/// All peers, each at the place that its number as a source says.
#[derive(Debug)]
pub(super) struct Peers {
    /// Place 0 is this node's and always empty.
    slots: Vec<Option<Peer>>,
    sources: Vec<Source>,
    meshes: Vec<Option<Mesh>>,
    by_id: BTreeMap<PeerId, SourceId>,
}

impl Peers {
    pub(super) fn new(node: &NodeConfig) -> Self {
        let local = Source { nearness: Nearness::Local, node: node.id.node.clone() };
        Self { slots: vec![None], sources: vec![local], meshes: vec![None], by_id: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// By [`SourceId`].
    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// By [`SourceId`]; none for this node itself and for external peers.
    pub(super) fn meshes(&self) -> &[Option<Mesh>] {
        &self.meshes
    }

    pub(super) fn find(&self, id: &PeerId) -> Option<SourceId> {
        self.by_id.get(id).copied()
    }

    pub(super) fn by_source(&self, source: SourceId) -> Option<&Peer> {
        self.slots.get(source.0 as usize)?.as_ref()
    }

    pub(super) fn by_source_mut(&mut self, source: SourceId) -> Option<&mut Peer> {
        self.slots.get_mut(source.0 as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.slots.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.slots.iter_mut().flatten()
    }

    /// All peers' numbers, in order of their names.
    pub(super) fn numbers(&self) -> Vec<SourceId> {
        self.by_id.values().copied().collect()
    }

    /// Puts a peer into the first free place; `make` is told which that is.
    pub(super) fn insert(
        &mut self,
        node: &NodeConfig,
        config: PeerConfig,
        make: impl FnOnce(SourceId, PeerConfig) -> Peer,
    ) -> SourceId {
        let place = (1..self.slots.len()).find(|&i| self.slots[i].is_none()).unwrap_or(self.slots.len());
        let source = SourceId(u32::try_from(place).expect("there are at most MAX_PEERS peers"));
        let internal = is_internal(node, &config.id);
        let nearness = if internal { Nearness::Internal } else { Nearness::External };
        let info = Source { nearness, node: config.id.node.clone() };
        let mesh = internal.then_some(config.mesh);
        self.by_id.insert(config.id.clone(), source);
        let peer = Some(make(source, config));
        if place == self.slots.len() {
            self.slots.push(peer);
            self.sources.push(info);
            self.meshes.push(mesh);
        } else {
            self.slots[place] = peer;
            self.sources[place] = info;
            self.meshes[place] = mesh;
        }
        source
    }

    /// Notes that a peer's configuration has changed.
    pub(super) fn set_mesh(&mut self, source: SourceId, mesh: Option<Mesh>) {
        self.meshes[source.0 as usize] = mesh;
    }

    pub(super) fn remove(&mut self, source: SourceId) {
        if let Some(peer) = self.slots[source.0 as usize].take() {
            self.by_id.remove(&peer.config.id);
        }
    }
}
