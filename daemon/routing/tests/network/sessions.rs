//! Sessions: restarts, refreshes, limits, farewells, and peers that misbehave.

use std::sync::Arc;
use std::time::Duration;

use catalyst_routing::damping::DampingConfig;
use catalyst_routing::decision::{RejectReason, Standing};
use catalyst_routing::fsm::{ConnectionId, DownReason, OPEN_TIMEOUT};
use catalyst_routing::message::{
    Announcement, GracefulRestart, Instance, MalformedRoute, Message, Open, RouteRefresh, Update,
};
use catalyst_routing::notification::{Notification, NotificationCode};
use catalyst_routing::router::{
    Action, Event, MAX_PENDING, NodeConfig, PeerConfig, Refusal, Rejection, Reset, RouteLimit,
};
use catalyst_routing::service::Service;

use crate::names::{ACME, attributes, service};
use crate::solo::{Solo, announce, end_of_rib, farewell, id, node_config, route, withdraw};

const SECOND: Duration = Duration::from_secs(1);

fn b() -> PeerConfig {
    PeerConfig::new(id(ACME, "b"))
}

fn c() -> PeerConfig {
    PeerConfig::new(id(ACME, "c"))
}

fn books() -> Service {
    service("books")
}

/// A router with a session with b, which has announced books.
fn with_books(config: PeerConfig) -> (Solo, ConnectionId) {
    let mut solo = Solo::new(node_config());
    let connection = solo.peer(config);
    solo.receive(connection, announce(&[books()], route("acme.example/b")));
    solo.receive(connection, end_of_rib());
    assert!(solo.knows(&books()));
    (solo, connection)
}

/// The services that updates announce and withdraw, and the markers among them, in order.
fn said(messages: &[Message]) -> Vec<String> {
    let mut said = Vec::new();
    for message in messages {
        match message {
            Message::Update(update) => {
                said.extend(update.withdraw.iter().map(|s| format!("-{}", s.name)));
                said.extend(update.announce.iter().flat_map(|a| &a.services).map(|s| format!("+{}", s.name)));
                said.extend(update.end_of_rib.then(|| "end-of-rib".to_owned()));
            }
            Message::RouteRefresh(refresh) => said.push(format!("{refresh:?}")),
            other => panic!("not of the routes: {other:?}"),
        }
    }
    said
}

#[test]
fn a_lost_peers_routes_are_kept_for_its_restart_time_and_no_longer() {
    let (mut solo, connection) = with_books(b());
    let actions = solo.handle(Event::Closed { connection });
    let down = actions.iter().find_map(|a| match a {
        Action::SessionDown { reason, retained, .. } => Some((reason.clone(), *retained)),
        _ => None,
    });
    assert_eq!(down, Some((DownReason::ConnectionLost, true)));
    solo.wait(SECOND * 19);
    assert!(solo.knows(&books()));
    solo.wait(SECOND);
    assert!(!solo.knows(&books()));
}

#[test]
fn a_peer_that_says_farewell_or_does_not_preserve_takes_its_routes_with_it() {
    let (mut solo, connection) = with_books(b());
    let bye = Notification::new(NotificationCode::AdministrativeShutdown, "");
    solo.receive(connection, Message::Notification(bye));
    assert!(!solo.knows(&books()));

    let mut solo = Solo::new(node_config());
    solo.configure(PeerConfig { passive: true, ..b() });
    let mut open = solo.open(&id(ACME, "b"));
    open.capabilities.graceful_restart = None;
    let connection = solo.connect_with(open);
    solo.receive(connection, announce(&[books()], route("acme.example/b")));
    solo.handle(Event::Closed { connection });
    assert!(!solo.knows(&books()), "it has not asked for its routes to be kept");
}

#[test]
fn what_a_restarted_peer_does_not_repeat_is_swept_at_its_end_of_rib() {
    let (mut solo, connection) = with_books(b());
    let films = service("films");
    solo.receive(connection, announce(std::slice::from_ref(&films), route("acme.example/b")));
    solo.handle(Event::Closed { connection });
    let again = solo.connect(&id(ACME, "b"));
    solo.receive(again, announce(&[books()], route("acme.example/b")));
    assert!(solo.knows(&books()) && solo.knows(&films));
    solo.receive(again, end_of_rib());
    assert!(solo.knows(&books()) && !solo.knows(&films));
    solo.wait(SECOND * 1000);
    assert!(solo.knows(&books()), "what was repeated stays");
}

#[test]
fn a_peer_whose_data_plane_restarted_too_loses_its_routes_when_it_is_back() {
    let (mut solo, connection) = with_books(b());
    solo.handle(Event::Closed { connection });
    let mut open = solo.open(&id(ACME, "b"));
    let restart = GracefulRestart { restart_secs: 20, restarting: true, forwarding_preserved: false };
    open.capabilities.graceful_restart = Some(restart);
    solo.connect_with(open);
    assert!(!solo.knows(&books()));
}

#[test]
fn routes_not_confirmed_by_a_second_session_either_are_gone_when_it_ends() {
    let (mut solo, connection) = with_books(b());
    solo.handle(Event::Closed { connection });
    let again = solo.connect(&id(ACME, "b"));
    solo.handle(Event::Closed { connection: again });
    assert!(!solo.knows(&books()));
}

#[test]
fn a_restarted_node_says_that_it_is_complete_only_when_its_peers_are() {
    let mut solo = Solo::new(NodeConfig { restarting: true, ..node_config() });
    let (to_b, to_c) = (solo.peer(b()), solo.peer(c()));
    solo.receive(to_b, end_of_rib());
    assert_eq!(said(&solo.pull(to_b)), [""; 0], "c may know of routes that b has from here");
    solo.receive(to_c, announce(&[books()], route("acme.example/c")));
    solo.receive(to_c, end_of_rib());
    let told = said(&solo.pull(to_b));
    assert_eq!(told.first().map(String::as_str), Some("+books.acme.example"));
    assert_eq!(told.last().map(String::as_str), Some("end-of-rib"));
    assert_eq!(said(&solo.pull(to_c)), ["end-of-rib"]);
}

#[test]
fn a_restarted_node_does_not_wait_for_ever() {
    let mut solo = Solo::new(NodeConfig { restarting: true, ..node_config() });
    solo.configure(c());
    let to_b = solo.peer(b());
    solo.receive(to_b, end_of_rib());
    assert_eq!(said(&solo.pull(to_b)), [""; 0]);
    solo.peers_read = false;
    let actions = solo.wait(SECOND * 20);
    assert!(actions.iter().any(|a| matches!(a, Action::UpdatesReady { connection } if *connection == to_b)));
    assert_eq!(said(&solo.pull(to_b)), ["end-of-rib"]);
}

#[test]
fn a_refresh_repeats_everything_between_markers_and_sweeps_what_is_gone() {
    let (mut solo, connection) = with_books(b());
    assert_eq!(said(&solo.pull(connection)), ["end-of-rib"]);
    solo.handle(Event::Announce(service("mine"), Box::new(attributes(0))));
    assert_eq!(said(&solo.pull(connection)), ["+mine.acme.example"]);
    solo.receive(connection, Message::RouteRefresh(RouteRefresh::Request));
    assert_eq!(said(&solo.pull(connection)), ["Begin", "+mine.acme.example", "End"]);
    solo.receive(connection, Message::RouteRefresh(RouteRefresh::Begin));
    assert!(solo.knows(&books()), "until the end it stays");
    solo.receive(connection, Message::RouteRefresh(RouteRefresh::End));
    assert!(!solo.knows(&books()));
}

#[test]
fn a_soft_reset_asks_for_everything_again() {
    let (mut solo, connection) = with_books(b());
    let actions = solo.handle(Event::ResetPeer(id(ACME, "b"), Reset::SoftIn));
    let asked = actions.iter().any(|a| {
        matches!(a, Action::Send { connection: c, message }
            if *c == connection && message.message == Message::RouteRefresh(RouteRefresh::Request))
    });
    assert!(asked, "{actions:?}");
    assert!(solo.knows(&books()));
}

#[test]
fn a_node_about_to_go_asks_its_peers_to_use_other_ways_first() {
    let mut solo = Solo::new(node_config());
    let connection = solo.peer(b());
    solo.handle(Event::Announce(service("mine"), Box::new(attributes(0))));
    solo.pull(connection);
    solo.handle(Event::Drain);
    let messages = solo.pull(connection);
    assert_eq!(said(&messages), ["Begin", "+mine.acme.example", "End"]);
    let Message::Update(update) = &messages[1] else { panic!("an update") };
    assert_eq!(update.announce[0].paths[0].effective_preference(), 0);
    let actions = solo.handle(Event::Shutdown);
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::AdministrativeShutdown));
}

#[test]
fn a_flood_ends_at_the_limit_and_takes_nothing_else_with_it() {
    let restart_after = Some(SECOND * 100);
    let limit = RouteLimit { max: 1000, warn_percent: 80, restart_after };
    let mut solo = Solo::new(node_config());
    let to_c = solo.peer(c());
    solo.receive(to_c, announce(&[service("calm")], route("acme.example/c")));
    let to_b = solo.peer(PeerConfig { route_limit: limit, ..b() });
    let flood: Vec<_> = (0..5000).map(|i| service(&format!("s{i}"))).collect();
    let warned = |actions: &[Action]| actions.iter().any(|a| matches!(a, Action::RouteLimitNear { .. }));
    assert!(!warned(&solo.receive(to_b, announce(&flood[..799], route("acme.example/b")))));
    assert!(warned(&solo.receive(to_b, announce(&flood[..800], route("acme.example/b")))));
    assert!(
        !warned(&solo.receive(to_b, announce(&flood[..1000], route("acme.example/b")))),
        "once is enough"
    );
    let actions = solo.receive(to_b, announce(&flood, route("acme.example/b")));
    assert_eq!(farewell(&actions, to_b), Some(NotificationCode::MaxRoutesReached));
    let snapshot = solo.router.snapshot();
    assert_eq!(snapshot.internal.len(), 1, "only c's is left");
    // It is left alone until the time is over.
    let connection = solo.connection();
    solo.handle(Event::Accepted { connection, proved: None });
    let open = solo.open(&id(ACME, "b"));
    let actions = solo.receive(connection, Message::Open(open.clone()));
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::ConnectionRejected));
    solo.wait(SECOND * 100);
    solo.connect_with(open);
}

#[test]
fn repeating_routes_does_not_count_against_the_limit() {
    let limit = RouteLimit { max: 10, ..RouteLimit::default() };
    let mut solo = Solo::new(node_config());
    let to_b = solo.peer(PeerConfig { route_limit: limit, ..b() });
    let ten: Vec<_> = (0..10).map(|i| service(&format!("s{i}"))).collect();
    for _ in 0..5 {
        let actions = solo.receive(to_b, announce(&ten, route("acme.example/b")));
        assert_eq!(farewell(&actions, to_b), None);
    }
    solo.receive(to_b, withdraw(&ten));
    solo.receive(to_b, announce(&[books()], route("acme.example/b")));
    assert_eq!(solo.router.peers(solo.now)[0].routes, 1);
}

#[test]
fn one_bad_route_is_withdrawn_and_the_session_goes_on() {
    let (mut solo, connection) = with_books(b());
    let malformed = vec![MalformedRoute { service: Some(books()), reason: "path of 65 hops".into() }];
    let announce = vec![Announcement {
        paths: vec![Arc::new(route("acme.example/b"))],
        services: vec![service("films")],
    }];
    let update = Update { malformed, announce, ..Update::default() };
    let actions = solo.receive(connection, Message::Update(update));
    assert!(!solo.knows(&books()) && solo.knows(&service("films")));
    let refused = actions.iter().find_map(|a| match a {
        Action::RoutesRefused { count, service, refusal, .. } => {
            Some((*count, service.clone(), refusal.clone()))
        }
        _ => None,
    });
    let expected = Refusal::Malformed("path of 65 hops".into());
    assert_eq!(refused, Some((1, Some(books()), expected)));
    assert_eq!(solo.router.peers(solo.now)[0].counters.refused, 1);
}

/// The first implementation took updates from whoever sent some.
#[test]
fn only_a_peer_with_a_session_is_listened_to() {
    let mut solo = Solo::new(node_config());
    solo.configure(PeerConfig { passive: true, ..b() });
    let update = || announce(&[books()], route("acme.example/b"));

    solo.receive(ConnectionId(999), update());
    assert!(!solo.knows(&books()), "an unknown connection");

    let connection = solo.connection();
    solo.handle(Event::Accepted { connection, proved: None });
    let actions = solo.receive(connection, update());
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::UnexpectedMessage), "before its open");

    let connection = solo.connection();
    solo.handle(Event::Accepted { connection, proved: None });
    let open = solo.open(&id(ACME, "b"));
    solo.receive(connection, Message::Open(open));
    let actions = solo.receive(connection, update());
    assert_eq!(
        farewell(&actions, connection),
        Some(NotificationCode::UnexpectedMessage),
        "before its keepalive"
    );

    let connection = solo.connect(&id(ACME, "b"));
    solo.handle(Event::Closed { connection });
    solo.receive(connection, update());
    assert!(!solo.knows(&books()), "after the end");
}

#[test]
fn whoever_is_not_who_it_should_be_is_told_so() {
    #[track_caller]
    fn check(change: impl Fn(&mut Open), proved: Option<&str>, expected: NotificationCode) {
        let mut solo = Solo::new(node_config());
        solo.configure(PeerConfig { passive: true, ..b() });
        let connection = solo.connection();
        let proved = proved.map(|p| id(p.split_once('/').expect("two").0, p.split_once('/').expect("two").1));
        solo.handle(Event::Accepted { connection, proved });
        let mut open = solo.open(&id(ACME, "b"));
        change(&mut open);
        let actions = solo.receive(connection, Message::Open(open));
        assert_eq!(farewell(&actions, connection), Some(expected));
    }
    check(|o| o.node = id(ACME, "z").node, None, NotificationCode::UnknownPeer);
    check(|o| o.org = id("other.example", "b").org, None, NotificationCode::UnknownPeer);
    check(|o| o.node = id(ACME, "me").node, None, NotificationCode::WrongNodeId);
    check(|_| {}, Some("acme.example/c"), NotificationCode::WrongNodeId);
    check(|_| {}, Some("other.example/b"), NotificationCode::WrongOrganisation);
    check(|o| o.version = 9, None, NotificationCode::UnsupportedVersion);
}

#[test]
fn a_dial_that_reaches_somebody_else_is_closed() {
    let mut solo = Solo::new(node_config());
    solo.configure(b());
    let (connection, peer) = (solo.connection(), id(ACME, "b"));
    let actions = solo.handle(Event::Dialled { peer, connection, proved: Some(id(ACME, "c")) });
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::WrongNodeId));
}

#[test]
fn two_running_nodes_with_one_id_do_not_push_each_other_out_for_ever() {
    let (mut solo, _) = with_books(b());
    let other = Open { instance: Instance(78), ..solo.open(&id(ACME, "b")) };
    solo.connect_with(other);
    let connection = solo.connection();
    solo.handle(Event::Accepted { connection, proved: None });
    let first = solo.open(&id(ACME, "b"));
    let actions = solo.receive(connection, Message::Open(first));
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::WrongNodeId));
}

#[test]
fn connections_that_say_nothing_are_few_and_short() {
    let mut solo = Solo::new(node_config());
    for _ in 0..MAX_PENDING {
        let connection = solo.connection();
        assert!(solo.handle(Event::Accepted { connection, proved: None }).is_empty());
    }
    let connection = solo.connection();
    let actions = solo.handle(Event::Accepted { connection, proved: None });
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::OutOfResources));
    let actions = solo.wait(OPEN_TIMEOUT);
    let closed = actions.iter().filter(|a| matches!(a, Action::Close { .. })).count();
    assert_eq!(closed, MAX_PENDING);
    assert_eq!(solo.router.next_deadline(), None);
}

#[test]
fn a_message_that_cannot_be_read_ends_the_session_with_its_reason() {
    let (mut solo, connection) = with_books(b());
    let notification = Notification::new(NotificationCode::MalformedMessage, "2 MiB");
    let actions = solo.handle(Event::Refused { connection, notification });
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::MalformedMessage));
}

#[test]
fn a_peer_that_takes_no_updates_is_given_up() {
    let mut solo = Solo::new(node_config());
    let connection = solo.peer(b());
    solo.peers_read = false;
    let actions = solo.wait(SECOND * (8 * 60));
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::SendHoldTimerExpired));
}

#[test]
fn a_slow_peer_gets_the_latest_once_and_keeps_nobody_waiting() {
    let mut solo = Solo::new(node_config());
    let (slow, quick) = (solo.peer(b()), solo.peer(c()));
    solo.pull(slow);
    solo.pull(quick);
    let mut told = 0;
    for med in 0..1000 {
        solo.handle(Event::Announce(service("mine"), Box::new(attributes(med))));
        told += solo.pull(quick).len();
    }
    assert_eq!(told, 1000, "the quick one is told each time");
    let messages = solo.pull(slow);
    assert_eq!(said(&messages), ["+mine.acme.example"]);
    let Message::Update(last) = &messages[0] else { panic!("an update") };
    assert_eq!(last.announce[0].paths[0].med, 999);
}

#[test]
fn peers_that_are_told_the_same_get_one_message() {
    let mut solo = Solo::new(node_config());
    let (to_b, to_c) = (solo.peer(b()), solo.peer(c()));
    solo.pull(to_b);
    solo.pull(to_c);
    solo.handle(Event::Announce(service("mine"), Box::new(attributes(0))));
    let (for_b, for_c) = (solo.router.next_message(to_b, solo.now), solo.router.next_message(to_c, solo.now));
    assert!(Arc::ptr_eq(&for_b.expect("an update"), &for_c.expect("an update")));
}

#[test]
fn a_route_that_comes_and_goes_is_not_used_until_it_has_calmed_down() {
    let damping = DampingConfig { suppress_above: 2500.0, ..DampingConfig::default() };
    let mut solo = Solo::new(NodeConfig { damping, ..node_config() });
    let connection = solo.peer(PeerConfig { damping: true, ..b() });
    for _ in 0..3 {
        solo.receive(connection, announce(&[books()], route("acme.example/b")));
        assert!(solo.knows(&books()));
        solo.receive(connection, withdraw(&[books()]));
    }
    solo.receive(connection, announce(&[books()], route("acme.example/b")));
    assert!(!solo.knows(&books()));
    let standing = solo.router.explain(&books(), solo.now).paths[0].route.standing;
    assert_eq!(standing, Standing::Rejected(RejectReason::Damped));
    solo.wait(SECOND * 60 * 60);
    assert!(solo.knows(&books()));
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut solo = Solo::new(node_config());
    let rejected = |actions: Vec<Action>| match actions.into_iter().next() {
        Some(Action::Rejected(rejection)) => rejection,
        other => panic!("{other:?}"),
    };
    let me = id(ACME, "me");
    assert_eq!(rejected(solo.configure(PeerConfig::new(me.clone()))), Rejection::OwnIdentity(me));
    let nobody = id(ACME, "nobody");
    assert_eq!(rejected(solo.handle(Event::RemovePeer(nobody.clone()))), Rejection::NoSuchPeer(nobody));
    let foreign = service("books.other.example");
    let announced = solo.handle(Event::Announce(foreign.clone(), Box::new(attributes(0))));
    assert_eq!(rejected(announced), Rejection::ForeignService(foreign, id(ACME, "me").org));
}

#[test]
fn a_removed_peer_is_told_and_its_routes_go() {
    let (mut solo, connection) = with_books(b());
    let actions = solo.handle(Event::RemovePeer(id(ACME, "b")));
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::PeerDeconfigured));
    assert!(!solo.knows(&books()));
    assert!(solo.router.peers(solo.now).is_empty());
}

#[test]
fn a_changed_hold_time_makes_a_fresh_session_and_keeps_the_routes() {
    let (mut solo, connection) = with_books(b());
    let hold_time = catalyst_routing::message::HoldTime::from_secs(30).expect("acceptable");
    let actions = solo.configure(PeerConfig { hold_time, passive: true, ..b() });
    assert_eq!(farewell(&actions, connection), Some(NotificationCode::ConfigurationChange));
    assert!(solo.knows(&books()));
}
