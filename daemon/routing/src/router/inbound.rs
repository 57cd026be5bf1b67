//! Taking in what peers announce and withdraw, and letting go of it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::damping::{Damping, Flap};
use crate::decision::{RejectReason, Standing};
use crate::message::{Announcement, RouteRefresh, Update};
use crate::notification::{Notification, NotificationCode};
use crate::rib::bitset::BitSet;
use crate::rib::{Context, NewPath, Rib, SourceId};
use crate::router::Router;
use crate::router::event::Action;
use crate::router::import::{Import, Refusal, check_paths, check_service, decide, prepare};
use crate::router::peer::AdjRibIn;
use crate::service::Service;
use crate::table::{Table, TableKind};
use crate::time::Time;

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

impl Router {
    pub(super) fn update(&mut self, source: SourceId, update: &Update, now: Time, actions: &mut Vec<Action>) {
        let mut refused = Refused::default();
        for malformed in &update.malformed {
            if let Some(service) = &malformed.service {
                self.withdraw_from(source, service, now);
            }
            refused.add(malformed.service.as_ref(), Refusal::Malformed(Arc::clone(&malformed.reason)));
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
