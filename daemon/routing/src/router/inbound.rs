//! Taking in what peers announce: is it theirs to say, does policy take it, and what becomes of it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::attributes::{Attributes, DEFAULT_LOCAL_PREFERENCE};
use crate::damping::{Damping, Flap};
use crate::decision::{RejectReason, Standing};
use crate::fsm::PeerId;
use crate::intern::Interner;
use crate::message::{Announcement, MAX_PATHS, Role, RouteRefresh, Update};
use crate::name::OrgName;
use crate::notification::{Notification, NotificationCode};
use crate::path::Hop;
use crate::policy::{AppliedRules, Candidate, Verdict};
use crate::rib::bitset::BitSet;
use crate::rib::{Context, NewPath, Rib, SourceId};
use crate::router::Router;
use crate::router::config::NodeConfig;
use crate::router::event::Action;
use crate::router::peer::{AdjRibIn, Peer};
use crate::service::Service;
use crate::table::{Table, TableKind};
use crate::time::Time;

/// Why a route of a peer's was refused. It counts as withdrawn (RFC 7606); the session goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It could not be read.
    #[error("malformed: {0}")]
    Malformed(String),
    /// No path at all, or more than [`MAX_PATHS`].
    #[error("{0} paths; expected 1 to {MAX_PATHS}")]
    Paths(usize),
    /// Its path does not begin with the peer that announces it.
    #[error("its path does not begin with the peer {0}")]
    NotByPeer(PeerId),
    /// Its path does not end where it says it began.
    #[error("its path does not end at its origin {0}")]
    NotFromOrigin(OrgName),
    /// Its paths begin in different organisations.
    #[error("its paths have different origins")]
    MixedOrigins,
    /// The peer may not announce services of that organisation.
    #[error("services of {0} are not accepted from this peer")]
    OriginNotAllowed(OrgName),
    /// The service is not its origin's to announce.
    #[error("the service does not lie under its origin {0}")]
    ForeignService(OrgName),
    /// Another organisation announces a service of this one.
    #[error("{0} announces a service under this node's own organisation")]
    OwnService(OrgName),
}

/// The routes of one update that were refused.
#[derive(Default)]
struct Refused {
    count: usize,
    first: Option<(Option<Service>, Refusal)>,
}

impl Refused {
    fn add(&mut self, service: Option<&Service>, refusal: Refusal) {
        self.count += 1;
        self.first.get_or_insert_with(|| (service.cloned(), refusal));
    }
}

/// A path as import makes it, before the policy has seen the service.
struct Prepared {
    received: Arc<Attributes>,
    imported: Arc<Attributes>,
    rejected: Option<RejectReason>,
}

impl Router {
    pub(super) fn update(&mut self, source: SourceId, update: &Update, now: Time, actions: &mut Vec<Action>) {
        let mut refused = Refused::default();
        for malformed in &update.malformed {
            if let Some(service) = &malformed.service {
                self.withdraw_from(source, service, now);
            }
            refused.add(malformed.service.as_ref(), Refusal::Malformed(malformed.reason.clone()));
        }
        for service in &update.withdraw {
            self.withdraw_from(source, service, now);
        }
        let mut within_limit = true;
        for announcement in &update.announce {
            if within_limit {
                within_limit = self.announced(source, announcement, &mut refused, now);
            }
        }
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        peer.counters.updates_in += 1;
        peer.counters.refused += refused.count as u64;
        if let Some((service, refusal)) = refused.first {
            let (peer, count) = (Arc::clone(&peer.id), refused.count);
            actions.push(Action::RoutesRefused { peer, count, service, refusal });
        }
        self.check_limit(source, within_limit, now, actions);
        if update.end_of_rib {
            self.end_of_rib(source, now);
        }
    }

    pub(super) fn route_refresh(&mut self, source: SourceId, refresh: RouteRefresh, now: Time) {
        match refresh {
            RouteRefresh::Request => self.refresh_out(source),
            RouteRefresh::Begin => self.mark_stale(source, now),
            RouteRefresh::End => self.sweep(source, now),
        }
    }

    fn end_of_rib(&mut self, source: SourceId, now: Time) {
        if let Some(established) = self.peers.by_source_mut(source).and_then(|p| p.established.as_mut()) {
            established.end_of_rib = true;
        }
        self.sweep(source, now);
    }

    /// Takes in one announcement; false if it went beyond the peer's limit.
    fn announced(
        &mut self,
        source: SourceId,
        announcement: &Announcement,
        refused: &mut Refused,
        now: Time,
    ) -> bool {
        let Some(peer) = self.peers.by_source(source) else { return true };
        let origin = match check_paths(&self.node, peer, &announcement.paths) {
            Ok(origin) => origin.clone(),
            Err(refusal) => {
                for service in &announcement.services {
                    self.withdraw_from(source, service, now);
                    refused.add(Some(service), refusal.clone());
                }
                return true;
            }
        };
        let mut import = Import::new(&self.node, peer, &mut self.interner, &announcement.paths);
        let limit = peer.config.route_limit.max;
        // The table follows from whose service it is, and from nothing that the peer says of it.
        let kind = if origin == self.node.id.org { TableKind::Internal } else { TableKind::External };
        let peers = &mut self.peers;
        let mut rib_in = std::mem::take(&mut peers.by_source_mut(source).expect("found above").rib_in);
        let peer = peers.by_source(source).expect("found above");
        let context = peers.context(&self.node, now);
        let mut step = Step { source, context, rib_in: &mut rib_in, damping: None };
        if peer.config.damping {
            step.damping = Some(&mut self.damping);
        }
        let mut within = true;
        for service in &announcement.services {
            if let Err(refusal) = check_service(&self.node, &origin, service) {
                step.remove(&mut self.tables.internal, |r| &mut r.internal, service);
                step.remove(&mut self.tables.external, |r| &mut r.external, service);
                refused.add(Some(service), refusal);
                continue;
            }
            let paths = import.paths(peer, &mut self.interner, kind, service);
            // A service that has moved from one table to the other is not left behind in the first.
            match kind {
                TableKind::Internal => {
                    step.remove(&mut self.tables.external, |r| &mut r.external, service);
                    step.put(&mut self.tables.internal, |r| &mut r.internal, service, paths);
                }
                TableKind::External => {
                    step.remove(&mut self.tables.internal, |r| &mut r.internal, service);
                    step.put(&mut self.tables.external, |r| &mut r.external, service, paths);
                }
            }
            if step.rib_in.count > limit {
                within = false;
                break;
            }
        }
        peers.by_source_mut(source).expect("found above").rib_in = rib_in;
        within
    }

    fn withdraw_from(&mut self, source: SourceId, service: &Service, now: Time) {
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        let mut rib_in = std::mem::take(&mut peer.rib_in);
        let damped = peer.config.damping;
        let context = self.peers.context(&self.node, now);
        let mut step = Step { source, context, rib_in: &mut rib_in, damping: None };
        if damped {
            step.damping = Some(&mut self.damping);
        }
        step.remove(&mut self.tables.internal, |r| &mut r.internal, service);
        step.remove(&mut self.tables.external, |r| &mut r.external, service);
        self.peers.by_source_mut(source).expect("found above").rib_in = rib_in;
    }

    /// RFC 4486's limit: warns once when it comes near, and ends the session beyond it.
    fn check_limit(&mut self, source: SourceId, within: bool, now: Time, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        let limit = peer.config.route_limit;
        if !within {
            let reason = format!("more than {} routes", limit.max);
            let notification = Notification::new(NotificationCode::MaxRoutesReached, reason);
            let stop = crate::fsm::Event::Stop { notification, restart_after: limit.restart_after };
            return self.drive(source, stop, now, actions);
        }
        let routes = peer.rib_in.count;
        let near = u64::from(routes) * 100 >= u64::from(limit.max) * u64::from(limit.warn_percent);
        if near && !peer.rib_in.warned {
            actions.push(Action::RouteLimitNear { peer: Arc::clone(&peer.id), routes, max: limit.max });
        }
        peer.rib_in.warned = near;
    }

    /// Drops all routes of a peer's.
    pub(super) fn flush(&mut self, source: SourceId, now: Time) {
        self.retain_from(source, now, |_| false);
        if let Some(peer) = self.peers.by_source_mut(source) {
            peer.stale_until = None;
        }
    }

    /// Drops the routes that the peer has not confirmed.
    pub(super) fn sweep(&mut self, source: SourceId, now: Time) {
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        if peer.stale_until.take().is_some() {
            self.retain_from(source, now, |path| !path.stale);
        }
    }

    /// From now on the peer must confirm its routes.
    pub(super) fn mark_stale(&mut self, source: SourceId, now: Time) {
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        peer.stale_until = Some(now + super::MAX_RESTART_TIME);
        for id in peer.rib_in.internal.iter() {
            self.tables.internal.mark_stale(id, source);
        }
        for id in peer.rib_in.external.iter() {
            self.tables.external.mark_stale(id, source);
        }
    }

    /// Keeps of a peer's paths those that `keep` says.
    pub(super) fn retain_from(
        &mut self,
        source: SourceId,
        now: Time,
        keep: impl Fn(&crate::rib::PathEntry) -> bool,
    ) {
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        let mut rib_in = std::mem::take(&mut peer.rib_in);
        let context = self.peers.context(&self.node, now);
        let mut gone = 0;
        gone += retain(&mut self.tables.internal, &mut rib_in.internal, source, &context, &keep);
        gone += retain(&mut self.tables.external, &mut rib_in.external, source, &context, &keep);
        rib_in.count -= gone;
        self.peers.by_source_mut(source).expect("found above").rib_in = rib_in;
    }

    /// Looks at a peer's routes again with the import policy as it is now.
    pub(super) fn reimport(&mut self, source: SourceId, now: Time) {
        self.reimport_table(source, now, TableKind::Internal);
        self.reimport_table(source, now, TableKind::External);
    }

    fn reimport_table(&mut self, source: SourceId, now: Time, kind: TableKind) {
        let Some(peer) = self.peers.by_source(source) else { return };
        let context = self.peers.context(&self.node, now);
        let interner = &mut self.interner;
        let (node, damping) = (&self.node, &self.damping);
        let mut again = |service: &Service, path: &mut crate::rib::PathEntry| {
            let prepared = prepare(node, peer, interner, &path.received);
            let new = decide(peer, interner, kind, service, &prepared);
            let suppressed = damping.is_suppressed(source, service).then_some(RejectReason::Damped);
            path.imported = new.imported;
            path.standing = new.rejected.or(suppressed).map_or(Standing::Best, Standing::Rejected);
        };
        match kind {
            TableKind::Internal => {
                for id in peer.rib_in.internal.iter() {
                    let service = self.tables.internal.net(id).service().clone();
                    self.tables.internal.update(id, source, &context, |path| again(&service, path));
                }
            }
            TableKind::External => {
                for id in peer.rib_in.external.iter() {
                    let service = self.tables.external.net(id).service().clone();
                    self.tables.external.update(id, source, &context, |path| again(&service, path));
                }
            }
        }
    }

    /// Uses routes again that have calmed down.
    pub(super) fn release_damped(&mut self, now: Time) {
        while let Some((source, service)) = self.damping.released(now) {
            let context = self.peers.context(&self.node, now);
            let release = |path: &mut crate::rib::PathEntry| {
                if path.standing == Standing::Rejected(RejectReason::Damped) {
                    path.standing = Standing::Best;
                }
            };
            if let Some(id) = self.tables.internal.find(&service) {
                self.tables.internal.update(id, source, &context, release);
            }
            if let Some(id) = self.tables.external.find(&service) {
                self.tables.external.update(id, source, &context, release);
            }
        }
    }
}

/// One service's worth of a peer's update.
struct Step<'a> {
    source: SourceId,
    context: Context<'a>,
    rib_in: &'a mut AdjRibIn,
    damping: Option<&'a mut Damping>,
}

impl Step<'_> {
    fn put<T: Table>(
        &mut self,
        rib: &mut Rib<T>,
        bits: impl Fn(&mut AdjRibIn) -> &mut BitSet,
        service: &Service,
        mut paths: SmallVec<[NewPath; 1]>,
    ) {
        if let Some(damping) = &mut self.damping {
            let changed = rib.find(service).is_some_and(|id| {
                let mut old = rib.net(id).paths().iter().filter(|p| p.source == self.source);
                let first = old.next();
                first.is_some_and(|p| !Arc::ptr_eq(&p.received, &paths[0].received))
            });
            let suppressed = if changed {
                damping.flapped(self.source, service, Flap::Changed, self.context.now)
            } else {
                damping.is_suppressed(self.source, service)
            };
            if suppressed {
                paths.iter_mut().for_each(|p| p.rejected = p.rejected.or(Some(RejectReason::Damped)));
            }
        }
        let (id, new) = rib.replace(service, self.source, &paths, &self.context);
        if new {
            bits(self.rib_in).insert(id);
            self.rib_in.count += 1;
        }
    }

    fn remove<T: Table>(
        &mut self,
        rib: &mut Rib<T>,
        bits: impl Fn(&mut AdjRibIn) -> &mut BitSet,
        service: &Service,
    ) {
        if rib.len() == 0 {
            return;
        }
        let Some(id) = rib.find(service) else { return };
        if bits(self.rib_in).remove(id) {
            self.rib_in.count -= 1;
            rib.retain(id, self.source, &self.context, |_| false);
            if let Some(damping) = &mut self.damping {
                damping.flapped(self.source, service, Flap::Withdrawn, self.context.now);
            }
        }
    }
}

fn retain<T>(
    rib: &mut Rib<T>,
    bits: &mut BitSet,
    source: SourceId,
    context: &Context<'_>,
    keep: &impl Fn(&crate::rib::PathEntry) -> bool,
) -> u32 {
    let mut gone = 0;
    let mut next = bits.next(0);
    while let Some(id) = next {
        if !rib.retain(id, source, context, keep) {
            bits.remove(id);
            gone += 1;
        }
        next = bits.next(id + 1);
    }
    gone
}

/// Whether these paths are the peer's to tell of. Gives whose service it is.
fn check_paths<'a>(
    node: &NodeConfig,
    peer: &Peer,
    paths: &'a [Arc<Attributes>],
) -> Result<&'a OrgName, Refusal> {
    if paths.is_empty() || paths.len() > MAX_PATHS {
        return Err(Refusal::Paths(paths.len()));
    }
    let origin = &paths[0].origin.org;
    for attributes in paths {
        if attributes.origin.org != *origin {
            return Err(Refusal::MixedOrigins);
        }
        if !begins_with_peer(node, peer, attributes) {
            return Err(Refusal::NotByPeer(PeerId::clone(&peer.id)));
        }
        // A service of this organisation began at a node of it, one of another at that organisation.
        let ends = attributes.path.last().is_some_and(|last| {
            let inside = *origin == node.id.org;
            last.org == *origin
                && if inside { last.node == attributes.origin.node } else { last.node.is_none() }
        });
        if !ends {
            return Err(Refusal::NotFromOrigin(origin.clone()));
        }
        if !peer.may_announce(attributes) {
            return Err(Refusal::OriginNotAllowed(origin.clone()));
        }
    }
    Ok(origin)
}

/// RFC 4271 §6.3. A reflected route begins with the node that announced it to the reflector.
fn begins_with_peer(node: &NodeConfig, peer: &Peer, attributes: &Attributes) -> bool {
    let Some(first) = attributes.path.first() else { return false };
    match (&first.node, peer.internal) {
        (None, false) => first.org == peer.id.org,
        (Some(first_node), true) => {
            first.org == node.id.org && (attributes.reflection.is_some() || *first_node == peer.id.node)
        }
        (Some(_), false) | (None, true) => false,
    }
}

/// Whether the service is its origin's to announce. Names under this node's own organisation are nobody else's, except
/// of an organisation whose name itself lies under it.
fn check_service(node: &NodeConfig, origin: &OrgName, service: &Service) -> Result<(), Refusal> {
    if !service.name.is_under(origin) {
        return Err(Refusal::ForeignService(origin.clone()));
    }
    let own = &node.id.org;
    if origin != own && service.name.is_under(own) && !is_sub_organisation(origin, own) {
        return Err(Refusal::OwnService(origin.clone()));
    }
    Ok(())
}

fn is_sub_organisation(org: &OrgName, parent: &OrgName) -> bool {
    org.as_str().strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

/// The import of one announcement: what does not depend on the service is done once.
struct Import {
    prepared: SmallVec<[Prepared; 1]>,
    /// What came out for the first service, if it holds for all.
    all: Option<SmallVec<[NewPath; 1]>>,
    by_service: bool,
}

impl Import {
    fn new(node: &NodeConfig, peer: &Peer, interner: &mut Interner, paths: &[Arc<Attributes>]) -> Self {
        let mut prepared = SmallVec::new();
        for received in paths {
            let received = interner.intern(received);
            prepared.push(prepare(node, peer, interner, &received));
        }
        let by_service = peer.config.import.as_ref().is_some_and(|p| p.looks_at_service());
        Self { prepared, all: None, by_service }
    }

    fn paths(
        &mut self,
        peer: &Peer,
        interner: &mut Interner,
        kind: TableKind,
        service: &Service,
    ) -> SmallVec<[NewPath; 1]> {
        let decide_all = |interner: &mut Interner| -> SmallVec<[NewPath; 1]> {
            self.prepared.iter().map(|p| decide(peer, interner, kind, service, p)).collect()
        };
        if self.by_service {
            return decide_all(interner);
        }
        self.all.get_or_insert_with(|| decide_all(interner)).clone()
    }
}

/// What is true of a path for every service: attributes that the peer has no say in are set, and loops are found.
fn prepare(node: &NodeConfig, peer: &Peer, interner: &mut Interner, received: &Arc<Attributes>) -> Prepared {
    let mut rejected = loop_of(node, received);
    let mut changed = Attributes::clone(received);
    if !peer.internal {
        changed.local_preference = DEFAULT_LOCAL_PREFERENCE;
        changed.reflection = None;
        changed.origin.node = None;
        rejected = rejected.or(only_to_customer(peer, &mut changed));
    }
    let imported =
        if changed == **received { Arc::clone(received) } else { interner.intern(&Arc::new(changed)) };
    Prepared { received: Arc::clone(received), imported, rejected }
}

fn loop_of(node: &NodeConfig, attributes: &Attributes) -> Option<RejectReason> {
    if attributes.path.loops_through(&node.id.org, &node.id.node) {
        return Some(RejectReason::PathLoop);
    }
    let reflection = attributes.reflection.as_ref()?;
    if reflection.originator == node.id.node {
        return Some(RejectReason::OriginatorLoop);
    }
    reflection.clusters().contains(&node.cluster).then_some(RejectReason::ClusterLoop)
}

/// RFC 9234 §5, on the way in.
fn only_to_customer(peer: &Peer, attributes: &mut Attributes) -> Option<RejectReason> {
    let role = peer.config.external.role?;
    match (role, &attributes.only_to_customer) {
        // The peer is a customer, and passes on what it had from a provider or a peer.
        (Role::Provider, Some(_)) => Some(RejectReason::RouteLeak),
        (Role::Provider, None) => None,
        (Role::Peer, Some(org)) => (*org != peer.id.org).then_some(RejectReason::RouteLeak),
        (Role::Customer, Some(_)) => None,
        (Role::Peer | Role::Customer, None) => {
            attributes.only_to_customer = Some(peer.id.org.clone());
            None
        }
    }
}

/// What the import policy makes of a path to a service.
fn decide(
    peer: &Peer,
    interner: &mut Interner,
    table: TableKind,
    service: &Service,
    prepared: &Prepared,
) -> NewPath {
    let unchanged = |rejected| NewPath {
        received: Arc::clone(&prepared.received),
        imported: Arc::clone(&prepared.imported),
        rejected,
    };
    if prepared.rejected.is_some() {
        return unchanged(prepared.rejected);
    }
    let Some(policy) = &peer.config.import else {
        return unchanged((!peer.internal).then_some(RejectReason::NoImportPolicy));
    };
    let rules: AppliedRules =
        match policy.evaluate(&Candidate { service, attributes: &prepared.imported, table }) {
            Verdict::Accept(rules) if rules.is_empty() => return unchanged(None),
            Verdict::Accept(rules) => rules,
            Verdict::Reject { rule: Some(rule) } => {
                return unchanged(Some(RejectReason::DeniedByRule(rule)));
            }
            Verdict::Reject { rule: None } => return unchanged(Some(RejectReason::DeniedByDefault)),
        };
    let first: &Hop = prepared.imported.path.first().expect("a path without hops is refused");
    let mut changed = Attributes::clone(&prepared.imported);
    match policy.apply(&rules, &mut changed, first) {
        Ok(()) => NewPath {
            received: Arc::clone(&prepared.received),
            imported: interner.intern(&Arc::new(changed)),
            rejected: None,
        },
        Err(error) => unchanged(Some(RejectReason::DeniedByRule(error.rule()))),
    }
}
