//! Whole lives of small networks, by seed: changes, losses, partitions, crashes, clocks that differ. Invariants hold all
//! the time, and once the network is well again, everybody agrees.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use catalyst_routing::attributes::Attributes;
use catalyst_routing::fsm::State;
use catalyst_routing::name::NodeId;
use catalyst_routing::policy::{Condition, Policy, Rule, Then};
use catalyst_routing::router::{AllowedOrigins, Event, Mesh, RESTART_DEFERRAL, Reset};
use catalyst_routing::service::Service;
use catalyst_routing::snapshot::{RouteSource, SelectedPaths};

use crate::names::{attributes, org, service};
use crate::world::{HOLD_SECS, LinkState, NodeSettings, RESTART_SECS, World};

/// What no clock of ours runs faster or slower by, in millionths.
const MAX_PPM: u64 = 20_000;
/// Beyond hold and restart time: a restarted node's wait for its peers, dials, delays, and clocks that run slow.
const SLACK: u64 = 5_000 + RESTART_DEFERRAL.as_secs() * 1000;
/// How long a network that is well again may take: a silent connection has to be noticed, a dial may be due in a minute,
/// may then wait for its Open in vain, and stale routes live for the restart time.
const HEALING: Duration = Duration::from_secs(HOLD_SECS as u64 + RESTART_SECS as u64 + 2 * 60 + 40);

const ORGS: [&str; 3] = ["acme.example", "books.example", "carts.example"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One organisation, any connected topology.
    Mesh,
    /// One organisation, all nodes clients of one or two route reflectors.
    Reflected,
    /// Several organisations with policies between them.
    Organisations,
}

struct Life {
    world: World,
    kind: Kind,
    /// What is not offered any more, since when.
    gone: BTreeMap<(usize, Service), u64>,
    disturbed: u64,
    version: u32,
}

/// Lives through one seed; panics where an invariant is broken.
pub(crate) fn live(seed: u64) {
    let mut life = Life::new(seed);
    let settle = life.below(60_000);
    life.run(30_000 + settle);
    for _ in 0..20 + life.below(30) {
        life.disturb();
        let pause = match life.below(4) {
            0 => 30_000,
            1 => 3_000,
            _ => 400,
        };
        let pause = life.below(pause);
        life.run(pause);
    }
    life.heal();
    life.world.run(HEALING);
    life.check_ghosts();
    life.check_agreement();
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let kind = match world.random.below(4) {
            0 => Kind::Reflected,
            1 => Kind::Organisations,
            _ => Kind::Mesh,
        };
        world.settings = NodeSettings {
            multipath: 1 + u8::try_from(world.random.below(3)).expect("small"),
            restart_secs: if world.random.below(3) == 0 { 0 } else { RESTART_SECS },
            ..NodeSettings::default()
        };
        world.delay = [1, 20, 400][small(world.random.below(3))];
        let mut life = Self { world, kind, gone: BTreeMap::new(), disturbed: 0, version: 0 };
        life.build();
        life
    }

    fn build(&mut self) {
        let nodes = 2 + small(self.below(7));
        for i in 0..nodes {
            let name = match self.kind {
                Kind::Mesh | Kind::Reflected => ORGS[0],
                Kind::Organisations => ORGS[i % ORGS.len()],
            };
            let node = self.world.add_node(name);
            self.world.nodes[node].ahead = self.below(1_000_000);
            let ppm = i64::try_from(self.below(2 * MAX_PPM)).expect("small");
            self.world.nodes[node].ppm = ppm - i64::try_from(MAX_PPM).expect("small");
            // Clocks are set before anything is timed by them.
            self.world.start(node, false);
        }
        if self.kind == Kind::Reflected && nodes > 2 && self.below(2) == 0 {
            // Two reflectors of one cluster.
            let cluster = NodeId::new("cluster-1").expect("a name");
            self.world.nodes[0].config.cluster = cluster.clone();
            self.world.nodes[1].config.cluster = cluster;
            self.world.start(0, false);
            self.world.start(1, false);
        }
        for (a, b) in self.edges(nodes) {
            self.connect(a, b);
        }
        for node in 0..nodes {
            for i in 0..1 + self.below(3) {
                let name = self.name_of(node, i);
                self.offer(node, &name);
            }
        }
        self.world.loss = if self.below(2) == 0 { 0 } else { 100 + self.below(2000) };
    }

    /// A connected topology.
    fn edges(&mut self, nodes: usize) -> BTreeSet<(usize, usize)> {
        let mut edges = BTreeSet::new();
        if self.kind == Kind::Reflected {
            let reflectors = if nodes > 2 { 2 } else { 1 };
            for reflector in 0..reflectors {
                edges.extend((reflector + 1..nodes).map(|client| (reflector, client)));
            }
            return edges;
        }
        for b in 1..nodes {
            edges.insert((small(self.below(b as u64)), b));
        }
        for _ in 0..self.below(nodes as u64 + 1) {
            let (a, b) = (small(self.below(nodes as u64)), small(self.below(nodes as u64)));
            if a != b {
                edges.insert((a.min(b), a.max(b)));
            }
        }
        edges
    }

    fn connect(&mut self, a: usize, b: usize) {
        let passive = match self.below(6) {
            0 => Some(a),
            1 => Some(b),
            _ => None,
        };
        let paths = [self.below(3), self.below(3)].map(|p| u8::try_from(p + 1).expect("small"));
        let external = self.world.nodes[a].id.org != self.world.nodes[b].id.org;
        let kind = self.kind;
        let two_reflectors = self.world.nodes.len() > 2;
        self.world.peer_with(a, b, |me, config| {
            config.passive = passive == Some(me);
            config.max_paths = NonZeroU8::new(paths[usize::from(me == a)]).expect("not 0");
            if kind == Kind::Reflected {
                let reflector = me == 0 || (two_reflectors && me == 1);
                let peer_reflects = two_reflectors && a == 0 && b == 1;
                config.mesh = if reflector && !peer_reflects { Mesh::Client } else { Mesh::NonClient };
            }
            if external {
                config.import = Some(policy(vec![]));
                config.export = Some(policy(vec![private()]));
                config.external.origins = AllowedOrigins::Any;
            }
        });
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.world.random.below(bound)
    }

    fn run(&mut self, millis: u64) {
        let mut left = millis;
        while left > 0 {
            let step = left.min(1_000);
            self.world.run(Duration::from_millis(step));
            self.check_ghosts();
            left -= step;
        }
    }

    fn name_of(&mut self, node: usize, number: u64) -> Service {
        let org_name = self.world.nodes[node].id.org.clone();
        let kind = match self.below(4) {
            // Several nodes offer these.
            0 => format!("shared-{number}"),
            1 => format!("private-{node}-{number}"),
            _ => format!("own-{node}-{number}"),
        };
        service(&format!("{kind}.{org_name}"))
    }

    fn offer(&mut self, node: usize, name: &Service) {
        self.version += 1;
        let attributes = attributes(self.version);
        if self.world.nodes[node].router.is_some() {
            self.gone.remove(&(node, name.clone()));
        }
        self.world.announce(node, name, attributes);
    }

    fn disturb(&mut self) {
        let nodes = self.world.nodes.len() as u64;
        let node = small(self.below(nodes));
        let pairs: Vec<_> = self.world.pairs().into_iter().collect();
        let (a, b) = pairs[small(self.below(pairs.len() as u64))];
        let runs = self.world.nodes[node].router.is_some();
        let some: Vec<_> = self.world.nodes[node].services.keys().cloned().collect();
        match self.below(12) {
            0 | 1 => {
                let number = self.below(5);
                let name = self.name_of(node, number);
                self.offer(node, &name);
            }
            2 | 3 if !some.is_empty() => {
                let name = some[small(self.below(some.len() as u64))].clone();
                self.offer(node, &name);
            }
            4 if !some.is_empty() => {
                let name = some[small(self.below(some.len() as u64))].clone();
                self.world.withdraw(node, &name);
                self.gone.entry((node, name)).or_insert(self.world.now);
            }
            5 => self.set_link(a, b, LinkState::Cut),
            6 => self.set_link(a, b, LinkState::Silent),
            7 => self.set_link(a, b, LinkState::Up),
            8 if runs => {
                let noticed = self.below(2) == 0;
                self.disturbed = self.world.now;
                self.world.crash(node, noticed);
                for name in some {
                    self.gone.entry((node, name)).or_insert(self.world.now);
                }
            }
            8 | 9 => self.start(node),
            _ => {
                let reset = [Reset::Hard, Reset::SoftIn, Reset::SoftOut][small(self.below(3))];
                self.disturbed = self.world.now;
                let peer = self.world.nodes[b].id.clone();
                self.world.event(a, Event::ResetPeer(peer, reset));
            }
        }
    }

    fn set_link(&mut self, a: usize, b: usize, state: LinkState) {
        self.disturbed = self.world.now;
        self.world.set_link(a, b, state);
    }

    fn start(&mut self, node: usize) {
        if self.world.nodes[node].router.is_none() {
            self.disturbed = self.world.now;
            self.gone
                .retain(|(n, name), _| *n != node || !self.world.nodes[node].services.contains_key(name));
            let graceful = self.below(2) == 0;
            self.world.start(node, graceful);
        }
    }

    fn heal(&mut self) {
        self.world.loss = 0;
        for (a, b) in self.world.pairs() {
            self.set_link(a, b, LinkState::Up);
        }
        for node in 0..self.world.nodes.len() {
            self.start(node);
        }
    }

    fn offers(&self, node: usize, name: &Service) -> bool {
        let node = &self.world.nodes[node];
        node.router.is_some() && node.services.contains_key(name)
    }

    /// No route outlives its origin by more than hold and restart time, counted from the last fault; nor by that for each
    /// node there is, whatever the faults: each may find out as late as it can.
    fn check_ghosts(&self) {
        let now = self.world.now;
        let once = u64::from(HOLD_SECS + RESTART_SECS) * 1_020 + SLACK;
        for (number, node) in self.world.nodes.iter().enumerate().filter(|(_, n)| n.router.is_some()) {
            let internal = node.seen.internal.iter();
            for (name, paths) in internal.chain(node.seen.external.iter()) {
                self.check_private(number, name);
                for path in paths.iter() {
                    let Some(since) = self.gone_since(name, &path.attributes) else { continue };
                    let always = once * self.world.nodes.len() as u64;
                    let who = &node.id;
                    assert!(now - since <= always, "{who} has had {name} for {} ms too long", now - since);
                    if self.world.loss == 0 {
                        let calm = now - since.max(self.disturbed);
                        assert!(
                            calm <= once,
                            "{who} has had {name} for {calm} ms: {:?}",
                            path.attributes.path
                        );
                    }
                }
            }
        }
    }

    /// Since when nobody has offered a route; none if somebody does.
    fn gone_since(&self, name: &Service, attributes: &Attributes) -> Option<u64> {
        let origin = &attributes.origin;
        let could = |n: usize| {
            let id = &self.world.nodes[n].id;
            id.org == origin.org && origin.node.as_ref().is_none_or(|node| id.node == *node)
        };
        let candidates: Vec<_> = (0..self.world.nodes.len()).filter(|n| could(*n)).collect();
        if candidates.iter().any(|n| self.offers(*n, name)) {
            return None;
        }
        let since = candidates.iter().filter_map(|n| self.gone.get(&(*n, name.clone()))).max();
        Some(*since.expect("somebody must have offered it"))
    }

    /// What policy keeps inside an organisation is never seen outside.
    fn check_private(&self, node: usize, name: &Service) {
        let id = &self.world.nodes[node].id;
        let private = name.name.as_str().starts_with("private-");
        assert!(!private || name.name.is_under(&id.org), "{id} knows of {name}");
    }

    fn check_agreement(&mut self) {
        for (a, b) in self.world.pairs() {
            self.check_pair(a, b);
            self.check_pair(b, a);
        }
        match self.kind {
            Kind::Mesh => self.check_shortest(),
            Kind::Reflected => self.check_direct(),
            Kind::Organisations => {}
        }
    }

    /// What one side has been told is exactly what the other side says.
    fn check_pair(&mut self, teller: usize, hearer: usize) {
        let (said_by, heard_by) = (self.world.nodes[teller].id.clone(), self.world.nodes[hearer].id.clone());
        let mut said: BTreeMap<Service, Vec<Arc<Attributes>>> = BTreeMap::new();
        let advertised = self.world.router(teller).advertised_routes(&heard_by);
        let advertised = advertised.unwrap_or_else(|| panic!("{said_by} has no session with {heard_by}"));
        said.extend(advertised.map(|(_, name, paths)| (name, paths)));
        let now = self.world.local_time(hearer);
        let mut heard: BTreeMap<Service, Vec<Arc<Attributes>>> = BTreeMap::new();
        let status = self.world.router(hearer).peers(now);
        let status = status.into_iter().find(|s| *s.peer == said_by).expect("configured");
        assert!(
            matches!(status.state, State::Established { .. }),
            "{heard_by} has no session with {said_by}"
        );
        assert!(!status.stale, "{heard_by} waits for {said_by} to confirm its routes");
        // Paths are listed by what this node makes of them; the teller lists them by rank.
        for route in self.world.router(hearer).received_routes(&said_by, now).expect("configured") {
            assert!(!route.stale, "{heard_by} has a stale {} of {said_by}", route.service);
            heard.entry(route.service).or_default().push(route.received);
        }
        for paths in said.values_mut().chain(heard.values_mut()) {
            paths.sort_by_cached_key(|a| format!("{a:?}"));
        }
        for name in said.keys().chain(heard.keys()) {
            let (said, heard) = (said.get(name), heard.get(name));
            assert_eq!(said, heard, "what {said_by} says of {name} and what {heard_by} has heard");
        }
    }

    /// Everybody uses a shortest way to each service, and following it from node to node leads there.
    fn check_shortest(&self) {
        for name in self.all_services() {
            let distances = self.distances(&name);
            for (number, node) in self.world.nodes.iter().enumerate() {
                let paths = node.seen.internal.get(&name);
                let paths = paths.unwrap_or_else(|| panic!("{} does not know {name}", node.id));
                assert_eq!(paths[0].attributes.path.len(), distances[number], "{} to {name}", node.id);
                self.check_current(&name, paths);
                self.follow(number, &name);
            }
        }
    }

    /// Reflected routes go straight to their origin.
    fn check_direct(&self) {
        for name in self.all_services() {
            for (number, node) in self.world.nodes.iter().enumerate() {
                let paths = node.seen.internal.get(&name);
                let paths = paths.unwrap_or_else(|| panic!("{} does not know {name}", node.id));
                let expected = usize::from(!self.offers(number, &name));
                assert_eq!(paths[0].attributes.path.len(), expected, "{} to {name}", node.id);
                self.check_current(&name, paths);
                if let RouteSource::Peer(_) = paths[0].source {
                    let origin = self.origin(&paths[0].attributes);
                    assert_eq!(paths[0].attributes.next_hop, self.world.nodes[origin].config.next_hop);
                }
            }
        }
    }

    /// The newest attributes have arrived.
    fn check_current(&self, name: &Service, paths: &SelectedPaths) {
        let origin = self.origin(&paths[0].attributes);
        let offered = &self.world.nodes[origin].services[name];
        assert_eq!(paths[0].attributes.med, offered.med, "{name}: old attributes");
    }

    fn origin(&self, attributes: &Attributes) -> usize {
        let node = attributes.origin.node.as_ref().expect("inside the organisation");
        self.world.nodes.iter().position(|n| n.id.node == *node).expect("one of ours")
    }

    fn follow(&self, from: usize, name: &Service) {
        let mut at = from;
        for _ in 0..=self.world.nodes.len() {
            let paths = self.world.nodes[at].seen.internal.get(name).expect("checked before");
            match &paths[0].source {
                RouteSource::Local => return,
                RouteSource::Peer(peer) => {
                    at = self.world.nodes.iter().position(|n| n.id == **peer).expect("one of ours");
                    let expected = &self.world.nodes[at].config.next_hop;
                    assert_eq!(paths[0].attributes.next_hop, *expected, "{name}: next hop at {from}");
                }
            }
        }
        panic!("{name}: following the best paths from node {from} goes round");
    }

    fn all_services(&self) -> BTreeSet<Service> {
        self.world.nodes.iter().flat_map(|n| n.services.keys().cloned()).collect()
    }

    /// Hops from each node to the nearest that offers `name`.
    fn distances(&self, name: &Service) -> Vec<usize> {
        let nodes = self.world.nodes.len();
        let mut distances = vec![usize::MAX; nodes];
        let mut queue: VecDeque<usize> = (0..nodes).filter(|n| self.offers(*n, name)).collect();
        queue.iter().for_each(|n| distances[*n] = 0);
        while let Some(at) = queue.pop_front() {
            for peer in self.world.nodes[at].peers.keys() {
                if distances[*peer] == usize::MAX {
                    distances[*peer] = distances[at] + 1;
                    queue.push_back(*peer);
                }
            }
        }
        distances
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number).expect("small")
}

fn policy(rules: Vec<Rule>) -> Arc<Policy> {
    Arc::new(Policy::with_default(rules, true).expect("a policy"))
}

/// Rejects what is private.
fn private() -> Rule {
    let patterns = ORGS.map(|o| format!("private-*.{}", org(o)));
    let patterns =
        patterns.iter().map(|p| catalyst_routing::policy::ServicePattern::new(p).expect("a pattern"));
    let when = vec![Condition::Service(patterns.collect())];
    Rule { name: "private".to_owned(), when, edits: vec![], then: Then::Reject }
}
