//! Telling peers: from the journal to messages, one for all the peers of a group.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::attributes::Attributes;
use crate::fsm::ConnectionId;
use crate::message::{Announcement, Message, Outgoing, RouteRefresh, Update};
use crate::rib::{Net, Rib, SourceId};
use crate::router::Router;
use crate::router::config::NodeConfig;
use crate::router::event::Action;
use crate::router::export::{Audience, Cache, Exporter};
use crate::router::group::{Chunk, Cursor, Group, GroupTable};
use crate::router::peer::{Outbound, Peer, Stage};
use crate::table::Table;
use crate::time::Time;

/// The most routes in one update.
pub const MAX_UPDATE_ROUTES: usize = 1000;
/// An update is ended when it has reached this size by [`Attributes::wire_size`], in bytes. One route more, with the most
/// and longest attributes there are, still fits [`crate::message::MAX_MESSAGE_BYTES`].
pub const MAX_UPDATE_BYTES: usize = 256 * 1024;
/// The most nets looked at for one message, so that a call is short even where there is little to tell.
const MAX_VISITS: usize = 16 * 1024;

impl Router {
    /// The next update for a peer whose queue has room. None says that the peer has been told everything;
    /// [`Action::UpdatesReady`] comes when there is more.
    pub fn next_message(&mut self, connection: ConnectionId, now: Time) -> Option<Arc<Outgoing>> {
        let source = self.connections.peer(connection)?;
        let peer = self.peers.by_source(source)?;
        if peer.established.as_ref()?.session.connection != connection {
            return None;
        }
        let message = self.pull(source);
        let peer = self.peers.by_source_mut(source)?;
        let out = &mut peer.established.as_mut()?.out;
        out.signalled = message.is_some().then_some(now);
        peer.counters.updates_out += u64::from(message.is_some());
        message
    }

    /// Goes on where the peer's table is: first both tables in full, then the marker, then the changes.
    fn pull(&mut self, source: SourceId) -> Option<Arc<Outgoing>> {
        loop {
            let out = self.peers.by_source(source)?.outbound()?;
            if out.stage == Stage::RefreshBegin {
                self.outbound_mut(source)?.stage = Stage::Refresh;
                return Some(Outgoing::new(Message::RouteRefresh(RouteRefresh::Begin)));
            }
            let dumping = |cursor| matches!(cursor, Cursor::Dump { .. });
            let (internal, external) = (out.internal, out.external);
            if dumping(internal) {
                if let Some(message) = self.pull_internal(source, internal) {
                    return Some(message);
                }
            } else if dumping(external) {
                if let Some(message) = self.pull_external(source, external) {
                    return Some(message);
                }
            } else if let Some(marker) = self.marker(source) {
                return Some(marker);
            } else if internal.version() < self.tables.internal.version() {
                if let Some(message) = self.pull_internal(source, internal) {
                    return Some(message);
                }
            } else if external.version() < self.tables.external.version() {
                if let Some(message) = self.pull_external(source, external) {
                    return Some(message);
                }
            } else {
                return None;
            }
        }
    }

    /// What is said once both tables have been told in full.
    fn marker(&mut self, source: SourceId) -> Option<Arc<Outgoing>> {
        let deferred = self.deferred_until.is_some();
        let dump = self.full_dump();
        let out = self.outbound_mut(source)?;
        let marker = match out.stage {
            Stage::Initial if deferred || !out.is_complete() => return None,
            Stage::Initial => Message::Update(Update { end_of_rib: true, ..Update::default() }),
            Stage::Refresh => Message::RouteRefresh(RouteRefresh::End),
            Stage::RefreshBegin | Stage::Steady => return None,
        };
        out.stage = Stage::Steady;
        if std::mem::take(&mut out.again) {
            (out.internal, out.external) = dump;
            out.stage = Stage::RefreshBegin;
        }
        Some(Outgoing::new(marker))
    }

    fn pull_internal(&mut self, source: SourceId, from: Cursor) -> Option<Arc<Outgoing>> {
        let group_id = self.peers.by_source(source)?.outbound()?.group;
        let group = self.groups.get_mut(group_id);
        let reader = Reader { node: &self.node, peers: &self.peers, source };
        let from = from.rejoined(self.tables.internal.version());
        let (to, message) = reader.pull(&self.tables.internal, group, |g| &mut g.internal, from);
        self.outbound_mut(source)?.internal = to;
        message
    }

    fn pull_external(&mut self, source: SourceId, from: Cursor) -> Option<Arc<Outgoing>> {
        let group_id = self.peers.by_source(source)?.outbound()?.group;
        let group = self.groups.get_mut(group_id);
        let reader = Reader { node: &self.node, peers: &self.peers, source };
        let from = from.rejoined(self.tables.external.version());
        let (to, message) = reader.pull(&self.tables.external, group, |g| &mut g.external, from);
        self.outbound_mut(source)?.external = to;
        message
    }

    fn outbound_mut(&mut self, source: SourceId) -> Option<&mut Outbound> {
        self.peers.by_source_mut(source)?.established.as_mut().map(|e| &mut e.out)
    }

    /// The beginning of both tables.
    pub(super) const fn full_dump(&self) -> (Cursor, Cursor) {
        (
            Cursor::Dump { next: 0, joined: self.tables.internal.version() },
            Cursor::Dump { next: 0, joined: self.tables.external.version() },
        )
    }

    /// What the peer is told follows from this.
    pub(super) fn audience(&self, peer: &Peer, max_paths: u8) -> Audience {
        Audience {
            mesh: peer.mesh(),
            export: peer.config.export.clone(),
            next_hop: peer.config.next_hop.clone().unwrap_or_else(|| self.node.next_hop.clone()),
            max_paths,
            role: if peer.internal { None } else { peer.config.external.role },
            draining: self.draining,
        }
    }

    /// Says everything to a peer again: what it is to be told may have changed as a whole.
    pub(super) fn refresh_out(&mut self, source: SourceId) {
        let Some(peer) = self.peers.by_source(source) else { return };
        let Some(established) = &peer.established else { return };
        let max_paths = agreed_paths(peer, &established.session);
        let (audience, old) = (self.audience(peer, max_paths), established.out.group);
        let group = self.groups.join(audience);
        self.groups.leave(old);
        let (internal, external) = self.full_dump();
        let Some(out) = self.outbound_mut(source) else { return };
        out.group = group;
        match out.stage {
            // The first telling begins anew: what the peer has been told that it should not have been is not known,
            // so it is followed by a second one with markers, which sweeps that away.
            Stage::Initial | Stage::Refresh => out.again = true,
            Stage::RefreshBegin | Stage::Steady => {
                out.stage = Stage::RefreshBegin;
                (out.internal, out.external) = (internal, external);
            }
        }
    }

    /// Tells the shell which peers there are updates for.
    pub(super) fn signal_updates(&mut self, now: Time, actions: &mut Vec<Action>) {
        let (internal, external) = (self.tables.internal.version(), self.tables.external.version());
        let deferred = self.deferred_until.is_some();
        for peer in self.peers.iter_mut() {
            let Some(established) = &mut peer.established else { continue };
            let out = &mut established.out;
            let marker = match out.stage {
                Stage::Initial => !deferred && out.is_complete(),
                Stage::RefreshBegin | Stage::Refresh => true,
                Stage::Steady => false,
            };
            let pending = marker
                || matches!(out.internal, Cursor::Dump { .. })
                || matches!(out.external, Cursor::Dump { .. })
                || out.internal.version() < internal
                || out.external.version() < external;
            if pending && out.signalled.is_none() {
                out.signalled = Some(now);
                actions.push(Action::UpdatesReady { connection: established.session.connection });
            }
        }
    }
}

impl Outbound {
    /// Whether everything has been told that belongs to the first telling.
    const fn is_complete(&self) -> bool {
        self.internal.version() >= self.complete_at.0 && self.external.version() >= self.complete_at.1
    }
}

/// How many paths per service are told: as many as both sides want.
pub(super) fn agreed_paths(peer: &Peer, session: &crate::fsm::Session) -> u8 {
    peer.config.max_paths.min(session.capabilities.max_paths).get().min(MAX_PATHS)
}

const MAX_PATHS: u8 = crate::message::MAX_PATHS as u8;

/// One peer that reads.
struct Reader<'a> {
    node: &'a NodeConfig,
    peers: &'a crate::router::peer::Peers,
    source: SourceId,
}

impl Reader<'_> {
    /// The next stretch of one table: the group's, or one of its own where the group's would tell the peer of what the
    /// peer itself has announced.
    fn pull<T: Table>(
        &self,
        rib: &Rib<T>,
        group: &mut Group,
        table: impl Fn(&mut Group) -> &mut GroupTable,
        from: Cursor,
    ) -> (Cursor, Option<Arc<Outgoing>>) {
        let audience = group.audience.clone();
        let exporter = Exporter {
            node: self.node,
            audience: &audience,
            sources: self.peers.sources(),
            meshes: self.peers.meshes(),
        };
        let alone = group.members == 1;
        let table = table(group);
        if alone {
            let chunk = Builder::new(&exporter, table, Some(self.source)).build(rib, from, None);
            return (chunk.to, chunk.message);
        }
        let chunk = match table.chunk(from) {
            Some(chunk) => chunk.clone(),
            None => {
                let chunk = Builder::new(&exporter, table, None).build(rib, from, None);
                table.keep(chunk.clone());
                chunk
            }
        };
        let to = match (chunk.to, from) {
            // Each goes on with the journal from where it began its own dump.
            (Cursor::Dump { next, .. }, Cursor::Dump { joined, .. }) => Cursor::Dump { next, joined },
            (Cursor::Log(_), Cursor::Dump { joined, .. }) => Cursor::Log(joined),
            (to, Cursor::Log(_)) => to,
        };
        if !chunk.sources.contains(self.source.0) {
            return (to, chunk.message);
        }
        let own = Builder::new(&exporter, table, Some(self.source)).build(rib, from, Some(chunk.to));
        (to, own.message)
    }
}

/// Makes one message.
struct Builder<'a> {
    exporter: &'a Exporter<'a>,
    table: &'a mut GroupTable,
    /// The one peer that it is for, if it is not for all of the group.
    only: Option<SourceId>,
    update: Update,
    cache: Cache,
    /// Where in the update the services are that have these paths.
    places: HashMap<SmallVec<[*const Attributes; 2]>, usize>,
    sources: crate::rib::bitset::BitSet,
    routes: usize,
    bytes: usize,
}

impl<'a> Builder<'a> {
    fn new(exporter: &'a Exporter<'a>, table: &'a mut GroupTable, only: Option<SourceId>) -> Self {
        Self {
            exporter,
            table,
            only,
            update: Update::default(),
            cache: Cache::default(),
            places: HashMap::new(),
            sources: Default::default(),
            routes: 0,
            bytes: 0,
        }
    }

    /// The stretch from `from` to `until`, or until the message is full.
    fn build<T: Table>(mut self, rib: &Rib<T>, from: Cursor, until: Option<Cursor>) -> Chunk {
        let to = match from {
            Cursor::Dump { next, joined } => self.dump(rib, next, joined, until),
            Cursor::Log(version) => self.log(rib, version, until),
        };
        let empty = self.update == Update::default();
        let message = (!empty).then(|| Outgoing::new(Message::Update(self.update)));
        Chunk { from, to, made_at: rib.version(), message, sources: self.sources }
    }

    fn dump<T: Table>(&mut self, rib: &Rib<T>, next: u32, joined: u64, until: Option<Cursor>) -> Cursor {
        let end = match until {
            Some(Cursor::Dump { next, .. }) => next,
            Some(Cursor::Log(_)) | None => rib.slots(),
        };
        for (visits, (id, net)) in rib.nets_from(next).take_while(|(id, _)| *id < end).enumerate() {
            if until.is_none() && (self.is_full() || visits == MAX_VISITS) {
                return Cursor::Dump { next: id, joined };
            }
            self.tell::<T>(id, net);
        }
        until.unwrap_or(Cursor::Log(joined))
    }

    fn log<T: Table>(&mut self, rib: &Rib<T>, version: u64, until: Option<Cursor>) -> Cursor {
        let end = until.map_or(rib.version(), Cursor::version);
        let mut read = version;
        let scope = self.exporter.audience.scope();
        for (visits, (at, id, net)) in
            rib.changes_after(version, scope).take_while(|(at, ..)| *at <= end).enumerate()
        {
            if until.is_none() && (self.is_full() || visits == MAX_VISITS) {
                return Cursor::Log(read);
            }
            read = at;
            if !self.tell::<T>(id, net) {
                self.tell_end::<T>(at, id, net);
            }
        }
        Cursor::Log(end)
    }

    fn is_full(&self) -> bool {
        self.routes >= MAX_UPDATE_ROUTES || self.bytes >= MAX_UPDATE_BYTES
    }

    /// Tells of the paths to a service; whether there are any to tell of.
    fn tell<T: Table>(&mut self, id: u32, net: &Net) -> bool {
        let Ok(selected) = self.exporter.select(T::KIND, net, self.only, &mut self.cache) else {
            return false;
        };
        for source in &selected.sources {
            self.sources.insert(source.0);
        }
        let paths = selected.paths;
        self.table.advertised.insert(id);
        self.routes += 1;
        self.bytes += net.service().name.as_str().len() + 8;
        let key = paths.iter().map(Arc::as_ptr).collect();
        let place = *self.places.entry(key).or_insert(self.update.announce.len());
        if place == self.update.announce.len() {
            self.bytes += paths.iter().map(|p| p.wire_size()).sum::<usize>();
            self.update.announce.push(Announcement { paths: paths.into_vec(), services: Vec::new() });
        }
        self.update.announce[place].services.push(net.service().clone());
        true
    }

    /// Tells that a service is gone, if the peer may know of it.
    fn tell_end<T: Table>(&mut self, version: u64, id: u32, net: &Net) {
        if !self.table.advertised.contains(id) {
            return;
        }
        match self.only {
            Some(peer) if !net.may_have_told(peer) => return,
            Some(_) => {}
            None => {
                if let Some(source) = net.only_source() {
                    self.sources.insert(source.0);
                }
            }
        }
        // A peer may be told of the end for its own reason only; the others of its group still know the service.
        let ended_for_all = self.exporter.select(T::KIND, net, None, &mut self.cache).is_err();
        if ended_for_all && self.table.ended.back().is_none_or(|last| last.0 < version) {
            self.table.ended.push_back((version, id));
        }
        self.routes += 1;
        self.bytes += net.service().name.as_str().len() + 8;
        self.update.withdraw.push(net.service().clone());
    }
}
