//! Sessions: which connection is whose, what the peers' machines want, and what becomes of routes when a session ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::fsm::{self, ConnectionId, DownReason, Fsm, OPEN_TIMEOUT, PeerId, Session};
use crate::message::{Capabilities, GracefulRestart, Message, Open, Outgoing, RouteRefresh};
use crate::notification::{Notification, NotificationCode};
use crate::rib::SourceId;
use crate::router::config::{MAX_PEERS, MAX_RESTART_TIME, PeerConfig};
use crate::router::event::{Action, Rejection, Reset};
use crate::router::outbound::agreed_paths;
use crate::router::peer::{AdjRibIn, Established, Outbound, Peer, PeerCounters, Stage};
use crate::router::{Router, is_internal};
use crate::time::Time;

/// The most accepted connections whose sender is not known yet. A further one is closed at once.
pub const MAX_PENDING: usize = 256;

/// Whose a connection is.
#[derive(Debug)]
enum Owner {
    /// Nobody's yet: the Open is awaited.
    Pending { proved: Option<PeerId>, open_by: Time },
    /// A peer's.
    Peer(SourceId),
}

/// All connections there are.
#[derive(Debug, Default)]
pub(super) struct Connections {
    owners: BTreeMap<ConnectionId, Owner>,
    pending: usize,
}

impl Connections {
    pub(super) fn peer(&self, connection: ConnectionId) -> Option<SourceId> {
        match self.owners.get(&connection)? {
            Owner::Pending { .. } => None,
            Owner::Peer(source) => Some(*source),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.pending == 0 {
            return None;
        }
        let pending = self.owners.values().filter_map(|owner| match owner {
            Owner::Pending { open_by, .. } => Some(*open_by),
            Owner::Peer(_) => None,
        });
        pending.min()
    }

    fn insert(&mut self, connection: ConnectionId, owner: Owner) {
        self.remove(connection);
        self.pending += usize::from(matches!(owner, Owner::Pending { .. }));
        self.owners.insert(connection, owner);
    }

    fn remove(&mut self, connection: ConnectionId) -> Option<Owner> {
        let owner = self.owners.remove(&connection)?;
        self.pending -= usize::from(matches!(owner, Owner::Pending { .. }));
        Some(owner)
    }

    fn late(&self, now: Time) -> Vec<ConnectionId> {
        let late = |(connection, owner): (&ConnectionId, &Owner)| match owner {
            Owner::Pending { open_by, .. } => (*open_by <= now).then_some(*connection),
            Owner::Peer(_) => None,
        };
        self.owners.iter().filter_map(late).collect()
    }
}

impl Router {
    pub(super) fn configure_peer(&mut self, config: PeerConfig, now: Time, actions: &mut Vec<Action>) {
        if config.id == self.node.id {
            return actions.push(Action::Rejected(Rejection::OwnIdentity(config.id)));
        }
        if let Some(source) = self.peers.find(&config.id) {
            return self.reconfigure(source, config, now, actions);
        }
        if self.peers.len() == MAX_PEERS {
            return actions.push(Action::Rejected(Rejection::TooManyPeers(config.id)));
        }
        let seed = self.random.next_u64();
        let fsm = Fsm::new(self.fsm_config(&config), seed);
        let internal = is_internal(&self.node, &config.id);
        let source = self.peers.insert(&self.node, config, |source, config| Peer {
            id: Arc::new(config.id.clone()),
            config,
            source,
            internal,
            fsm,
            rib_in: AdjRibIn::default(),
            established: None,
            stale_until: None,
            counters: PeerCounters::default(),
        });
        self.drive(source, fsm::Event::Start, now, actions);
    }

    /// Puts a new configuration into force, with as little disturbance as it allows.
    fn reconfigure(&mut self, source: SourceId, config: PeerConfig, now: Time, actions: &mut Vec<Action>) {
        let fsm_config = self.fsm_config(&config);
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        let old = std::mem::replace(&mut peer.config, config);
        if old == peer.config {
            return;
        }
        let config = peer.config.clone();
        let mesh = peer.mesh();
        peer.fsm.set_config(fsm_config);
        self.peers.set_mesh(source, mesh);
        // What was agreed in the Opens, and what decides which routes may flow at all, needs a fresh session.
        let fresh = old.hold_time != config.hold_time
            || old.max_paths != config.max_paths
            || old.mesh != config.mesh
            || old.external != config.external;
        if fresh {
            let notification = Notification::new(NotificationCode::ConfigurationChange, "");
            self.drive(source, fsm::Event::Fail(notification), now, actions);
            if old.external != config.external {
                self.flush(source, now);
            }
        }
        if old.import != config.import {
            self.reimport(source, now);
        }
        self.check_new_limit(source, now, actions);
        if !fresh && (old.export != config.export || old.next_hop != config.next_hop) {
            self.refresh_out(source);
        }
    }

    fn check_new_limit(&mut self, source: SourceId, now: Time, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.by_source(source) else { return };
        let limit = peer.config.route_limit;
        if peer.rib_in.count > limit.max {
            let reason = format!("more than {} routes", limit.max);
            let notification = Notification::new(NotificationCode::MaxRoutesReached, reason);
            let stop = fsm::Event::Stop { notification, restart_after: limit.restart_after };
            self.drive(source, stop, now, actions);
        }
    }

    pub(super) fn remove_peer(&mut self, id: &PeerId, now: Time, actions: &mut Vec<Action>) {
        let Some(source) = self.peers.find(id) else {
            return actions.push(Action::Rejected(Rejection::NoSuchPeer(id.clone())));
        };
        let notification = Notification::new(NotificationCode::PeerDeconfigured, "");
        self.drive(source, fsm::Event::Stop { notification, restart_after: None }, now, actions);
        self.flush(source, now);
        self.damping.forget(source);
        self.keys.forget_source(source);
        self.peers.remove(source);
    }

    pub(super) fn reset_peer(&mut self, id: &PeerId, reset: Reset, now: Time, actions: &mut Vec<Action>) {
        let Some(source) = self.peers.find(id) else {
            return actions.push(Action::Rejected(Rejection::NoSuchPeer(id.clone())));
        };
        match reset {
            Reset::Hard => {
                let notification = Notification::new(NotificationCode::AdministrativeReset, "");
                let stop = fsm::Event::Stop { notification, restart_after: None };
                self.drive(source, stop, now, actions);
                self.drive(source, fsm::Event::Start, now, actions);
            }
            Reset::SoftIn => {
                let established = self.peers.by_source(source).and_then(|p| p.established.as_ref());
                if let Some(connection) = established.map(|e| e.session.connection) {
                    let message = Message::RouteRefresh(RouteRefresh::Request);
                    actions.push(Action::Send { connection, message: Outgoing::new(message) });
                }
            }
            Reset::SoftOut => self.refresh_out(source),
        }
    }

    pub(super) fn dialled(
        &mut self,
        id: &PeerId,
        connection: ConnectionId,
        proved: Option<PeerId>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Some(source) = self.peers.find(id) else {
            return actions.push(Action::Close { connection });
        };
        if let Some(proved) = proved
            && proved != *id
        {
            say(connection, impostor(id, &proved), actions);
            return self.drive(source, fsm::Event::DialFailed, now, actions);
        }
        self.connections.insert(connection, Owner::Peer(source));
        self.drive(source, fsm::Event::Dialled(connection), now, actions);
    }

    pub(super) fn dial_failed(&mut self, id: &PeerId, now: Time, actions: &mut Vec<Action>) {
        if let Some(source) = self.peers.find(id) {
            self.drive(source, fsm::Event::DialFailed, now, actions);
        }
    }

    pub(super) fn accepted(
        &mut self,
        connection: ConnectionId,
        proved: Option<PeerId>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        if self.connections.pending >= MAX_PENDING {
            let reason = "too many connections that have not said who they are";
            return say(connection, Notification::new(NotificationCode::OutOfResources, reason), actions);
        }
        self.connections.insert(connection, Owner::Pending { proved, open_by: now + OPEN_TIMEOUT });
    }

    pub(super) fn received(
        &mut self,
        connection: ConnectionId,
        message: Message,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        match self.connections.owners.get(&connection) {
            // Closed by this side while the message was under way.
            None => {}
            Some(Owner::Pending { .. }) => match self.identify(connection, &message) {
                Ok((source, open)) => {
                    self.connections.insert(connection, Owner::Peer(source));
                    self.drive(source, fsm::Event::Accepted(connection, &open), now, actions);
                }
                Err(notification) => {
                    self.connections.remove(connection);
                    say(connection, notification, actions);
                }
            },
            Some(Owner::Peer(source)) => {
                let source = *source;
                let Some(peer) = self.peers.by_source_mut(source) else { return };
                let steps = peer.fsm.handle(fsm::Event::Received(connection, &message), now);
                let deliver = steps.contains(&fsm::Action::Deliver);
                self.perform(source, steps, now, actions);
                if deliver {
                    self.deliver(source, message, now, actions);
                }
            }
        }
    }

    fn deliver(&mut self, source: SourceId, message: Message, now: Time, actions: &mut Vec<Action>) {
        match message {
            Message::Update(update) => self.update(source, &update, now, actions),
            Message::RouteRefresh(refresh) => self.route_refresh(source, refresh, now),
            Message::KeySet(keys) => self.keys_received(source, keys, actions),
            Message::Open(_) | Message::Keepalive | Message::Notification(_) => {}
        }
    }

    /// Who has dialled this node: a configured peer, if the transport's proof and the Open agree.
    fn identify(
        &self,
        connection: ConnectionId,
        message: &Message,
    ) -> Result<(SourceId, Open), Notification> {
        let refuse = |code, reason: &str| Err(Notification::new(code, reason));
        let open = match message {
            Message::Open(open) => open,
            Message::Keepalive
            | Message::Update(_)
            | Message::RouteRefresh(_)
            | Message::KeySet(_)
            | Message::Notification(_) => {
                return refuse(NotificationCode::UnexpectedMessage, "the first message must be an open");
            }
        };
        let id = PeerId { org: open.org.clone(), node: open.node.clone() };
        let proved = match self.connections.owners.get(&connection) {
            Some(Owner::Pending { proved, .. }) => proved.as_ref(),
            Some(Owner::Peer(_)) | None => None,
        };
        if let Some(proved) = proved
            && *proved != id
        {
            return Err(impostor(&id, proved));
        }
        if id == self.node.id {
            return refuse(NotificationCode::WrongNodeId, "this is my own id");
        }
        match self.peers.find(&id) {
            Some(source) => Ok((source, open.clone())),
            None => {
                let reason = format!("{id} is no peer of {}", self.node.id);
                Err(Notification::new(NotificationCode::UnknownPeer, reason))
            }
        }
    }

    pub(super) fn refused(
        &mut self,
        connection: ConnectionId,
        notification: Notification,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        match self.connections.owners.get(&connection) {
            None => {}
            Some(Owner::Pending { .. }) => {
                self.connections.remove(connection);
                say(connection, notification, actions);
            }
            Some(Owner::Peer(source)) => {
                let source = *source;
                let current = self.peers.by_source(source).and_then(|p| p.fsm.state().connection());
                if current == Some(connection) {
                    self.drive(source, fsm::Event::Fail(notification), now, actions);
                }
            }
        }
    }

    pub(super) fn closed(&mut self, connection: ConnectionId, now: Time, actions: &mut Vec<Action>) {
        match self.connections.remove(connection) {
            Some(Owner::Peer(source)) => self.drive(source, fsm::Event::Closed(connection), now, actions),
            Some(Owner::Pending { .. }) | None => {}
        }
    }

    pub(super) fn tick(&mut self, now: Time, actions: &mut Vec<Action>) {
        for connection in self.connections.late(now) {
            self.connections.remove(connection);
            let reason = format!("no open within {} s", OPEN_TIMEOUT.as_secs());
            say(connection, Notification::new(NotificationCode::HoldTimerExpired, reason), actions);
        }
        for source in self.peers.numbers() {
            let Some(peer) = self.peers.by_source(source) else { continue };
            let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
            let (sweep, stuck) = (due(peer.stale_until), due(peer.send_hold_until()));
            if due(peer.fsm.next_deadline()) {
                self.drive(source, fsm::Event::Tick, now, actions);
            }
            if sweep {
                self.sweep(source, now);
            }
            if stuck {
                let notification = Notification::new(NotificationCode::SendHoldTimerExpired, "");
                self.drive(source, fsm::Event::Fail(notification), now, actions);
            }
        }
        self.release_damped(now);
    }

    pub(super) fn drain(&mut self, _now: Time) {
        if !std::mem::replace(&mut self.draining, true) {
            self.peers.numbers().into_iter().for_each(|source| self.refresh_out(source));
        }
    }

    pub(super) fn shutdown(&mut self, now: Time, actions: &mut Vec<Action>) {
        for source in self.peers.numbers() {
            let notification = Notification::new(NotificationCode::AdministrativeShutdown, "");
            self.drive(source, fsm::Event::Stop { notification, restart_after: None }, now, actions);
        }
    }

    /// Ends the wait for the peers' routes after a restart, once they are all there or it has lasted long enough.
    pub(super) fn end_deferral(&mut self, now: Time) {
        let Some(until) = self.deferred_until else { return };
        if now < until && (self.peers.len() == 0 || self.peers.iter().any(Peer::owes_end_of_rib)) {
            return;
        }
        self.deferred_until = None;
        self.node.restarting = false;
        let versions = (self.tables.internal.version(), self.tables.external.version());
        for established in self.peers.iter_mut().filter_map(|p| p.established.as_mut()) {
            established.out.complete_at = versions;
        }
        for source in self.peers.numbers() {
            let Some(config) = self.peers.by_source(source).map(|p| p.config.clone()) else { continue };
            let config = self.fsm_config(&config);
            if let Some(peer) = self.peers.by_source_mut(source) {
                peer.fsm.set_config(config);
            }
        }
    }

    /// Hands an event to a peer's machine and does what it wants.
    pub(super) fn drive(
        &mut self,
        source: SourceId,
        event: fsm::Event<'_>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        if let Some(peer) = self.peers.by_source_mut(source) {
            let steps = peer.fsm.handle(event, now);
            self.perform(source, steps, now, actions);
        }
    }

    fn perform(&mut self, source: SourceId, steps: Vec<fsm::Action>, now: Time, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.by_source(source) else { return };
        let id = Arc::clone(&peer.id);
        for step in steps {
            match step {
                fsm::Action::Dial => actions.push(Action::Dial { peer: Arc::clone(&id) }),
                fsm::Action::Send(connection, message) => {
                    actions.push(Action::Send { connection, message: Outgoing::new(message) });
                }
                fsm::Action::Close(connection) => {
                    self.connections.remove(connection);
                    actions.push(Action::Close { connection });
                }
                fsm::Action::Up(session) => {
                    actions.push(Action::SessionUp { peer: Arc::clone(&id) });
                    self.up(source, session, now, actions);
                }
                fsm::Action::Down(reason) => {
                    let retained = self.down(source, &reason, now);
                    actions.push(Action::SessionDown { peer: Arc::clone(&id), reason, retained });
                }
                fsm::Action::Deliver => {}
            }
        }
    }

    fn up(&mut self, source: SourceId, session: Session, now: Time, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.by_source(source) else { return };
        let group = self.groups.join(self.audience(peer, agreed_paths(peer, &session)));
        let (internal, external) = self.full_dump();
        let out = Outbound {
            group,
            internal,
            external,
            stage: Stage::Initial,
            complete_at: (internal.version(), external.version()),
            again: false,
            signalled: None,
        };
        let peer = self.peers.by_source_mut(source).expect("found above");
        peer.established = Some(Established { session, out, end_of_rib: false });
        peer.counters.sessions += 1;
        let restart = session.capabilities.graceful_restart;
        if peer.stale_until.is_some() {
            match restart {
                // It has the restart time once more to say everything.
                Some(restart) if restart.forwarding_preserved => {
                    peer.stale_until = Some(now + restart_time(restart));
                }
                // What it forwarded before, it does not forward any more (RFC 4724 §4.2).
                Some(_) | None => self.flush(source, now),
            }
        }
        self.send_keys(source, session.connection, actions);
    }

    /// Gives whether the peer's routes are kept.
    fn down(&mut self, source: SourceId, reason: &DownReason, now: Time) -> bool {
        let Some(peer) = self.peers.by_source_mut(source) else { return false };
        let Some(established) = peer.established.take() else { return false };
        self.groups.leave(established.out.group);
        let restart = established.session.capabilities.graceful_restart.map(restart_time);
        let restart = restart.filter(|time| !time.is_zero() && reason.is_graceful());
        let Some(restart) = restart else {
            self.flush(source, now);
            return false;
        };
        // What the last session left unconfirmed and this one has not confirmed either is gone (RFC 4724 §4.2).
        self.retain_from(source, now, |path| !path.stale);
        self.mark_stale(source, now);
        if let Some(peer) = self.peers.by_source_mut(source) {
            peer.stale_until = Some(now + restart);
        }
        true
    }

    fn fsm_config(&self, config: &PeerConfig) -> fsm::Config {
        let internal = is_internal(&self.node, &config.id);
        let restart = GracefulRestart {
            restart_secs: self.node.restart_secs,
            restarting: self.node.restarting,
            // The data plane is another process.
            forwarding_preserved: true,
        };
        let capabilities = Capabilities {
            graceful_restart: (self.node.restart_secs > 0).then_some(restart),
            max_paths: config.max_paths,
            role: if internal { None } else { config.external.role },
        };
        fsm::Config {
            local: self.node.id.clone(),
            instance: self.node.instance,
            remote: config.id.clone(),
            hold_time: config.hold_time,
            capabilities,
            passive: config.passive,
        }
    }
}

fn restart_time(restart: GracefulRestart) -> Duration {
    Duration::from_secs(u64::from(restart.restart_secs)).min(MAX_RESTART_TIME)
}

/// The transport has proved another identity than the one expected or claimed.
fn impostor(claimed: &PeerId, proved: &PeerId) -> Notification {
    let code = if claimed.org == proved.org {
        NotificationCode::WrongNodeId
    } else {
        NotificationCode::WrongOrganisation
    };
    Notification::new(code, format!("{claimed} is claimed, but the certificate is of {proved}"))
}

/// Says why, and closes.
fn say(connection: ConnectionId, notification: Notification, actions: &mut Vec<Action>) {
    let message = Outgoing::new(Message::Notification(notification));
    actions.push(Action::Send { connection, message });
    actions.push(Action::Close { connection });
}
