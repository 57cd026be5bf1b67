//! A simulated network of routers: virtual time, links with delay that lose, stall and break, nodes that crash and whose
//! clocks differ. Everything follows from the seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use catalyst_routing::attributes::Attributes;
use catalyst_routing::damping::DampingConfig;
use catalyst_routing::fsm::{ConnectionId, PeerId};
use catalyst_routing::message::{HoldTime, Instance, Outgoing};
use catalyst_routing::name::NodeId;
use catalyst_routing::random::Random;
use catalyst_routing::router::{Action, Event, NodeConfig, PeerConfig, Router};
use catalyst_routing::service::Service;
use catalyst_routing::snapshot::Snapshot;
use catalyst_routing::time::Time;

use crate::names::{next_hop, org};

pub(crate) const HOLD_SECS: u16 = 9;
pub(crate) const RESTART_SECS: u16 = 20;

/// How a link between two nodes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    Up,
    /// Connections break at once, and dials fail.
    Cut,
    /// What is sent vanishes; nobody is told.
    Silent,
}

/// One end of a connection.
#[derive(Debug)]
struct Wire {
    node: usize,
    other: ConnectionId,
    /// The last delivery planned, for order within the stream.
    last: u64,
    /// Something was lost: nothing comes through any more.
    broken: bool,
}

#[derive(Debug)]
enum Item {
    Tick { node: usize, run: u64 },
    Deliver { to: ConnectionId, message: Arc<Outgoing> },
    Close { to: ConnectionId },
    Pull { from: ConnectionId },
    Dialled { node: usize, run: u64, peer: usize },
    DialFailed { node: usize, run: u64, peer: usize },
}

pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) router: Option<Router>,
    pub(crate) peers: BTreeMap<usize, PeerConfig>,
    /// What it offers, across restarts.
    pub(crate) services: BTreeMap<Service, Attributes>,
    pub(crate) config: NodeConfig,
    /// Its clock: so far ahead, and so many millionths too quick.
    pub(crate) ahead: u64,
    pub(crate) ppm: i64,
    run: u64,
    tick_at: Option<u64>,
    pub(crate) seen: Arc<Snapshot>,
    /// What it was told to tell people.
    pub(crate) log: Vec<Action>,
}

impl Node {
    fn local(&self, now: u64) -> Time {
        let drift = i64::try_from(now).expect("short runs") * self.ppm / 1_000_000;
        Time::from_millis(now.checked_add_signed(drift).expect("small drift") + self.ahead)
    }
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) random: Random,
    links: BTreeMap<(usize, usize), LinkState>,
    wires: BTreeMap<ConnectionId, Wire>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    items: BTreeMap<u64, Item>,
    next: u64,
    /// Milliseconds a message takes at most.
    pub(crate) delay: u64,
    /// Of how many messages one is lost, and with it the connection; 0 is none.
    pub(crate) loss: u64,
    pub(crate) settings: NodeSettings,
}

/// What the tests change about a node before it starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeSettings {
    pub(crate) multipath: u8,
    pub(crate) restart_secs: u16,
    pub(crate) damping: DampingConfig,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self { multipath: 1, restart_secs: RESTART_SECS, damping: DampingConfig::default() }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: 1_000,
            nodes: Vec::new(),
            random: Random::seeded(seed),
            links: BTreeMap::new(),
            wires: BTreeMap::new(),
            queue: BinaryHeap::new(),
            items: BTreeMap::new(),
            next: 1,
            delay: 1,
            loss: 0,
            settings: NodeSettings::default(),
        }
    }

    /// Adds a running node and gives its number.
    pub(crate) fn add_node(&mut self, org_name: &str) -> usize {
        let number = self.nodes.len();
        let node = NodeId::new(&format!("n{number}")).expect("a name");
        let last = u8::try_from(number + 1).expect("few nodes");
        let config = NodeConfig {
            id: PeerId { org: org(org_name), node: node.clone() },
            instance: Instance(0),
            seed: 0,
            // Ports differ, so that one taken for another is seen.
            next_hop: next_hop(last, 10_000 + u16::from(last)),
            cluster: node,
            multipath: NonZeroU8::new(self.settings.multipath).expect("not 0"),
            restart_secs: self.settings.restart_secs,
            restarting: false,
            damping: self.settings.damping,
        };
        let mut router = Router::new(config.clone(), Time::ZERO);
        let seen = router.snapshot();
        self.nodes.push(Node {
            id: config.id.clone(),
            router: None,
            peers: BTreeMap::new(),
            services: BTreeMap::new(),
            config,
            ahead: 0,
            ppm: 0,
            run: 0,
            tick_at: None,
            seen,
            log: Vec::new(),
        });
        self.start(number, false);
        number
    }

    /// Makes two nodes peers, with what `change` does to each one's view of the other.
    pub(crate) fn peer_with(&mut self, a: usize, b: usize, change: impl Fn(usize, &mut PeerConfig)) {
        for (me, other) in [(a, b), (b, a)] {
            let mut config = PeerConfig::new(self.nodes[other].id.clone());
            config.hold_time = HoldTime::from_secs(HOLD_SECS).expect("acceptable");
            change(me, &mut config);
            self.configure(me, other, config);
        }
    }

    pub(crate) fn peer(&mut self, a: usize, b: usize) {
        self.peer_with(a, b, |_, _| {});
    }

    pub(crate) fn configure(&mut self, node: usize, peer: usize, config: PeerConfig) {
        self.nodes[node].peers.insert(peer, config.clone());
        self.event(node, Event::ConfigurePeer(Box::new(config)));
    }

    /// Changes how `node` sees `peer`, at run time.
    pub(crate) fn reconfigure(&mut self, node: usize, peer: usize, change: impl FnOnce(&mut PeerConfig)) {
        let mut config = self.nodes[node].peers[&peer].clone();
        change(&mut config);
        self.configure(node, peer, config);
    }

    pub(crate) fn announce(&mut self, node: usize, name: &Service, attributes: Attributes) {
        self.nodes[node].services.insert(name.clone(), attributes.clone());
        self.event(node, Event::Announce(name.clone(), Box::new(attributes)));
    }

    pub(crate) fn withdraw(&mut self, node: usize, name: &Service) {
        self.nodes[node].services.remove(name);
        self.event(node, Event::Withdraw(name.clone()));
    }

    /// Starts a node's control plane, with its configuration and services. After a crash it says so.
    pub(crate) fn start(&mut self, node: usize, restarting: bool) {
        let (instance, seed) = (Instance(self.random.next_u64()), self.random.next_u64());
        let n = &mut self.nodes[node];
        n.config.instance = instance;
        n.config.seed = seed;
        n.config.restarting = restarting;
        n.run += 1;
        n.tick_at = None;
        let mut router = Router::new(n.config.clone(), n.local(self.now));
        n.seen = router.snapshot();
        n.router = Some(router);
        let (peers, services) = (n.peers.clone(), n.services.clone());
        for (service, attributes) in services {
            self.event(node, Event::Announce(service, Box::new(attributes)));
        }
        for config in peers.into_values() {
            self.event(node, Event::ConfigurePeer(Box::new(config)));
        }
    }

    /// Kills a node's control plane. Others notice at once, or find out by their timers.
    pub(crate) fn crash(&mut self, node: usize, noticed: bool) {
        self.nodes[node].router = None;
        let mine: Vec<_> = self.wires.iter().filter(|(_, w)| w.node == node).map(|(id, _)| *id).collect();
        for id in mine {
            self.drop_end(id, noticed);
        }
        self.check_seen(node);
    }

    /// Changes a link. One that is cut breaks its connections.
    pub(crate) fn set_link(&mut self, a: usize, b: usize, state: LinkState) {
        self.links.insert((a.min(b), a.max(b)), state);
        if state == LinkState::Cut {
            let across: Vec<_> = self.wires.iter().filter(|(_, w)| w.node == a).map(|(id, _)| *id).collect();
            for id in across {
                if self.other_node(id) == Some(b) {
                    self.reset(id);
                }
            }
        }
    }

    pub(crate) fn link(&self, a: usize, b: usize) -> LinkState {
        self.links.get(&(a.min(b), a.max(b))).copied().unwrap_or(LinkState::Up)
    }

    /// Both ends of a connection see it break.
    fn reset(&mut self, id: ConnectionId) {
        let Some(other) = self.wires.get(&id).map(|w| w.other) else { return };
        for end in [id, other] {
            if let Some(wire) = self.wires.get_mut(&end) {
                wire.broken = true;
                self.plan(1, Item::Close { to: end });
            }
        }
    }

    fn other_node(&self, id: ConnectionId) -> Option<usize> {
        self.wires.get(&self.wires.get(&id)?.other).map(|w| w.node)
    }

    fn drop_end(&mut self, id: ConnectionId, tell: bool) {
        let Some(wire) = self.wires.remove(&id) else { return };
        let link = self.wires.get(&wire.other).map(|other| self.link(wire.node, other.node));
        match link {
            Some(LinkState::Up) if tell && !wire.broken => {
                let at = wire.last.max(self.now) + 1;
                self.plan_at(at, Item::Close { to: wire.other });
            }
            Some(LinkState::Up | LinkState::Cut | LinkState::Silent) | None => {}
        }
    }

    fn plan(&mut self, after: u64, item: Item) {
        self.plan_at(self.now + after, item);
    }

    fn plan_at(&mut self, at: u64, item: Item) {
        self.next += 1;
        self.queue.push(Reverse((at, self.next)));
        self.items.insert(self.next, item);
    }

    fn some_delay(&mut self) -> u64 {
        1 + self.random.below(self.delay)
    }

    /// Hands an event to a node that runs, and does what it wants.
    pub(crate) fn event(&mut self, node: usize, event: Event) {
        let now = self.nodes[node].local(self.now);
        let Some(router) = &mut self.nodes[node].router else { return };
        let actions = router.handle(event, now);
        for action in actions {
            self.perform(node, action);
        }
        self.plan_tick(node);
    }

    fn perform(&mut self, node: usize, action: Action) {
        match action {
            Action::Dial { peer } => self.dial(node, &peer),
            Action::Send { connection, message } => self.send(connection, message),
            Action::Close { connection } => self.drop_end(connection, true),
            Action::UpdatesReady { connection } => {
                let after = self.some_delay();
                self.plan(after, Item::Pull { from: connection });
            }
            Action::RoutesChanged => self.check_seen(node),
            Action::SessionUp { .. }
            | Action::SessionDown { .. }
            | Action::RoutesRefused { .. }
            | Action::RouteLimitNear { .. }
            | Action::KeysLearned { .. }
            | Action::Rejected(_) => self.nodes[node].log.push(action),
        }
    }

    fn dial(&mut self, node: usize, peer: &PeerId) {
        let run = self.nodes[node].run;
        let peer = self.nodes.iter().position(|n| n.id == *peer).expect("peers are nodes");
        let runs = self.nodes[peer].router.is_some();
        let (after, item) = match self.link(node, peer) {
            LinkState::Up if runs => (self.some_delay(), Item::Dialled { node, run, peer }),
            LinkState::Up | LinkState::Cut => (self.some_delay(), Item::DialFailed { node, run, peer }),
            LinkState::Silent => (10_000, Item::DialFailed { node, run, peer }),
        };
        self.plan(after, item);
    }

    /// Both ends of a connection that a dial has made.
    pub(crate) fn connect(&mut self, node: usize, peer: usize) -> (ConnectionId, ConnectionId) {
        let ends = (ConnectionId(self.next + 1), ConnectionId(self.next + 2));
        self.next += 2;
        let wire = |node, other| Wire { node, other, last: 0, broken: false };
        self.wires.insert(ends.0, wire(node, ends.1));
        self.wires.insert(ends.1, wire(peer, ends.0));
        ends
    }

    fn send(&mut self, from: ConnectionId, message: Arc<Outgoing>) {
        let Some(wire) = self.wires.get(&from) else { return };
        if wire.broken {
            return;
        }
        let (a, to) = (wire.node, wire.other);
        let Some(b) = self.other_node(from) else { return };
        let lost = self.loss > 0 && self.random.below(self.loss) == 0;
        if lost || self.link(a, b) != LinkState::Up {
            self.wires.get_mut(&from).expect("found above").broken = true;
            // Half of the time the other side is told.
            if lost && self.random.below(2) == 0 {
                self.reset(from);
            }
            return;
        }
        let delay = self.some_delay();
        let wire = self.wires.get_mut(&from).expect("found above");
        wire.last = wire.last.max(self.now + delay);
        let at = wire.last;
        self.plan_at(at, Item::Deliver { to, message });
    }

    fn plan_tick(&mut self, node: usize) {
        let n = &self.nodes[node];
        let Some(deadline) = n.router.as_ref().and_then(Router::next_deadline) else { return };
        // The local clock may run slow: look again if it is not yet time.
        let wait = deadline.since(n.local(self.now));
        let wait = u64::try_from(wait.as_millis()).expect("short waits");
        let at = self.now + wait.max(1);
        if n.tick_at.is_some_and(|planned| planned <= at && planned > self.now) {
            return;
        }
        let run = n.run;
        self.nodes[node].tick_at = Some(at);
        self.plan_at(at, Item::Tick { node, run });
    }

    /// Lets the network do its work for a while.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + u64::try_from(duration.as_millis()).expect("short runs");
        while let Some(Reverse((at, number))) = self.queue.peek().copied() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.now = self.now.max(at);
            let item = self.items.remove(&number).expect("planned");
            self.happen(item);
        }
        self.now = end;
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Tick { node, run } => {
                if self.nodes[node].run != run {
                    return;
                }
                self.nodes[node].tick_at = None;
                let now = self.nodes[node].local(self.now);
                let due = self.nodes[node].router.as_ref().and_then(Router::next_deadline);
                if due.is_some_and(|due| due <= now) {
                    self.event(node, Event::Tick);
                } else {
                    self.plan_tick(node);
                }
            }
            Item::Deliver { to, message } => {
                let Some(wire) = self.wires.get(&to) else { return };
                let (node, message) = (wire.node, message.message.clone());
                self.event(node, Event::Received { connection: to, message });
            }
            Item::Close { to } => {
                if let Some(wire) = self.wires.remove(&to) {
                    self.event(wire.node, Event::Closed { connection: to });
                }
            }
            Item::Pull { from } => {
                let Some(wire) = self.wires.get(&from) else { return };
                let node = wire.node;
                let now = self.nodes[node].local(self.now);
                let Some(router) = &mut self.nodes[node].router else { return };
                if let Some(message) = router.next_message(from, now) {
                    self.send(from, message);
                    let after = self.random.below(self.delay);
                    self.plan(after, Item::Pull { from });
                }
            }
            Item::Dialled { node, run, peer } => self.connected(node, run, peer),
            Item::DialFailed { node, run, peer } => {
                if self.nodes[node].run == run {
                    let peer = self.nodes[peer].id.clone();
                    self.event(node, Event::DialFailed { peer });
                }
            }
        }
    }

    fn connected(&mut self, node: usize, run: u64, peer: usize) {
        if self.nodes[node].run != run || self.nodes[node].router.is_none() {
            return;
        }
        let id = self.nodes[peer].id.clone();
        if self.nodes[peer].router.is_none() || self.link(node, peer) != LinkState::Up {
            return self.event(node, Event::DialFailed { peer: id });
        }
        let (mine, theirs) = self.connect(node, peer);
        let secure = self.random.below(2) == 0;
        let proved = |n: &Node| secure.then(|| n.id.clone());
        let (me, them) = (proved(&self.nodes[node]), proved(&self.nodes[peer]));
        self.event(peer, Event::Accepted { connection: theirs, proved: me });
        self.event(node, Event::Dialled { peer: id, connection: mine, proved: them });
    }

    /// Looks at a node's routes after each change: nothing it uses may loop.
    fn check_seen(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        let Some(router) = &mut n.router else { return };
        let snapshot = router.snapshot();
        let old = std::mem::replace(&mut n.seen, Arc::clone(&snapshot));
        for change in snapshot.internal.changes_since(&old.internal) {
            check_change(&n.id, change);
        }
        for change in snapshot.external.changes_since(&old.external) {
            check_change(&n.id, change);
        }
    }

    /// What a node uses for a service: the hops of its best path, nearest first.
    pub(crate) fn best(&self, node: usize, name: &Service) -> Option<Arc<Attributes>> {
        let snapshot = &self.nodes[node].seen;
        let paths = snapshot.internal.get(name).or_else(|| snapshot.external.get(name))?;
        Some(Arc::clone(&paths[0].attributes))
    }

    pub(crate) fn router(&mut self, node: usize) -> &mut Router {
        self.nodes[node].router.as_mut().expect("the node runs")
    }

    pub(crate) fn local_time(&self, node: usize) -> Time {
        self.nodes[node].local(self.now)
    }

    /// Every pair of peers, once.
    pub(crate) fn pairs(&self) -> BTreeSet<(usize, usize)> {
        let pairs = self.nodes.iter().enumerate().flat_map(|(a, n)| n.peers.keys().map(move |b| (a, *b)));
        pairs.map(|(a, b)| (a.min(b), a.max(b))).collect()
    }
}

fn check_change(me: &PeerId, change: catalyst_routing::snapshot::RouteChange<'_>) {
    use catalyst_routing::snapshot::RouteChange;
    let (service, paths) = match change {
        RouteChange::Added(service, paths) | RouteChange::Changed(service, paths) => (service, paths),
        RouteChange::Removed(_) => return,
    };
    for path in paths.iter() {
        // A policy may repeat a hop to make the path longer.
        let mut hops = path.attributes.path.hops().to_vec();
        hops.dedup();
        let distinct: BTreeSet<_> = hops.iter().collect();
        assert_eq!(distinct.len(), hops.len(), "{service}: a loop in {:?}", path.attributes.path);
        let through_me = path.attributes.path.loops_through(&me.org, &me.node);
        assert!(!through_me, "{service}: {me} uses a path through itself: {:?}", path.attributes.path);
    }
}
