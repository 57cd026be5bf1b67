use super::*;
use crate::fsm::{MAX_RETRY, PeerId};
use crate::message::{Capabilities, GracefulRestart, Role, Update};
use crate::name::{NodeId, OrgName};

const T0: Time = Time::from_millis(1_000_000);
const C1: ConnectionId = ConnectionId(1);
const C2: ConnectionId = ConnectionId(2);

fn peer(node: &str) -> PeerId {
    PeerId { org: OrgName::new("acme.example").expect("a name"), node: NodeId::new(node).expect("a name") }
}

fn config(local: &str, remote: &str) -> Config {
    Config {
        local: peer(local),
        instance: Instance(local.bytes().map(u64::from).sum()),
        remote: peer(remote),
        hold_time: HoldTime::DEFAULT,
        capabilities: Capabilities::default(),
        passive: false,
    }
}

/// Node a's machine for peer b.
fn machine() -> Fsm {
    Fsm::new(config("a", "b"), 1)
}

/// Peer b's open.
fn open(sequence: u64) -> Open {
    Open {
        version: VERSION,
        org: peer("b").org,
        node: peer("b").node,
        instance: Instance(7),
        sequence,
        hold_time: HoldTime::from_secs(30).expect("acceptable"),
        capabilities: Capabilities::default(),
    }
}

fn after(millis: u64) -> Time {
    T0 + Duration::from_millis(millis)
}

fn notification(actions: &[Action]) -> Option<NotificationCode> {
    actions.iter().find_map(|action| match action {
        Action::Send(_, Message::Notification(notification)) => Some(notification.code),
        Action::Send(..)
        | Action::Dial
        | Action::Close(_)
        | Action::Up(_)
        | Action::Down(_)
        | Action::Deliver => None,
    })
}

/// Puts a machine into each state.
fn in_state(name: &str) -> Fsm {
    let mut fsm = machine();
    let steps: &[&str] = match name {
        "Idle" => &[],
        "Connect" => &["start"],
        "Active" => &["start", "fail"],
        "OpenSent" => &["start", "dialled"],
        "OpenConfirm" => &["start", "dialled", "open"],
        "Established" => &["start", "dialled", "open", "keepalive"],
        other => panic!("no state {other}"),
    };
    for step in steps {
        match *step {
            "start" => drop(fsm.handle(Event::Start, T0)),
            "fail" => drop(fsm.handle(Event::DialFailed, T0)),
            "dialled" => drop(fsm.handle(Event::Dialled(C1), T0)),
            "open" => drop(fsm.handle(Event::Received(C1, &Message::Open(open(1))), T0)),
            "keepalive" => drop(fsm.handle(Event::Received(C1, &Message::Keepalive), T0)),
            other => panic!("no step {other}"),
        }
    }
    assert_eq!(fsm.state().as_str(), name);
    fsm
}

const STATES: [&str; 6] = ["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"];

/// Every event in every state: where it leads, and what the peer is told.
#[test]
fn every_event_in_every_state_leads_where_the_table_says() {
    #[track_caller]
    fn check(event: &dyn Fn() -> Event<'static>, expected: [(&str, Option<NotificationCode>); 6]) {
        for (from, (to, told)) in STATES.into_iter().zip(expected) {
            let mut fsm = in_state(from);
            let event = event();
            let what = format!("{event:?} in {from}");
            let actions = fsm.handle(event, T0);
            assert_eq!(fsm.state().as_str(), to, "{what}");
            assert_eq!(notification(&actions), told, "{what}");
            let was_up = from == "Established";
            let is_up = to == "Established";
            let down = actions.iter().any(|a| matches!(a, Action::Down(_)));
            let up = actions.iter().any(|a| matches!(a, Action::Up(_)));
            assert_eq!(down, was_up && !is_up, "{what}: down is said once, when a session ends");
            assert_eq!(up, is_up && !was_up, "{what}: up is said once, when a session begins");
        }
    }
    use NotificationCode as Code;
    let leak = |message: Message| -> &'static Message { Box::leak(Box::new(message)) };
    let said = |code| Notification::new(code, "");

    check(
        &|| Event::Start,
        [
            ("Connect", None),
            ("Connect", None),
            ("Active", None),
            ("OpenSent", None),
            ("OpenConfirm", None),
            ("Established", None),
        ],
    );
    let shutdown = Some(Code::AdministrativeShutdown);
    check(
        &|| Event::Stop { notification: said(Code::AdministrativeShutdown), restart_after: None },
        [
            ("Idle", None),
            ("Idle", None),
            ("Idle", None),
            ("Idle", shutdown),
            ("Idle", shutdown),
            ("Idle", shutdown),
        ],
    );
    let malformed = Some(Code::MalformedMessage);
    check(
        &|| Event::Fail(said(Code::MalformedMessage)),
        [
            ("Idle", None),
            ("Connect", None),
            ("Active", None),
            ("Active", malformed),
            ("Active", malformed),
            ("Active", malformed),
        ],
    );
    check(
        &|| Event::Dialled(C2),
        [
            ("Idle", None),
            ("OpenSent", None),
            ("OpenSent", None),
            ("OpenSent", None),
            ("OpenConfirm", None),
            ("Established", None),
        ],
    );
    check(
        &|| Event::DialFailed,
        [
            ("Idle", None),
            ("Active", None),
            ("Active", None),
            ("OpenSent", None),
            ("OpenConfirm", None),
            ("Established", None),
        ],
    );
    let newer: &'static Open = Box::leak(Box::new(open(2)));
    let collision = Some(Code::CollisionResolution);
    check(
        &|| Event::Accepted(C2, newer),
        [
            ("Idle", Some(Code::ConnectionRejected)),
            ("OpenConfirm", None),
            ("OpenConfirm", None),
            ("OpenConfirm", collision),
            ("OpenConfirm", collision),
            ("OpenConfirm", collision),
        ],
    );
    check(
        &|| Event::Closed(C1),
        [
            ("Idle", None),
            ("Connect", None),
            ("Active", None),
            ("Active", None),
            ("Active", None),
            ("Active", None),
        ],
    );
    check(
        &|| Event::Closed(C2),
        [
            ("Idle", None),
            ("Connect", None),
            ("Active", None),
            ("OpenSent", None),
            ("OpenConfirm", None),
            ("Established", None),
        ],
    );
    let unexpected = Some(Code::UnexpectedMessage);
    let open_message = leak(Message::Open(open(1)));
    check(
        &|| Event::Received(C1, open_message),
        [
            ("Idle", None),
            ("Connect", None),
            ("Active", None),
            ("OpenConfirm", None),
            ("Active", unexpected),
            ("Active", unexpected),
        ],
    );
    let keepalive = leak(Message::Keepalive);
    check(
        &|| Event::Received(C1, keepalive),
        [
            ("Idle", None),
            ("Connect", None),
            ("Active", None),
            ("Active", unexpected),
            ("Established", None),
            ("Established", None),
        ],
    );
    let update = leak(Message::Update(Update::default()));
    check(
        &|| Event::Received(C1, update),
        [
            ("Idle", None),
            ("Connect", None),
            ("Active", None),
            ("Active", unexpected),
            ("Active", unexpected),
            ("Established", None),
        ],
    );
    let farewell = leak(Message::Notification(said(Code::AdministrativeShutdown)));
    check(
        &|| Event::Received(C1, farewell),
        [
            ("Idle", None),
            ("Connect", None),
            ("Active", None),
            ("Active", None),
            ("Active", None),
            ("Active", None),
        ],
    );
    check(&|| Event::Tick, STATES.map(|state| (state, None)));
}

#[test]
fn an_open_that_does_not_fit_is_refused_with_its_reason() {
    #[track_caller]
    fn check(change: impl Fn(&mut Open), expected: NotificationCode) {
        let mut bad = open(1);
        change(&mut bad);
        let mut dialled = in_state("OpenSent");
        dialled.config.capabilities.role = Some(Role::Provider);
        let actions = dialled.handle(Event::Received(C1, &Message::Open(bad.clone())), T0);
        assert_eq!((notification(&actions), dialled.state().as_str()), (Some(expected), "Active"));
        let mut accepting = in_state("Active");
        accepting.config.capabilities.role = Some(Role::Provider);
        let actions = accepting.handle(Event::Accepted(C2, &bad), T0);
        assert_eq!((notification(&actions), accepting.state().as_str()), (Some(expected), "Active"));
        assert_eq!(actions.last(), Some(&Action::Close(C2)));
    }
    check(|o| o.version = 2, NotificationCode::UnsupportedVersion);
    check(|o| o.org = OrgName::new("other.example").expect("a name"), NotificationCode::WrongOrganisation);
    check(|o| o.node = NodeId::new("c").expect("a name"), NotificationCode::WrongNodeId);
    check(|o| o.capabilities.role = Some(Role::Provider), NotificationCode::RoleMismatch);
}

#[test]
fn the_session_takes_the_smaller_hold_time_and_a_third_of_it_between_keepalives() {
    let mut fsm = in_state("Established");
    let State::Established { session, hold_until, keepalive_at, .. } = *fsm.state() else {
        panic!("established")
    };
    assert_eq!(session.hold_time.as_secs(), 30);
    assert_eq!(hold_until, Some(after(30_000)));
    let keepalive_at = keepalive_at.expect("keepalives are on");
    assert!(
        (after(7_500)..=after(10_000)).contains(&keepalive_at),
        "a third, less a quarter of jitter at most"
    );
    assert_eq!(fsm.next_deadline(), Some(keepalive_at));
    assert_eq!(fsm.handle(Event::Tick, keepalive_at), vec![Action::Send(C1, Message::Keepalive)]);
    assert_eq!(fsm.handle(Event::Tick, after(29_999)).len(), 1, "one more keepalive");
    let actions = fsm.handle(Event::Tick, after(30_000));
    assert_eq!(notification(&actions), Some(NotificationCode::HoldTimerExpired));
}

#[test]
fn any_message_keeps_the_session_alive() {
    for message in [Message::Keepalive, Message::Update(Update::default())] {
        let mut fsm = in_state("Established");
        fsm.handle(Event::Received(C1, &message), after(29_000));
        fsm.handle(Event::Tick, after(31_000));
        fsm.handle(Event::Tick, after(31_000));
        assert_eq!(fsm.state().as_str(), "Established");
        let actions = fsm.handle(Event::Tick, after(59_000));
        assert_eq!(notification(&actions), Some(NotificationCode::HoldTimerExpired));
    }
}

#[test]
fn a_hold_time_of_zero_switches_both_timers_off() {
    let mut fsm = in_state("OpenSent");
    let off = Open { hold_time: HoldTime::OFF, ..open(1) };
    fsm.handle(Event::Received(C1, &Message::Open(off)), T0);
    assert!(fsm.next_deadline().is_some(), "the wait for the first keepalive is bounded all the same");
    fsm.handle(Event::Received(C1, &Message::Keepalive), T0);
    assert_eq!(fsm.next_deadline(), None);
    fsm.handle(Event::Tick, T0 + Duration::from_secs(1_000_000));
    assert_eq!(fsm.state().as_str(), "Established");
}

/// The first implementation redialled only after a first dial that failed.
#[test]
fn a_lost_session_is_dialled_again_for_ever_whatever_the_cause() {
    type Cause = fn(&mut Fsm, Time) -> Vec<Action>;
    let causes: [(&str, Cause); 6] = [
        ("closed", |f, t| f.handle(Event::Closed(C1), t)),
        ("hold timer", |f, t| f.handle(Event::Tick, t + Duration::from_secs(31))),
        ("notification", |f, t| {
            let bye = Notification::new(NotificationCode::AdministrativeShutdown, "");
            f.handle(Event::Received(C1, &Message::Notification(bye)), t)
        }),
        ("malformed", |f, t| {
            f.handle(Event::Fail(Notification::new(NotificationCode::MalformedMessage, "")), t)
        }),
        ("unexpected", |f, t| f.handle(Event::Received(C1, &Message::Open(open(9))), t)),
        ("stop with restart", |f, t| {
            let full = Notification::new(NotificationCode::MaxRoutesReached, "");
            f.handle(Event::Stop { notification: full, restart_after: Some(Duration::from_secs(5)) }, t)
        }),
    ];
    for (name, cause) in causes {
        let mut fsm = in_state("Established");
        cause(&mut fsm, T0);
        let mut now = T0 + Duration::from_secs(31);
        for round in 0..100 {
            let at = fsm
                .next_deadline()
                .unwrap_or_else(|| panic!("{name}: no further dial in round {round}"))
                .max(now);
            assert!(at.since(now) <= MAX_RETRY, "{name}: waits at most a minute");
            now = at;
            assert_eq!(fsm.handle(Event::Tick, now), vec![Action::Dial], "{name}, round {round}");
            fsm.handle(Event::DialFailed, now);
        }
    }
}

#[test]
fn a_dial_that_is_never_answered_is_given_up_and_repeated() {
    let mut fsm = in_state("Connect");
    fsm.handle(Event::Tick, T0 + DIAL_TIMEOUT);
    assert_eq!(fsm.state().as_str(), "Active");
    let retry = fsm.next_deadline().expect("a retry");
    assert_eq!(fsm.handle(Event::Tick, retry), vec![Action::Dial]);
}

#[test]
fn a_peer_that_says_nothing_after_connecting_is_given_up() {
    for state in ["OpenSent", "OpenConfirm"] {
        let mut fsm = in_state(state);
        let actions = fsm.handle(Event::Tick, T0 + OPEN_TIMEOUT);
        assert_eq!(notification(&actions), Some(NotificationCode::HoldTimerExpired));
        assert_eq!(fsm.state().as_str(), "Active");
    }
}

#[test]
fn a_passive_machine_never_dials_and_still_accepts() {
    let mut fsm = Fsm::new(Config { passive: true, ..config("a", "b") }, 1);
    assert_eq!(fsm.handle(Event::Start, T0), vec![]);
    assert_eq!(fsm.next_deadline(), None);
    fsm.handle(Event::Accepted(C1, &open(1)), T0);
    fsm.handle(Event::Received(C1, &Message::Keepalive), T0);
    assert_eq!(fsm.state().as_str(), "Established");
    fsm.handle(Event::Closed(C1), T0);
    assert_eq!((fsm.state().as_str(), fsm.next_deadline()), ("Active", None));
}

#[test]
fn of_two_dials_at_once_the_higher_nodes_stays() {
    // Node a waits on its own connection while b's open arrives on another: b is higher, so b's stays.
    let mut low = in_state("OpenSent");
    let actions = low.handle(Event::Accepted(C2, &open(1)), T0);
    assert_eq!(low.state().connection(), Some(C2));
    assert!(actions.contains(&Action::Close(C1)));
    // Node c sees the same from b: c is higher, so its own stays.
    let mut high = Fsm::new(config("c", "b"), 1);
    high.handle(Event::Start, T0);
    high.handle(Event::Dialled(C1), T0);
    let actions = high.handle(Event::Accepted(C2, &open(1)), T0);
    assert_eq!(high.state().connection(), Some(C1));
    assert_eq!(notification(&actions), Some(NotificationCode::CollisionResolution));
    assert!(actions.contains(&Action::Close(C2)));
}

#[test]
fn a_peer_that_lost_its_connection_replaces_it_and_a_late_one_does_not() {
    let mut fsm = in_state("Established");
    let actions = fsm.handle(Event::Accepted(C2, &open(1)), T0);
    assert_eq!(notification(&actions), Some(NotificationCode::CollisionResolution));
    assert_eq!(fsm.state().connection(), Some(C1), "no newer than the one it has");
    let actions = fsm.handle(Event::Accepted(C2, &open(2)), T0);
    assert!(actions.contains(&Action::Down(DownReason::Replaced)));
    assert!(actions.contains(&Action::Close(C1)));
    assert_eq!(fsm.state().connection(), Some(C2));
}

#[test]
fn a_restarted_peer_replaces_its_session_and_a_second_node_of_its_id_is_refused() {
    let mut fsm = in_state("Established");
    let restarted = Open { instance: Instance(8), ..open(1) };
    let actions = fsm.handle(Event::Accepted(C2, &restarted), T0);
    assert!(actions.contains(&Action::Down(DownReason::Replaced)));
    fsm.handle(Event::Received(C2, &Message::Keepalive), T0);
    let actions = fsm.handle(Event::Accepted(ConnectionId(3), &open(9)), T0);
    assert_eq!(notification(&actions), Some(NotificationCode::WrongNodeId), "the earlier run is still there");
    assert_eq!(fsm.state().connection(), Some(C2));
}

#[test]
fn routes_survive_a_lost_connection_and_not_a_farewell() {
    let graceful = |code| DownReason::Received(Notification::new(code, "")).is_graceful();
    assert!(DownReason::ConnectionLost.is_graceful());
    assert!(graceful(NotificationCode::HoldTimerExpired));
    assert!(!graceful(NotificationCode::AdministrativeShutdown));
    assert!(!graceful(NotificationCode::MaxRoutesReached));
}

#[test]
fn capabilities_of_the_peer_come_with_the_session() {
    let restart = GracefulRestart { restart_secs: 120, restarting: false, forwarding_preserved: true };
    let capable = Open {
        capabilities: Capabilities { graceful_restart: Some(restart), ..open(1).capabilities },
        ..open(1)
    };
    let mut fsm = in_state("Active");
    fsm.handle(Event::Accepted(C2, &capable), T0);
    let actions = fsm.handle(Event::Received(C2, &Message::Keepalive), T0);
    let [Action::Up(session)] = actions.as_slice() else { panic!("up, not {actions:?}") };
    assert_eq!(session.capabilities.graceful_restart, Some(restart));
}

mod two_peers;
