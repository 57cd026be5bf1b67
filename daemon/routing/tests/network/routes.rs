//! What nodes of one organisation make of each other's routes: one fact a test, on a quiet network.

use std::num::{NonZeroU8, NonZeroU16};
use std::sync::Arc;
use std::time::Duration;

use catalyst_routing::attributes::{Attributes, Health, Region, SchemaDigest};
use catalyst_routing::decision::{RejectReason, Standing};
use catalyst_routing::policy::{Edit, Policy, Rule, Then};
use catalyst_routing::router::{ExportRefusal, Mesh};
use catalyst_routing::snapshot::RouteSource;
use catalyst_routing::tag::Tag;

use crate::names::{ACME, attributes, service};
use crate::world::{LinkState, World};

const SOON: Duration = Duration::from_secs(5);

fn add_nodes(world: &mut World, count: usize) {
    for _ in 0..count {
        world.add_node(ACME);
    }
}

/// Nodes of one organisation, with sessions along the given links.
fn network(nodes: usize, links: &[(usize, usize)]) -> World {
    let mut world = World::new(1);
    add_nodes(&mut world, nodes);
    links.iter().for_each(|(a, b)| world.peer(*a, *b));
    world.run(SOON);
    world
}

fn tagged(tag: &str) -> Attributes {
    let mut tagged = attributes(0);
    tagged.tags.insert(Tag::new(tag).expect("a tag")).expect("room");
    tagged
}

/// The nodes on the way that `node` uses, nearest first.
#[track_caller]
fn check_way(world: &World, node: usize, name: &str, expected: Option<&[&str]>) {
    let way = world.best(node, &service(name)).map(|best| {
        let hops = best.path.hops().iter();
        hops.filter_map(|h| h.node.as_ref()).map(ToString::to_string).collect::<Vec<_>>()
    });
    assert_eq!(
        way.as_deref(),
        expected.map(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref()
    );
}

#[test]
fn a_service_is_known_at_the_other_end_of_a_chain_and_gone_when_withdrawn() {
    let mut world = network(4, &[(0, 1), (1, 2), (2, 3)]);
    world.announce(3, &service("books"), attributes(0));
    world.run(SOON);
    check_way(&world, 0, "books", Some(&["n1", "n2", "n3"]));
    check_way(&world, 3, "books", Some(&[]));
    world.withdraw(3, &service("books"));
    world.run(SOON);
    check_way(&world, 0, "books", None);
}

#[test]
fn what_was_known_before_a_session_is_told_when_it_comes_up() {
    let mut world = network(2, &[]);
    world.announce(0, &service("books"), attributes(0));
    world.peer(0, 1);
    world.run(SOON);
    check_way(&world, 1, "books", Some(&["n0"]));
}

/// The first implementation put its own port into what it learned, and so worked only where all ports were alike.
#[test]
fn the_next_hop_is_the_announcers_host_and_port_all_along() {
    let mut world = network(3, &[(0, 1), (1, 2)]);
    world.announce(2, &service("books"), attributes(0));
    world.run(SOON);
    for (node, via) in [(0, 1), (1, 2)] {
        let best = world.best(node, &service("books")).expect("known");
        assert_eq!(best.next_hop, world.nodes[via].config.next_hop);
        assert_ne!(best.next_hop.port(), world.nodes[node].config.next_hop.port());
    }
    // At its own node, the service is reached at its own endpoint.
    assert_eq!(world.best(2, &service("books")).expect("its own").next_hop, attributes(0).next_hop);
}

/// The first implementation ignored changes on routes whose path was no shorter.
#[test]
fn every_changed_attribute_reaches_every_node() {
    type Change = fn(&mut Attributes);
    let changes: [Change; 6] = [
        |a| a.health = Health::Unhealthy,
        |a| a.weight = NonZeroU16::MIN,
        |a| a.med = 7,
        |a| a.region = Some(Region::new("eu").expect("a region")),
        |a| a.schema = Some(SchemaDigest([7; 32])),
        |a| a.local_preference = 5,
    ];
    let mut world = network(3, &[(0, 1), (1, 2)]);
    world.announce(2, &service("books"), attributes(0));
    world.run(SOON);
    for change in changes {
        let mut changed = attributes(0);
        change(&mut changed);
        world.announce(2, &service("books"), changed.clone());
        world.run(SOON);
        let mut seen = Attributes::clone(&world.best(0, &service("books")).expect("known"));
        (seen.origin, seen.path) = (changed.origin.clone(), changed.path.clone());
        seen.next_hop = changed.next_hop.clone();
        assert_eq!(seen, changed);
    }
}

/// The first implementation dropped a route when one of the peers that offered it withdrew it.
#[test]
fn one_peers_withdrawal_leaves_the_others_route() {
    let mut world = network(3, &[(0, 1), (0, 2)]);
    world.announce(1, &service("books"), attributes(0));
    world.announce(2, &service("books"), attributes(1));
    world.run(SOON);
    check_way(&world, 0, "books", Some(&["n1"]));
    world.withdraw(1, &service("books"));
    world.run(SOON);
    check_way(&world, 0, "books", Some(&["n2"]));
}

/// In the first implementation two nodes that changed a route at once waited for each other for ever.
#[test]
fn a_thousand_changes_on_both_sides_at_once_never_stall() {
    let mut world = network(2, &[(0, 1)]);
    for round in 0..1000 {
        for node in [0, 1] {
            world.announce(node, &service(&format!("own-{node}")), attributes(round));
            world.announce(node, &service("shared"), attributes(round));
        }
        world.run(Duration::from_millis(round.into()) / 100);
    }
    world.run(SOON);
    for node in [0, 1] {
        let other = world.best(node, &service(&format!("own-{}", 1 - node))).expect("known");
        assert_eq!(other.med, 999);
        check_way(&world, node, "shared", Some(&[]));
    }
}

#[test]
fn in_a_triangle_traffic_takes_the_other_way_when_a_link_is_cut() {
    let mut world = network(3, &[(0, 1), (1, 2), (0, 2)]);
    world.announce(2, &service("books"), attributes(0));
    world.run(SOON);
    check_way(&world, 0, "books", Some(&["n2"]));
    world.set_link(0, 2, LinkState::Cut);
    world.run(SOON);
    // The data plane is told of both ways, and until the restart time is over the direct one is believed to be there.
    let paths = world.nodes[0].seen.internal.get(&service("books")).expect("known").len();
    assert_eq!(paths, 2);
    world.run(Duration::from_secs(30));
    check_way(&world, 0, "books", Some(&["n1", "n2"]));
    world.set_link(0, 2, LinkState::Up);
    world.run(Duration::from_secs(70));
    check_way(&world, 0, "books", Some(&["n2"]));
}

#[test]
fn a_peer_is_not_told_its_own_routes() {
    let mut world = network(2, &[(0, 1)]);
    world.announce(1, &service("books"), attributes(0));
    world.run(SOON);
    let (id, now) = (world.nodes[0].id.clone(), world.local_time(1));
    let heard = world.router(1).received_routes(&id, now).expect("a peer").count();
    assert_eq!(heard, 0);
    let explanation = world.router(0).explain(&service("books"), now);
    assert_eq!(explanation.told[0].2, Err(ExportRefusal::SplitHorizon));
}

#[test]
fn a_path_through_this_node_is_kept_with_its_reason_and_not_used() {
    let mut world = network(3, &[(0, 1), (1, 2), (0, 2)]);
    world.announce(0, &service("books"), attributes(0));
    world.announce(1, &service("books"), attributes(0));
    world.announce(2, &service("films"), attributes(0));
    world.run(SOON);
    // n0 loses its own route, so that n1 and n2 tell what they have through each other.
    world.withdraw(0, &service("books"));
    world.run(SOON);
    let now = world.local_time(0);
    let explanation = world.router(0).explain(&service("books"), now);
    let standings: Vec<_> = explanation.paths.iter().map(|p| p.route.standing).collect();
    assert_eq!(standings, [Standing::Best, Standing::Rejected(RejectReason::LongerPath)]);
    assert!(matches!(&explanation.paths[0].source, RouteSource::Peer(id) if *id.node.as_str() == *"n1"));
}

/// C and D offer the same; A sees both through B.
fn two_offers(settle: impl Fn(usize, &mut catalyst_routing::router::PeerConfig), multipath: u8) -> World {
    let mut world = World::new(1);
    world.settings.multipath = multipath;
    add_nodes(&mut world, 4);
    for (a, b) in [(0, 1), (1, 2), (1, 3)] {
        world.peer_with(a, b, &settle);
    }
    world.run(SOON);
    world.announce(2, &service("books"), attributes(0));
    world.run(SOON);
    world.announce(3, &service("books"), attributes(0));
    world.run(SOON);
    world
}

#[test]
fn several_paths_are_told_where_both_sides_want_them() {
    for (mine, yours, expected) in [(2, 2, 2), (2, 1, 1), (1, 2, 1), (8, 8, 2)] {
        let paths = |me| NonZeroU8::new(if me == 0 { mine } else { yours }).expect("not 0");
        let mut world = two_offers(|me, c| c.max_paths = paths(me), 1);
        let snapshot = world.router(0).snapshot();
        let paths = snapshot.internal.get(&service("books")).expect("known");
        assert_eq!(paths.len(), expected, "{mine} and {yours}");
        if expected == 2 {
            world.withdraw(2, &service("books"));
            world.run(SOON);
            check_way(&world, 0, "books", Some(&["n1", "n3"]));
        }
    }
}

#[test]
fn paths_of_equal_rank_share_the_requests_by_weight() {
    let mut world = two_offers(|_, c| c.max_paths = NonZeroU8::new(4).expect("not 0"), 4);
    let mut light = attributes(0);
    light.weight = NonZeroU16::MIN;
    world.announce(3, &service("books"), light);
    world.run(SOON);
    let used = |node: usize| -> Vec<_> {
        let paths = world.nodes[node].seen.internal.get(&service("books")).expect("known").clone();
        paths.iter().map(|p| (p.standing, p.attributes.weight.get())).collect()
    };
    assert_eq!(used(1), [(Standing::Best, 100), (Standing::Multipath, 1)]);
    let standby = Standing::Rejected(RejectReason::Younger);
    assert_eq!(used(0), [(Standing::Best, 100), (standby, 1)], "both lead through n1, which shares them out");
}

/// n0 reflects; n1 and n2 are clients, n3 and n4 are not.
fn reflected() -> World {
    let mut world = World::new(1);
    add_nodes(&mut world, 5);
    for other in 1..5 {
        world.peer_with(0, other, |me, config| {
            config.mesh = if me == 0 && other <= 2 { Mesh::Client } else { Mesh::NonClient };
        });
    }
    world.run(SOON);
    world
}

#[test]
fn a_reflector_passes_on_to_and_from_clients_with_everything_unchanged() {
    let mut world = reflected();
    world.announce(1, &service("of-client"), attributes(0));
    world.announce(3, &service("of-other"), attributes(0));
    world.announce(0, &service("of-reflector"), attributes(0));
    world.run(SOON);
    for node in 0..5 {
        let expected: Option<&[&str]> = if node == 1 { Some(&[]) } else { Some(&["n1"]) };
        check_way(&world, node, "of-client", expected);
        let expected: Option<&[&str]> = if node == 0 { Some(&[]) } else { Some(&["n0"]) };
        check_way(&world, node, "of-reflector", expected);
    }
    check_way(&world, 2, "of-other", Some(&["n3"]));
    check_way(&world, 4, "of-other", None);
    let best = world.best(2, &service("of-client")).expect("known");
    assert_eq!(best.next_hop, world.nodes[1].config.next_hop, "requests don't go through the reflector");
    let reflection = best.reflection.clone().expect("reflected");
    assert_eq!((reflection.originator.as_str(), reflection.clusters().len()), ("n1", 1));
    let id = world.nodes[4].id.clone();
    let now = world.local_time(0);
    let told = world.router(0).explain(&service("of-other"), now).told;
    let to_other = told.into_iter().find(|t| *t.0 == id).expect("has a session");
    assert_eq!(to_other.2, Err(ExportRefusal::NotReflected));
}

/// Two reflectors, n0 and n1, of the client n2.
fn two_reflectors(one_cluster: bool) -> World {
    let mut world = World::new(1);
    add_nodes(&mut world, 3);
    for reflector in [0, 1] {
        if one_cluster {
            world.nodes[reflector].config.cluster = "cluster-1".parse().expect("a name");
            world.start(reflector, false);
        }
    }
    let several = NonZeroU8::new(2).expect("not 0");
    let client = |me: usize, config: &mut catalyst_routing::router::PeerConfig| {
        config.mesh = if me < 2 { Mesh::Client } else { Mesh::NonClient };
        config.max_paths = several;
    };
    world.peer_with(0, 2, client);
    world.peer_with(1, 2, client);
    world.peer_with(0, 1, |_, config| config.mesh = Mesh::NonClient);
    world.run(SOON);
    world.announce(2, &service("books"), attributes(0));
    world.run(SOON);
    world
}

#[track_caller]
fn check_standings(world: &mut World, node: usize, name: &str, expected: &[Standing]) {
    let now = world.local_time(node);
    let paths = world.router(node).explain(&service(name), now).paths;
    let standings: Vec<_> = paths.iter().map(|p| p.route.standing).collect();
    assert_eq!(standings, expected);
}

#[test]
fn reflectors_of_one_cluster_don_t_use_what_comes_round() {
    let mut world = two_reflectors(true);
    check_standings(&mut world, 0, "books", &[Standing::Best, Standing::Rejected(RejectReason::ClusterLoop)]);
    check_standings(&mut world, 2, "books", &[Standing::Best]);
}

#[test]
fn a_client_does_not_use_its_own_route_that_reflectors_bring_back() {
    let mut world = two_reflectors(false);
    check_standings(&mut world, 0, "books", &[Standing::Best, Standing::Rejected(RejectReason::Younger)]);
    let round = Standing::Rejected(RejectReason::PathLoop);
    check_standings(&mut world, 2, "books", &[Standing::Best, round, round]);
}

#[test]
fn a_route_whose_path_is_full_goes_no_further() {
    let mut world = network(6, &[]);
    let edits = vec![Edit::Prepend(16)];
    let rule = Rule { name: String::new(), when: vec![], edits, then: Then::Accept };
    let longer = Arc::new(Policy::new(vec![rule]).expect("a policy"));
    for node in 1..6 {
        world.peer_with(node - 1, node, |_, config| config.export = Some(Arc::clone(&longer)));
    }
    world.run(SOON);
    world.announce(0, &service("books"), attributes(0));
    world.run(SOON);
    let length = |node| world.best(node, &service("books")).map(|b| b.path.len());
    assert_eq!([1, 2, 3, 4].map(length), [Some(17), Some(34), Some(51), None]);
    let now = world.local_time(3);
    let told = world.router(3).explain(&service("books"), now).told;
    assert_eq!(told[1].2, Err(ExportRefusal::DeniedByRule(0)));
}

#[test]
fn well_known_tags_keep_routes_where_they_are() {
    let mut world = network(3, &[(0, 1), (1, 2)]);
    world.announce(2, &service("quiet"), tagged(Tag::NO_ADVERTISE));
    world.announce(2, &service("inside"), tagged(Tag::NO_EXPORT));
    world.run(SOON);
    check_way(&world, 1, "quiet", None);
    check_way(&world, 0, "inside", Some(&["n1", "n2"]));
}

#[test]
fn an_unhealthy_service_is_used_only_where_there_is_no_other() {
    let mut world = network(3, &[(0, 1), (1, 2)]);
    let mut ill = attributes(0);
    ill.health = Health::Unhealthy;
    world.announce(1, &service("books"), ill);
    world.run(SOON);
    check_way(&world, 0, "books", Some(&["n1"]));
    world.announce(2, &service("books"), attributes(0));
    world.run(SOON);
    check_way(&world, 0, "books", Some(&["n1", "n2"]));
}
