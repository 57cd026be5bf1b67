//! The machine itself: what each event does in each state.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::fsm::backoff::Backoff;
use crate::fsm::{
    Action, Config, ConnectionId, DIAL_TIMEOUT, DownReason, Event, OPEN_TIMEOUT, Session, State,
};
use crate::message::{HoldTime, Instance, Message, Open, VERSION};
use crate::notification::{Notification, NotificationCode};
use crate::random::Random;
use crate::time::Time;

/// How many earlier runs of a peer are remembered, to tell a restarted node from two nodes with one id. The oldest is
/// forgotten first.
const MAX_RETIRED_INSTANCES: usize = 8;

/// One peer's machine.
#[derive(Debug)]
pub struct Fsm {
    config: Config,
    state: State,
    /// A dial was asked for and not answered. It may outlast Connect, when the peer's own dial was quicker.
    dialling: bool,
    backoff: Backoff,
    random: Random,
    opens_sent: u64,
    /// The run of the peer whose Open was last taken.
    instance: Option<Instance>,
    retired: Vec<Instance>,
}

impl Fsm {
    /// A machine in Idle, to be started.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            state: State::Idle { restart_at: None },
            dialling: false,
            backoff: Backoff::default(),
            random: Random::seeded(seed),
            opens_sent: 0,
            instance: None,
            retired: Vec::new(),
        }
    }

    /// Where the machine is.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Whom it expects and what it offers.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Offers something else from the next Open on.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// When [`Event::Tick`] is due next.
    pub fn next_deadline(&self) -> Option<Time> {
        match self.state {
            State::Idle { restart_at } => restart_at,
            State::Connect { give_up_at } => Some(give_up_at),
            State::Active { retry_at } => retry_at,
            State::OpenSent { open_by, .. } | State::OpenConfirm { open_by, .. } => Some(open_by),
            State::Established { hold_until, keepalive_at, .. } => {
                hold_until.into_iter().chain(keepalive_at).min()
            }
        }
    }

    /// Takes an event in, gives what is to be done, in order.
    pub fn handle(&mut self, event: Event<'_>, now: Time) -> Vec<Action> {
        match event {
            Event::Start => self.start(now),
            Event::Stop { notification, restart_after } => self.stop(notification, restart_after, now),
            Event::Fail(notification) => self.fail(notification, now),
            Event::Dialled(connection) => self.dialled(connection, now),
            Event::DialFailed => self.dial_failed(now),
            Event::Accepted(connection, open) => self.accepted(connection, open, now),
            Event::Received(connection, message) => self.received(connection, message, now),
            Event::Closed(connection) => self.closed(connection, now),
            Event::Tick => self.tick(now),
        }
    }

    fn start(&mut self, now: Time) -> Vec<Action> {
        match self.state {
            State::Idle { .. } => self.dial(now),
            State::Connect { .. }
            | State::Active { .. }
            | State::OpenSent { .. }
            | State::OpenConfirm { .. }
            | State::Established { .. } => vec![],
        }
    }

    fn stop(
        &mut self,
        notification: Notification,
        restart_after: Option<Duration>,
        now: Time,
    ) -> Vec<Action> {
        let actions = self.end(notification, now);
        self.state = State::Idle { restart_at: restart_after.map(|after| now + after) };
        actions
    }

    fn fail(&mut self, notification: Notification, now: Time) -> Vec<Action> {
        match self.state {
            State::Idle { .. } | State::Connect { .. } | State::Active { .. } => vec![],
            State::OpenSent { .. } | State::OpenConfirm { .. } | State::Established { .. } => {
                self.end(notification, now)
            }
        }
    }

    fn dialled(&mut self, connection: ConnectionId, now: Time) -> Vec<Action> {
        self.dialling = false;
        match self.state {
            State::Connect { .. } | State::Active { .. } => {
                self.state = State::OpenSent { connection, open_by: now + OPEN_TIMEOUT };
                vec![Action::Send(connection, self.open())]
            }
            // The peer's own dial was quicker, or the peer was stopped meanwhile. Nothing was said on the connection,
            // so the peer has not noticed it.
            State::Idle { .. }
            | State::OpenSent { .. }
            | State::OpenConfirm { .. }
            | State::Established { .. } => vec![Action::Close(connection)],
        }
    }

    fn dial_failed(&mut self, now: Time) -> Vec<Action> {
        self.dialling = false;
        match self.state {
            State::Connect { .. } => self.wait(now),
            State::Idle { .. }
            | State::Active { .. }
            | State::OpenSent { .. }
            | State::OpenConfirm { .. }
            | State::Established { .. } => {}
        }
        vec![]
    }

    /// RFC 4271 §6.8, for a protocol in which the peer is known by its Open and only the side that dialled speaks
    /// first. If this side has dialled too and waits for an answer, both see the same two connections, and the one that
    /// the higher node dialled stays. If this side already has an Open of the same run of the peer, the peer's own
    /// count says which of the two connections it made later; that one stays, for a peer dials only when it believes to
    /// have no connection. A different run of the peer knows nothing of the earlier connection.
    fn accepted(&mut self, connection: ConnectionId, open: &Open, now: Time) -> Vec<Action> {
        let refuse = |code, reason: &str| {
            let notification = Message::Notification(Notification::new(code, reason));
            vec![Action::Send(connection, notification), Action::Close(connection)]
        };
        if let Err(notification) = self.check(open) {
            return vec![
                Action::Send(connection, Message::Notification(notification)),
                Action::Close(connection),
            ];
        }
        let mut actions = match self.state {
            State::Idle { .. } => {
                return refuse(NotificationCode::ConnectionRejected, "this peer is stopped");
            }
            State::Connect { .. } | State::Active { .. } => vec![],
            State::OpenSent { connection: mine, .. } => {
                if self.config.local > self.config.remote {
                    return refuse(NotificationCode::CollisionResolution, "my own connection is kept");
                }
                let reason =
                    Notification::new(NotificationCode::CollisionResolution, "your connection is kept");
                vec![Action::Send(mine, Message::Notification(reason)), Action::Close(mine)]
            }
            State::OpenConfirm { session, .. } | State::Established { session, .. } => {
                if open.instance == session.instance && open.sequence <= session.sequence {
                    return refuse(NotificationCode::CollisionResolution, "a newer connection exists");
                }
                self.replace(session.connection)
            }
        };
        self.opened(open);
        let session = self.agree(connection, open);
        self.state = State::OpenConfirm { session, open_by: now + OPEN_TIMEOUT };
        actions.push(Action::Send(connection, self.open()));
        actions.push(Action::Send(connection, Message::Keepalive));
        actions
    }

    fn received(&mut self, connection: ConnectionId, message: &Message, now: Time) -> Vec<Action> {
        if self.state.connection() != Some(connection) {
            return vec![];
        }
        if let Message::Notification(notification) = message {
            return self.lost(
                DownReason::Received(notification.clone()),
                vec![Action::Close(connection)],
                now,
            );
        }
        match self.state {
            State::Idle { .. } | State::Connect { .. } | State::Active { .. } => vec![],
            State::OpenSent { .. } => match message {
                Message::Open(open) => self.answered(connection, open, now),
                Message::Keepalive
                | Message::Update(_)
                | Message::RouteRefresh(_)
                | Message::KeySet(_)
                | Message::Notification(_) => self.unexpected(now),
            },
            State::OpenConfirm { session, .. } => match message {
                Message::Keepalive => self.establish(session, now),
                Message::Open(_)
                | Message::Update(_)
                | Message::RouteRefresh(_)
                | Message::KeySet(_)
                | Message::Notification(_) => self.unexpected(now),
            },
            State::Established { session, since, keepalive_at, .. } => {
                let hold_until = session.hold_time.hold().map(|hold| now + hold);
                self.state = State::Established { session, since, hold_until, keepalive_at };
                match message {
                    Message::Keepalive => vec![],
                    Message::Update(_) | Message::RouteRefresh(_) | Message::KeySet(_) => {
                        vec![Action::Deliver]
                    }
                    Message::Open(_) | Message::Notification(_) => self.unexpected(now),
                }
            }
        }
    }

    fn closed(&mut self, connection: ConnectionId, now: Time) -> Vec<Action> {
        if self.state.connection() == Some(connection) {
            self.lost(DownReason::ConnectionLost, vec![], now)
        } else {
            vec![]
        }
    }

    fn tick(&mut self, now: Time) -> Vec<Action> {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        match self.state {
            State::Idle { restart_at } if due(restart_at) => self.dial(now),
            State::Connect { give_up_at } if give_up_at <= now => {
                self.dialling = false;
                self.wait(now);
                vec![]
            }
            State::Active { retry_at } if due(retry_at) => self.dial(now),
            State::OpenSent { open_by, .. } | State::OpenConfirm { open_by, .. } if open_by <= now => {
                let reason = format!("no answer within {} s", OPEN_TIMEOUT.as_secs());
                self.end(Notification::new(NotificationCode::HoldTimerExpired, reason), now)
            }
            State::Established { session, hold_until, .. } if due(hold_until) => {
                let reason = format!("nothing heard for {} s", session.hold_time.as_secs());
                self.end(Notification::new(NotificationCode::HoldTimerExpired, reason), now)
            }
            State::Established { session, since, hold_until, keepalive_at } if due(keepalive_at) => {
                let keepalive_at = self.next_keepalive(session.hold_time, now);
                self.state = State::Established { session, since, hold_until, keepalive_at };
                vec![Action::Send(session.connection, Message::Keepalive)]
            }
            State::Idle { .. }
            | State::Connect { .. }
            | State::Active { .. }
            | State::OpenSent { .. }
            | State::OpenConfirm { .. }
            | State::Established { .. } => vec![],
        }
    }

    /// The peer's answer on the connection that this side dialled.
    fn answered(&mut self, connection: ConnectionId, open: &Open, now: Time) -> Vec<Action> {
        if let Err(notification) = self.check(open) {
            return self.end(notification, now);
        }
        self.opened(open);
        let session = self.agree(connection, open);
        self.state = State::OpenConfirm { session, open_by: now + OPEN_TIMEOUT };
        vec![Action::Send(connection, Message::Keepalive)]
    }

    fn establish(&mut self, session: Session, now: Time) -> Vec<Action> {
        let hold_until = session.hold_time.hold().map(|hold| now + hold);
        let keepalive_at = self.next_keepalive(session.hold_time, now);
        self.state = State::Established { session, since: now, hold_until, keepalive_at };
        vec![Action::Up(session)]
    }

    fn unexpected(&mut self, now: Time) -> Vec<Action> {
        let reason = format!("in state {}", self.state.as_str());
        self.end(Notification::new(NotificationCode::UnexpectedMessage, reason), now)
    }

    /// Whether the sender of `open` is the one expected, and can be talked to (RFC 4271 §6.2).
    fn check(&self, open: &Open) -> Result<(), Notification> {
        let refuse = |code, reason: String| Err(Notification::new(code, reason));
        let remote = &self.config.remote;
        if open.version != VERSION {
            let reason = format!("version {} is not spoken here; version {VERSION} is", open.version);
            return refuse(NotificationCode::UnsupportedVersion, reason);
        }
        if open.org != remote.org {
            let reason = format!("expected {}, not {}", remote.org, open.org);
            return refuse(NotificationCode::WrongOrganisation, reason);
        }
        if open.node != remote.node {
            let reason = format!("expected {}, not {}", remote.node, open.node);
            return refuse(NotificationCode::WrongNodeId, reason);
        }
        if self.retired.contains(&open.instance) {
            let reason = format!("another running node has the id {}", open.node);
            return refuse(NotificationCode::WrongNodeId, reason);
        }
        if let (Some(mine), Some(theirs)) = (self.config.capabilities.role, open.capabilities.role)
            && theirs != mine.counterpart()
        {
            let reason = format!("{} faces {}", mine.as_str(), theirs.as_str());
            return refuse(NotificationCode::RoleMismatch, reason);
        }
        Ok(())
    }

    /// Remembers which run of the peer is the present one. An earlier run never comes back; if one seems to, two nodes
    /// share an id.
    fn opened(&mut self, open: &Open) {
        if let Some(previous) = self.instance.replace(open.instance)
            && previous != open.instance
        {
            if self.retired.len() == MAX_RETIRED_INSTANCES {
                self.retired.remove(0);
            }
            self.retired.push(previous);
        }
    }

    fn agree(&self, connection: ConnectionId, open: &Open) -> Session {
        Session {
            connection,
            instance: open.instance,
            sequence: open.sequence,
            hold_time: self.config.hold_time.negotiated(open.hold_time),
            capabilities: open.capabilities,
        }
    }

    fn open(&mut self) -> Message {
        self.opens_sent += 1;
        Message::Open(Open {
            version: VERSION,
            org: self.config.local.org.clone(),
            node: self.config.local.node.clone(),
            instance: self.config.instance,
            sequence: self.opens_sent,
            hold_time: self.config.hold_time,
            capabilities: self.config.capabilities,
        })
    }

    /// The peer has a newer connection than `old`: `old` goes, and no redial is needed.
    fn replace(&mut self, old: ConnectionId) -> Vec<Action> {
        let reason =
            Notification::new(NotificationCode::CollisionResolution, "your newer connection is kept");
        let mut actions = vec![Action::Send(old, Message::Notification(reason)), Action::Close(old)];
        match self.state {
            State::Established { .. } => actions.push(Action::Down(DownReason::Replaced)),
            State::Idle { .. }
            | State::Connect { .. }
            | State::Active { .. }
            | State::OpenSent { .. }
            | State::OpenConfirm { .. } => {}
        }
        actions
    }

    /// This side ends what there is, with a reason to the peer.
    fn end(&mut self, notification: Notification, now: Time) -> Vec<Action> {
        let actions = match self.state.connection() {
            Some(connection) => {
                let message = Message::Notification(notification.clone());
                vec![Action::Send(connection, message), Action::Close(connection)]
            }
            None => vec![],
        };
        self.lost(DownReason::Sent(notification), actions, now)
    }

    /// What there was is gone; whatever the cause, the peer is tried again.
    fn lost(&mut self, reason: DownReason, mut actions: Vec<Action>, now: Time) -> Vec<Action> {
        match self.state {
            State::Established { since, .. } => {
                self.backoff.lasted(now.since(since));
                actions.push(Action::Down(reason));
            }
            State::Idle { .. }
            | State::Connect { .. }
            | State::Active { .. }
            | State::OpenSent { .. }
            | State::OpenConfirm { .. } => {}
        }
        self.wait(now);
        actions
    }

    fn wait(&mut self, now: Time) {
        let delay = self.backoff.next(&mut self.random);
        self.state = State::Active { retry_at: (!self.config.passive).then(|| now + delay) };
    }

    fn dial(&mut self, now: Time) -> Vec<Action> {
        if self.config.passive {
            self.state = State::Active { retry_at: None };
            return vec![];
        }
        self.state = State::Connect { give_up_at: now + DIAL_TIMEOUT };
        if std::mem::replace(&mut self.dialling, true) { vec![] } else { vec![Action::Dial] }
    }

    /// A third of the hold time, less up to a quarter of jitter (RFC 4271 §10), so that peers don't beat in step.
    fn next_keepalive(&mut self, hold_time: HoldTime, now: Time) -> Option<Time> {
        let interval = hold_time.keepalive()?;
        let quarter = u64::try_from(interval.as_millis() / 4).expect("a third of 65,535 s fits");
        let jitter = Duration::from_millis(self.random.below(quarter));
        Some(now + (interval - jitter))
    }
}
