//! What operators ask: how the peers are, what they say and are told, and why a route is the one used.

use std::sync::Arc;
use std::time::Duration;

use crate::attributes::Attributes;
use crate::decision::Standing;
use crate::fsm::{PeerId, State};
use crate::message::HoldTime;
use crate::rib::{PathEntry, Rib};
use crate::router::Router;
use crate::router::export::{Cache, ExportRefusal, Exporter};
use crate::router::peer::{Peer, PeerCounters};
use crate::service::Service;
use crate::snapshot::RouteSource;
use crate::table::{Table, TableKind};
use crate::time::Time;

/// How a peer is.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Who it is.
    pub peer: Arc<PeerId>,
    /// Of this organisation, or of another.
    pub internal: bool,
    /// Where its machine is.
    pub state: State,
    /// For how long its session has been up.
    pub up_for: Option<Duration>,
    /// What was agreed, while the session is up.
    pub hold_time: Option<HoldTime>,
    /// How many services it has announced, whether they are used or not.
    pub routes: u32,
    /// How many it may announce.
    pub max_routes: u32,
    /// Its routes are kept although they are not confirmed.
    pub stale: bool,
    /// It is external, and there is no policy for what it announces: nothing is taken (RFC 8212).
    pub import_missing: bool,
    /// It is external, and there is no policy for what it is told: it is told nothing.
    pub export_missing: bool,
    /// What has happened since it was configured.
    pub counters: PeerCounters,
}

/// A route as a peer has announced it, and what became of it.
#[derive(Debug, Clone)]
pub struct ReceivedRoute {
    /// Its table.
    pub table: TableKind,
    /// The service.
    pub service: Service,
    /// As the peer sent it.
    pub received: Arc<Attributes>,
    /// As the import policy made it.
    pub imported: Arc<Attributes>,
    /// What the decision process made of it.
    pub standing: Standing,
    /// Not confirmed since the session was last lost, or a refresh began.
    pub stale: bool,
    /// How long it has been known.
    pub age: Duration,
}

/// One path of an explanation.
#[derive(Debug, Clone)]
pub struct ExplainedPath {
    /// Where it was learned.
    pub source: RouteSource,
    /// The route.
    pub route: ReceivedRoute,
}

/// Why a service is reached as it is, and who is told.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Every path known, by table, the best first.
    pub paths: Vec<ExplainedPath>,
    /// What each peer with a session is told: how many paths, or why nothing.
    pub told: Vec<(Arc<PeerId>, TableKind, Result<usize, ExportRefusal>)>,
}

impl Router {
    /// How every peer is, by name.
    pub fn peers(&self, now: Time) -> Vec<PeerStatus> {
        let status = |peer: &Peer| PeerStatus {
            peer: Arc::clone(&peer.id),
            internal: peer.internal,
            state: *peer.fsm.state(),
            up_for: up_for(peer.fsm.state(), now),
            hold_time: peer.established.as_ref().map(|e| e.session.hold_time),
            routes: peer.rib_in.count,
            max_routes: peer.config.route_limit.max,
            stale: peer.stale_until.is_some(),
            import_missing: !peer.internal && peer.config.import.is_none(),
            export_missing: !peer.internal && peer.config.export.is_none(),
            counters: peer.counters,
        };
        self.peers.numbers().into_iter().filter_map(|s| self.peers.by_source(s)).map(status).collect()
    }

    /// What a peer has announced, whether it is used or not: its Adj-RIB-In. None if there is no such peer.
    pub fn received_routes(&self, peer: &PeerId, now: Time) -> Option<impl Iterator<Item = ReceivedRoute>> {
        let peer = self.peers.by_source(self.peers.find(peer)?)?;
        let internal = peer.rib_in.internal.iter();
        let internal = internal.flat_map(move |id| routes(&self.tables.internal, id, peer, now));
        let external = peer.rib_in.external.iter();
        let external = external.flat_map(move |id| routes(&self.tables.external, id, peer, now));
        Some(internal.chain(external))
    }

    /// What a peer is told: its Adj-RIB-Out. None if it has no session.
    pub fn advertised_routes(
        &self,
        peer: &PeerId,
    ) -> Option<impl Iterator<Item = (TableKind, Service, Vec<Arc<Attributes>>)>> {
        let peer = self.peers.by_source(self.peers.find(peer)?)?;
        peer.established.as_ref()?;
        Some(self.advertised(&self.tables.internal, peer).chain(self.advertised(&self.tables.external, peer)))
    }

    fn advertised<'a, T: Table>(
        &'a self,
        rib: &'a Rib<T>,
        peer: &'a Peer,
    ) -> impl Iterator<Item = (TableKind, Service, Vec<Arc<Attributes>>)> + 'a {
        rib.nets_from(0).filter_map(move |(id, net)| {
            let told = self.told(rib, id, peer).ok()?;
            Some((T::KIND, net.service().clone(), told))
        })
    }

    /// Everything known of a service.
    pub fn explain(&self, service: &Service, now: Time) -> Explanation {
        let mut explanation = Explanation { paths: Vec::new(), told: Vec::new() };
        self.explain_table(&self.tables.internal, service, now, &mut explanation);
        self.explain_table(&self.tables.external, service, now, &mut explanation);
        explanation
    }

    fn explain_table<T: Table>(
        &self,
        rib: &Rib<T>,
        service: &Service,
        now: Time,
        explanation: &mut Explanation,
    ) {
        let Some(id) = rib.find(service) else { return };
        for path in rib.net(id).paths() {
            let source = self.peers.route_source(path.source);
            let route = received::<T>(service, path, now);
            explanation.paths.push(ExplainedPath { source, route });
        }
        for peer in self.peers.numbers().into_iter().filter_map(|s| self.peers.by_source(s)) {
            if peer.established.is_some() {
                let told = self.told(rib, id, peer).map(|paths| paths.len());
                explanation.told.push((Arc::clone(&peer.id), T::KIND, told));
            }
        }
    }

    /// What a peer is told of a net, by the same rules as the messages to it are made.
    fn told<T: Table>(
        &self,
        rib: &Rib<T>,
        id: u32,
        peer: &Peer,
    ) -> Result<Vec<Arc<Attributes>>, ExportRefusal> {
        let Some(out) = peer.outbound() else { return Err(ExportRefusal::NoPath) };
        let audience = &self.groups.get(out.group).audience;
        let exporter = Exporter {
            node: &self.node,
            audience,
            sources: self.peers.sources(),
            meshes: self.peers.meshes(),
        };
        let selected = exporter.select(T::KIND, rib.net(id), Some(peer.source), &mut Cache::default())?;
        Ok(selected.paths.into_vec())
    }
}

fn routes<T: Table>(rib: &Rib<T>, id: u32, peer: &Peer, now: Time) -> impl Iterator<Item = ReceivedRoute> {
    let net = rib.net(id);
    let source = peer.source;
    net.paths().iter().filter(move |p| p.source == source).map(move |p| received::<T>(net.service(), p, now))
}

fn received<T: Table>(service: &Service, path: &PathEntry, now: Time) -> ReceivedRoute {
    ReceivedRoute {
        table: T::KIND,
        service: service.clone(),
        received: Arc::clone(&path.received),
        imported: Arc::clone(&path.imported),
        standing: path.standing,
        stale: path.stale,
        age: now.since(path.learned_at),
    }
}

fn up_for(state: &State, now: Time) -> Option<Duration> {
    match state {
        State::Established { since, .. } => Some(now.since(*since)),
        State::Idle { .. }
        | State::Connect { .. }
        | State::Active { .. }
        | State::OpenSent { .. }
        | State::OpenConfirm { .. } => None,
    }
}
