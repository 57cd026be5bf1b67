//! Routes between organisations: two tables, nothing without policy, and nobody speaks for another.

use std::sync::Arc;
use std::time::Duration;

use catalyst_routing::attributes::Attributes;
use catalyst_routing::decision::{RejectReason, Standing};
use catalyst_routing::fsm::State;
use catalyst_routing::message::{Announcement, Message, Role, Update};
use catalyst_routing::policy::{Condition, Edit, Policy, Rule, Then};
use catalyst_routing::router::{Action, AllowedOrigins, Event, ExportRefusal, PeerConfig, Refusal};
use catalyst_routing::service::Service;
use catalyst_routing::snapshot::Resolved;
use catalyst_routing::table::TableKind;
use catalyst_routing::tag::Tag;

use crate::names::{ACME, attributes, next_hop, service};
use crate::solo::{Solo, announce, id, node_config, route};
use crate::world::World;

const SOON: Duration = Duration::from_secs(5);
const OTHER: &str = "other.example";
const THIRD: &str = "third.example";

fn tag(text: &str) -> Tag {
    Tag::new(text).expect("a tag")
}

fn rule(when: Vec<Condition>, edits: Vec<Edit>, then: Then) -> Rule {
    Rule { name: String::new(), when, edits, then }
}

fn policy(rules: Vec<Rule>) -> Option<Arc<Policy>> {
    Some(Arc::new(Policy::new(rules).expect("a policy")))
}

fn everything() -> Option<Arc<Policy>> {
    policy(vec![rule(vec![], vec![], Then::Accept)])
}

fn tagged(text: &str) -> Option<Arc<Policy>> {
    policy(vec![rule(vec![Condition::Tag(vec![tag(text)])], vec![], Then::Accept)])
}

fn with_tag(text: &str) -> Attributes {
    let mut attributes = attributes(0);
    attributes.tags.insert(tag(text)).expect("room");
    attributes
}

fn open(config: &mut PeerConfig) {
    (config.import, config.export) = (everything(), everything());
}

/// Two nodes of acme, two of other; n1 and n2 are the borders: n0 - n1 = n2 - n3.
fn two_organisations(settle: impl Fn(usize, &mut PeerConfig)) -> World {
    let mut world = World::new(1);
    for org in [ACME, ACME, OTHER, OTHER] {
        world.add_node(org);
    }
    world.peer(0, 1);
    world.peer(2, 3);
    world.peer_with(1, 2, settle);
    world.announce(0, &service("public.acme.example"), with_tag("public"));
    world.announce(0, &service("secret.acme.example"), attributes(0));
    world.run(SOON);
    world
}

fn knows(world: &World, node: usize, name: &str) -> bool {
    world.best(node, &service(name)).is_some()
}

/// Whether the border's session is the one it was.
fn session_age(world: &mut World) -> u64 {
    let now = world.local_time(1);
    match world.router(1).peers(now).into_iter().find(|p| !p.internal).expect("configured").state {
        State::Established { since, .. } => since.as_millis(),
        state => panic!("{state:?}"),
    }
}

#[test]
fn without_policies_nothing_goes_in_or_out_and_the_status_says_so() {
    let mut world = two_organisations(|_, _| {});
    assert!(!knows(&world, 2, "public.acme.example"));
    let now = world.local_time(1);
    let status = world.router(1).peers(now).into_iter().find(|p| !p.internal).expect("configured");
    assert!(status.import_missing && status.export_missing);
    let told = world.router(1).explain(&service("public.acme.example"), now).told;
    let outside = told.iter().find(|t| t.0.org.as_str() == OTHER).expect("has a session");
    assert_eq!(outside.2, Err(ExportRefusal::NoExportPolicy));

    let mut exported = two_organisations(|me, config| {
        if me == 1 {
            open(config);
        }
    });
    assert!(!knows(&exported, 2, "public.acme.example"), "what is told is not taken");
    let now = exported.local_time(2);
    let explanation = exported.router(2).explain(&service("public.acme.example"), now);
    assert_eq!(explanation.paths[0].route.standing, Standing::Rejected(RejectReason::NoImportPolicy));
}

#[test]
fn what_policy_exports_is_known_everywhere_there_and_nothing_else() {
    let world = two_organisations(|me, config| {
        open(config);
        if me == 1 {
            config.export = tagged("public");
        }
    });
    for node in [2, 3] {
        assert!(knows(&world, node, "public.acme.example"));
        assert!(!knows(&world, node, "secret.acme.example"));
        assert!(world.nodes[node].seen.internal.is_empty(), "an external route never becomes internal");
    }
}

#[test]
fn outsiders_see_organisations_and_reach_the_border() {
    let mut world = two_organisations(|_, config| open(config));
    let mut wished = with_tag("public");
    (wished.med, wished.local_preference) = (7, 500);
    world.announce(0, &service("public.acme.example"), wished);
    world.run(SOON);
    let at_border = world.best(2, &service("public.acme.example")).expect("known");
    assert_eq!(at_border.path.to_string(), "acme.example");
    assert_eq!((at_border.origin.org.as_str(), &at_border.origin.node), (ACME, &None));
    assert_eq!(at_border.next_hop, world.nodes[1].config.next_hop);
    assert_eq!((at_border.med, at_border.local_preference), (7, 100), "a wish is told, a preference is not");
    let inside = world.best(3, &service("public.acme.example")).expect("known");
    assert_eq!(inside.path.to_string(), "other.example/n2 acme.example");
    assert_eq!(inside.next_hop, world.nodes[2].config.next_hop);
}

#[test]
fn an_export_policy_changes_while_the_session_is_up() {
    let mut world = two_organisations(|_, config| open(config));
    let since = session_age(&mut world);
    assert!(knows(&world, 3, "secret.acme.example"));
    world.reconfigure(1, 2, |config| config.export = tagged("public"));
    world.run(SOON);
    assert!(!knows(&world, 3, "secret.acme.example") && knows(&world, 3, "public.acme.example"));
    world.reconfigure(1, 2, |config| config.export = everything());
    world.run(SOON);
    assert!(knows(&world, 3, "secret.acme.example"));
    assert_eq!(session_age(&mut world), since);
}

#[test]
fn an_import_policy_changes_while_the_session_is_up() {
    let mut world = two_organisations(|_, config| open(config));
    let since = session_age(&mut world);
    world.reconfigure(2, 1, |config| config.import = tagged("public"));
    world.run(SOON);
    assert!(!knows(&world, 3, "secret.acme.example") && knows(&world, 3, "public.acme.example"));
    let now = world.local_time(2);
    let standing = world.router(2).explain(&service("secret.acme.example"), now).paths[0].route.standing;
    assert_eq!(standing, Standing::Rejected(RejectReason::DeniedByDefault));
    world.reconfigure(2, 1, |config| {
        config.import = policy(vec![rule(vec![], vec![Edit::LocalPreference(700)], Then::Accept)]);
    });
    world.run(SOON);
    assert_eq!(world.best(3, &service("secret.acme.example")).expect("known").local_preference, 700);
    assert_eq!(session_age(&mut world), since);
}

#[test]
fn what_was_unexported_during_an_outage_is_gone_when_the_session_is_back() {
    let mut world = two_organisations(|_, config| open(config));
    world.set_link(1, 2, crate::world::LinkState::Cut);
    world.run(Duration::from_secs(2));
    world.reconfigure(1, 2, |config| config.export = tagged("public"));
    assert!(knows(&world, 2, "secret.acme.example"), "kept for the restart time");
    world.set_link(1, 2, crate::world::LinkState::Up);
    let id = world.nodes[2].id.clone();
    for _ in 0..100 {
        world.run(Duration::from_millis(200));
        let now = world.local_time(1);
        let status = world.router(1).peers(now).into_iter().find(|p| *p.peer == id).expect("configured");
        if matches!(status.state, State::Established { .. }) {
            break;
        }
    }
    world.run(Duration::from_secs(1));
    assert!(!knows(&world, 2, "secret.acme.example") && knows(&world, 2, "public.acme.example"));
}

#[test]
fn a_peer_may_reach_this_node_at_an_address_of_its_own() {
    let tunnel = next_hop(77, 7777);
    let world = two_organisations(|me, config| {
        open(config);
        config.next_hop = (me == 1).then(|| tunnel.clone());
    });
    assert_eq!(world.best(2, &service("public.acme.example")).expect("known").next_hop, tunnel);
}

/// acme n0 = other n1 = third n2.
fn three_organisations(settle: impl Fn(usize, usize, &mut PeerConfig)) -> World {
    let mut world = World::new(1);
    for org in [ACME, OTHER, THIRD] {
        world.add_node(org);
    }
    for (a, b) in [(0, 1), (1, 2)] {
        world.peer_with(a, b, |me, config| {
            open(config);
            settle(me, a + b - me, config);
        });
    }
    world.announce(0, &service("books.acme.example"), attributes(9));
    world.announce(2, &service("maps.third.example"), attributes(9));
    world.run(SOON);
    world
}

#[test]
fn transit_needs_the_consent_of_who_takes_it() {
    let world = three_organisations(|_, _, _| {});
    assert!(knows(&world, 1, "books.acme.example"));
    assert!(!knows(&world, 2, "books.acme.example"), "other may speak for itself only");
    let world = three_organisations(|me, _, config| {
        if me == 2 {
            config.external.origins = AllowedOrigins::Also(vec![id(ACME, "x").org]);
        }
    });
    let best = world.best(2, &service("books.acme.example")).expect("known");
    assert_eq!(best.path.to_string(), "other.example acme.example");
    assert_eq!(best.med, 0, "what acme wished of other is not third's business");
    assert!(!knows(&world, 0, "maps.third.example"), "acme has not consented");
}

#[test]
fn transit_needs_the_consent_of_who_gives_it() {
    let own_only = policy(vec![rule(vec![Condition::Table(TableKind::Internal)], vec![], Then::Accept)]);
    let world = three_organisations(|me, _, config| {
        config.external.origins = AllowedOrigins::Any;
        if me == 1 {
            config.export = own_only.clone();
        }
    });
    assert!(knows(&world, 1, "books.acme.example") && !knows(&world, 2, "books.acme.example"));
}

#[test]
fn by_roles_a_providers_routes_go_to_customers_only() {
    // n1's view of n0 and n2: what n1 is to them.
    let check = |to_n0: Role, to_n2: Role, passes: bool| {
        let mut world = three_organisations(|me, other, config| {
            config.external.origins = AllowedOrigins::Any;
            let mine = if other == 0 || me == 0 { to_n0 } else { to_n2 };
            config.external.role = Some(if me == 1 { mine } else { mine.counterpart() });
        });
        assert!(knows(&world, 1, "books.acme.example"));
        assert_eq!(knows(&world, 2, "books.acme.example"), passes, "{to_n0:?} {to_n2:?}");
        let now = world.local_time(1);
        let told = world.router(1).explain(&service("books.acme.example"), now).told;
        let to_third = told.iter().find(|t| t.0.org.as_str() == THIRD).expect("has a session");
        assert_eq!(to_third.2 == Err(ExportRefusal::RouteLeak), !passes);
    };
    check(Role::Customer, Role::Provider, true);
    check(Role::Customer, Role::Customer, false);
    check(Role::Customer, Role::Peer, false);
    check(Role::Peer, Role::Peer, false);
    check(Role::Peer, Role::Provider, true);
    check(Role::Provider, Role::Customer, true);
    check(Role::Provider, Role::Peer, true);
}

#[test]
fn a_leak_by_one_without_roles_is_noticed_by_the_next() {
    // n1 has no roles and passes everything on; n0 is its provider, and n2 believes to be its provider too.
    let mut world = three_organisations(|me, _, config| {
        config.external.origins = AllowedOrigins::Any;
        config.external.role = (me != 1).then_some(Role::Provider);
    });
    assert!(!knows(&world, 2, "books.acme.example"));
    let now = world.local_time(2);
    let standing = world.router(2).explain(&service("books.acme.example"), now).paths[0].route.standing;
    assert_eq!(standing, Standing::Rejected(RejectReason::RouteLeak));
}

fn outside(solo: &mut Solo) -> catalyst_routing::fsm::ConnectionId {
    let mut config = PeerConfig::new(id(OTHER, "o1"));
    open(&mut config);
    solo.peer(config)
}

/// In the first implementation any peer could announce anything of anybody.
#[test]
fn nobody_speaks_for_another() {
    #[track_caller]
    fn check(from: &str, way: &str, name: &str, expected: Option<Refusal>) {
        let mut solo = Solo::new(node_config());
        let connection = match from {
            "outside" => outside(&mut solo),
            _ => solo.peer(PeerConfig::new(id(ACME, from))),
        };
        let actions = solo.receive(connection, announce(&[service(name)], route(way)));
        let refused = actions.iter().find_map(|a| match a {
            Action::RoutesRefused { refusal, .. } => Some(refusal.clone()),
            _ => None,
        });
        assert_eq!(refused, expected);
        assert_eq!(solo.knows(&service(name)), expected.is_none());
        let up = solo.router.peers(solo.now);
        assert!(matches!(up[0].state, State::Established { .. }), "the session goes on");
    }
    let org = |name: &str| id(name, "x").org;
    let peer = || id(OTHER, "o1");

    check("outside", OTHER, "books.other.example", None);
    check("outside", THIRD, "books.third.example", Some(Refusal::NotByPeer(peer())));
    check("outside", "other.example/o1", "books.other.example", Some(Refusal::NotByPeer(peer())));
    check(
        "outside",
        "other.example third.example",
        "maps.third.example",
        Some(Refusal::OriginNotAllowed(org(THIRD))),
    );
    check("outside", OTHER, "maps.third.example", Some(Refusal::ForeignService(org(OTHER))));
    check("outside", OTHER, "other.example", Some(Refusal::ForeignService(org(OTHER))));
    check("outside", OTHER, "books.acme.example", Some(Refusal::ForeignService(org(OTHER))));
    check("outside", "acme.example/b", "books.acme.example", Some(Refusal::NotByPeer(peer())));

    check("b", "acme.example/b", "books.acme.example", None);
    check("b", "acme.example/b acme.example/c", "books.acme.example", None);
    check("b", "acme.example/c", "books.acme.example", Some(Refusal::NotByPeer(id(ACME, "b"))));
    check("b", ACME, "books.acme.example", Some(Refusal::NotByPeer(id(ACME, "b"))));
    check("b", OTHER, "books.other.example", Some(Refusal::NotByPeer(id(ACME, "b"))));
    check("b", "acme.example/b other.example", "books.other.example", None);
    check("b", "acme.example/b", "books.other.example", Some(Refusal::ForeignService(org(ACME))));
    let inside = "acme.example/b other.example/o1";
    check("b", inside, "books.other.example", Some(Refusal::NotFromOrigin(org(OTHER))));
}

#[test]
fn an_origin_that_is_not_where_the_path_ends_is_refused() {
    let mut solo = Solo::new(node_config());
    let connection = solo.peer(PeerConfig::new(id(ACME, "b")));
    let mut forged = route("acme.example/b acme.example/c");
    forged.origin.node = Some(id(ACME, "d").node);
    let actions = solo.receive(connection, announce(&[service("books")], forged));
    let refused = |a: &Action| matches!(a, Action::RoutesRefused { refusal: Refusal::NotFromOrigin(_), .. });
    assert!(actions.iter().any(refused));
}

#[test]
fn a_parent_organisation_does_not_take_this_ones_names() {
    let mut solo = Solo::new(node_config());
    let mut config = PeerConfig::new(id("example", "p1"));
    open(&mut config);
    let connection = solo.peer(config);
    let actions = solo.receive(connection, announce(&[service("books.acme.example")], route("example")));
    let refused = |a: &Action| matches!(a, Action::RoutesRefused { refusal: Refusal::OwnService(_), .. });
    assert!(actions.iter().any(refused));
    solo.receive(connection, announce(&[service("maps.example")], route("example")));
    assert!(solo.knows(&service("maps.example")));
}

#[test]
fn paths_must_be_one_to_eight_and_of_one_origin() {
    let mut solo = Solo::new(node_config());
    let connection = solo.peer(PeerConfig::new(id(ACME, "b")));
    let mut check = |paths: Vec<Attributes>, expected: Refusal| {
        let paths = paths.into_iter().map(Arc::new).collect();
        let announce = vec![Announcement { paths, services: vec![service("books")] }];
        let message = Message::Update(Update { announce, ..Update::default() });
        let actions = solo.receive(connection, message);
        let refused = actions
            .iter()
            .any(|a| matches!(a, Action::RoutesRefused { refusal, .. } if *refusal == expected));
        assert!(refused, "{expected}");
    };
    check(vec![], Refusal::Paths(0));
    check(vec![route("acme.example/b"); 9], Refusal::Paths(9));
    check(vec![route("acme.example/b"), route("acme.example/b other.example")], Refusal::MixedOrigins);
}

#[test]
fn a_route_that_comes_back_from_outside_is_a_loop() {
    let mut solo = Solo::new(node_config());
    let mut config = PeerConfig::new(id(OTHER, "o1"));
    open(&mut config);
    config.external.origins = AllowedOrigins::Any;
    let connection = solo.peer(config);
    let way = "other.example acme.example third.example";
    solo.receive(connection, announce(&[service("maps.third.example")], route(way)));
    let explanation = solo.router.explain(&service("maps.third.example"), solo.now);
    assert_eq!(explanation.paths[0].route.standing, Standing::Rejected(RejectReason::PathLoop));
}

#[test]
fn an_internal_route_is_never_replaced_by_an_external_one_of_its_name() {
    let mut solo = Solo::new(node_config());
    let mut config = PeerConfig::new(id("sub.acme.example", "s1"));
    open(&mut config);
    let connection = solo.peer(config);
    let name: Service = service("books.sub.acme.example");
    let mut preferred = route("sub.acme.example");
    preferred.local_preference = 1_000_000;
    solo.receive(connection, announce(std::slice::from_ref(&name), preferred));
    assert!(matches!(solo.router.snapshot().resolve(&name), Some(Resolved::External(_))));
    solo.handle(Event::Announce(name.clone(), Box::new(attributes(0))));
    assert!(matches!(solo.router.snapshot().resolve(&name), Some(Resolved::Internal(_))));
    solo.handle(Event::Withdraw(name.clone()));
    assert!(matches!(solo.router.snapshot().resolve(&name), Some(Resolved::External(_))));
}

#[test]
fn a_service_that_changes_its_organisation_is_not_left_in_the_other_table() {
    let mut solo = Solo::new(node_config());
    let connection = solo.peer(PeerConfig::new(id(ACME, "b")));
    let name = service("books.sub.acme.example");
    solo.receive(connection, announce(std::slice::from_ref(&name), route("acme.example/b")));
    solo.receive(connection, announce(std::slice::from_ref(&name), route("acme.example/b sub.acme.example")));
    let snapshot = solo.router.snapshot();
    assert_eq!((snapshot.internal.len(), snapshot.external.len()), (0, 1));
    assert_eq!(solo.router.peers(solo.now)[0].routes, 1);
}
