//! Sessions: which connection is whose, what the peers' machines want, and what becomes of routes when a session ends.

use std::sync::Arc;
use std::time::Duration;

use crate::fsm::{self, ConnectionId, DownReason, OPEN_TIMEOUT, PeerId, Session};
use crate::message::{GracefulRestart, Message, Open, Outgoing};
use crate::notification::{Notification, NotificationCode};
use crate::rib::SourceId;
use crate::router::Router;
use crate::router::config::MAX_RESTART_TIME;
use crate::router::connections::Owner;
use crate::router::event::Action;
use crate::router::outbound::agreed_paths;
use crate::router::peer::{Established, Outbound, Peer, Stage};
use crate::time::Time;

impl Router {
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
        if self.connections.is_full() {
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
        match self.connections.owner(connection) {
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
        let proved = match self.connections.owner(connection) {
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
        match self.connections.owner(connection) {
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
