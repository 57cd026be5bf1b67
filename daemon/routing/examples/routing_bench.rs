//! What the router costs: `cargo run --release --example routing_bench [-- ROUTES PEERS]`.
//!
//! One peer announces ROUTES services, 20 to a set of attributes, with four organisations in the path and two tags;
//! PEERS other peers are told of all. All are of other organisations, and a policy lets everything pass. Sessions are in
//! the process: what is measured is the router, not the encoding nor the network, but with the making of the input. Each
//! peer's count and checksum is compared with what was announced. Each line is a process of its own, so that its peak
//! memory is its own.

use std::num::NonZeroU8;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalyst_routing::attributes::{Attributes, Host, NextHop, Origin};
use catalyst_routing::damping::DampingConfig;
use catalyst_routing::fsm::{ConnectionId, PeerId};
use catalyst_routing::message::{
    Announcement, Capabilities, HoldTime, Instance, Message, Open, Outgoing, Update, VERSION,
};
use catalyst_routing::name::{NodeId, OrgName, ServiceName};
use catalyst_routing::path::{Hop, Path};
use catalyst_routing::policy::Policy;
use catalyst_routing::router::{AllowedOrigins, Event, NodeConfig, PeerConfig, RouteLimit, Router};
use catalyst_routing::service::{Protocol, Service};
use catalyst_routing::tag::{Tag, Tags};
use catalyst_routing::time::Time;

const ROUTES_PER_SET: usize = 20;
const SETS_PER_MESSAGE: usize = 25;
const CHANGES: usize = 2_000;
const SENDER: ConnectionId = ConnectionId(0);
const NOW: Time = Time::from_millis(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Result<Vec<usize>, _> = arguments.iter().map(|a| a.parse()).collect();
    match numbers.as_deref() {
        Ok([]) => all(),
        Ok([routes, peers]) => {
            one(*routes, *peers);
            ExitCode::SUCCESS
        }
        Ok(_) | Err(_) => {
            eprintln!("usage: routing_bench [ROUTES PEERS], both numbers");
            ExitCode::FAILURE
        }
    }
}

fn all() -> ExitCode {
    println!(
        "{:>9} {:>5} | {:>8} {:>8} {:>7} | {:>9} | {:>9} {:>9} | {:>9}",
        "routes", "peers", "wall s", "CPU s", "RSS MB", "withdraw", "p50 µs", "p99 µs", "input s"
    );
    let me = std::env::current_exe().expect("this program has a path");
    for routes in [10_000, 100_000, 1_000_000] {
        for peers in [1, 10, 50] {
            let status = Command::new(&me).args([routes.to_string(), peers.to_string()]).status();
            if !status.is_ok_and(|s| s.success()) {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn one(routes: usize, peers: usize) {
    let input = cpu();
    let made: usize = messages(routes, 0).map(|m| std::hint::black_box(m).1).sum();
    let input = cpu() - input;
    assert_eq!(made, routes);

    let mut bench = Bench::new(peers);
    let (wall, start) = (Instant::now(), cpu());
    let mut expected = 0_u64;
    for (update, _) in messages(routes, 0) {
        expected = expected.wrapping_add(checksum(&update));
        bench.receive(update);
        bench.deliver();
    }
    let (wall, used) = (wall.elapsed(), cpu() - start);
    bench.check(routes, expected);
    let peak = peak_memory();

    let changes = bench.changes(routes);
    let wall_withdraw = Instant::now();
    for (update, _) in messages(routes, 0) {
        let withdraw = update.announce.into_iter().flat_map(|a| a.services).collect();
        bench.receive(Update { withdraw, ..Update::default() });
        bench.deliver();
    }
    let wall_withdraw = wall_withdraw.elapsed();
    bench.check_withdrawn(routes);

    let at = |percent: usize| changes[(changes.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    println!(
        "{routes:>9} {peers:>5} | {:>8.3} {:>8.3} {:>7.1} | {:>9.3} | {:>9.1} {:>9.1} | {:>9.3}",
        wall.as_secs_f64(),
        used.as_secs_f64(),
        peak,
        wall_withdraw.as_secs_f64(),
        at(50),
        at(99),
        input.as_secs_f64(),
    );
}

/// A peer that is told: how much, and a checksum of it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Heard {
    announced: usize,
    withdrawn: usize,
    checksum: u64,
}

struct Bench {
    router: Router,
    heard: Vec<Heard>,
    /// The message counted last: peers that are told the same mostly get it one after the other.
    last: Option<(Arc<Outgoing>, Heard)>,
}

impl Bench {
    fn new(peers: usize) -> Self {
        let next_hop = NextHop::new(Host::Address([10, 0, 0, 1].into()), 10_000).expect("a port");
        let id = peer_id("me.example", "me");
        let node = NodeConfig {
            cluster: id.node.clone(),
            id,
            instance: Instance(1),
            seed: 1,
            next_hop,
            multipath: NonZeroU8::MIN,
            restart_secs: 0,
            restarting: false,
            damping: DampingConfig::default(),
        };
        let mut router = Router::new(node, NOW);
        let everything = Arc::new(Policy::with_default(vec![], true).expect("no rule is bad"));
        for number in 0..=peers {
            let id = peer_id(&format!("peer{number}.example"), "n");
            let mut config = PeerConfig::new(id.clone());
            config.passive = true;
            (config.import, config.export) = (Some(Arc::clone(&everything)), Some(Arc::clone(&everything)));
            config.external.origins = AllowedOrigins::Any;
            config.route_limit = RouteLimit { max: u32::MAX, ..RouteLimit::default() };
            router.handle(Event::ConfigurePeer(Box::new(config)), NOW);
            let connection = ConnectionId(number as u64);
            router.handle(Event::Accepted { connection, proved: None }, NOW);
            let open = Open {
                version: VERSION,
                org: id.org,
                node: id.node,
                instance: Instance(number as u64),
                sequence: 1,
                hold_time: HoldTime::OFF,
                capabilities: Capabilities::default(),
            };
            router.handle(Event::Received { connection, message: Message::Open(open) }, NOW);
            router.handle(Event::Received { connection, message: Message::Keepalive }, NOW);
        }
        let mut bench = Self { router, heard: vec![Heard::default(); peers], last: None };
        // The first telling, of nothing, is over before anything is measured.
        bench.deliver();
        bench
    }

    fn receive(&mut self, update: Update) {
        let event = Event::Received { connection: SENDER, message: Message::Update(update) };
        self.router.handle(event, NOW);
    }

    /// Every peer takes all that there is for it.
    fn deliver(&mut self) {
        for connection in 0..=self.heard.len() {
            while let Some(message) = self.router.next_message(ConnectionId(connection as u64), NOW) {
                let heard = self.count(message);
                if connection > 0 {
                    let total = &mut self.heard[connection - 1];
                    total.announced += heard.announced;
                    total.withdrawn += heard.withdrawn;
                    total.checksum = total.checksum.wrapping_add(heard.checksum);
                } else {
                    assert_eq!(heard, Heard::default(), "the sender is told nothing of its own");
                }
            }
        }
    }

    fn count(&mut self, message: Arc<Outgoing>) -> Heard {
        if let Some((last, heard)) = &self.last
            && Arc::ptr_eq(last, &message)
        {
            return *heard;
        }
        let heard = match &message.message {
            Message::Update(update) => Heard {
                announced: update.announce.iter().map(|a| a.services.len()).sum(),
                withdrawn: update.withdraw.len(),
                checksum: checksum(update),
            },
            other => panic!("not an update: {other:?}"),
        };
        self.last = Some((message, heard));
        heard
    }

    fn check(&self, routes: usize, checksum: u64) {
        for heard in &self.heard {
            assert_eq!(
                *heard,
                Heard { announced: routes, withdrawn: 0, checksum },
                "every peer is told everything"
            );
        }
    }

    fn check_withdrawn(&self, routes: usize) {
        for heard in &self.heard {
            assert_eq!(heard.announced, routes + CHANGES);
            assert_eq!(heard.withdrawn, routes);
        }
    }

    /// One route after the other changes; how long until every peer has been told, sorted.
    fn changes(&mut self, routes: usize) -> Vec<Duration> {
        let mut taken = Vec::with_capacity(CHANGES);
        for change in 0..CHANGES {
            let route = change * 7919 % routes;
            let set = route / ROUTES_PER_SET;
            let mut attributes = attributes(set);
            attributes.med = 1_000_000 + u32::try_from(change).expect("few changes");
            let services = vec![service(set, route % ROUTES_PER_SET)];
            let announce = vec![Announcement { paths: vec![Arc::new(attributes)], services }];
            let start = Instant::now();
            self.receive(Update { announce, ..Update::default() });
            self.deliver();
            taken.push(start.elapsed());
        }
        taken.sort_unstable();
        taken
    }
}

/// The sender's messages, and how many routes each has.
fn messages(routes: usize, med: u32) -> impl Iterator<Item = (Update, usize)> {
    let sets = routes.div_ceil(ROUTES_PER_SET);
    (0..sets).step_by(SETS_PER_MESSAGE).map(move |first| {
        let mut update = Update::default();
        for set in first..(first + SETS_PER_MESSAGE).min(sets) {
            let mut attributes = attributes(set);
            attributes.med += med;
            let count = ROUTES_PER_SET.min(routes - set * ROUTES_PER_SET);
            let services = (0..count).map(|i| service(set, i)).collect();
            update.announce.push(Announcement { paths: vec![Arc::new(attributes)], services });
        }
        let routes = update.routes();
        (update, routes)
    })
}

fn service(set: usize, number: usize) -> Service {
    let name = ServiceName::new(&format!("s{number:02}.o{set:05}.example")).expect("a name");
    Service { name, protocol: Protocol::Http }
}

fn attributes(set: usize) -> Attributes {
    let origin = org(&format!("o{set:05}.example"));
    let via = ["peer0.example", "transit1.example", "transit2.example"];
    let hops = via.into_iter().map(org).chain([origin.clone()]).map(Hop::org).collect();
    let next_hop = NextHop::new(Host::Address([10, 9, 0, 1].into()), 10_000).expect("a port");
    let mut attributes = Attributes::new(Origin { org: origin, node: None }, next_hop);
    attributes.path = Path::new(hops).expect("short");
    let tag = |t: &str| Tag::new(t).expect("a tag");
    attributes.tags = Tags::new(vec![tag("public"), tag("tier:gold")]).expect("two tags");
    attributes
}

fn org(name: &str) -> OrgName {
    OrgName::new(name).expect("a name")
}

fn peer_id(org_name: &str, node: &str) -> PeerId {
    PeerId { org: org(org_name), node: NodeId::new(node).expect("a name") }
}

/// A sum over the services announced, whatever their order.
fn checksum(update: &Update) -> u64 {
    let one = |service: &Service| {
        let bytes = service.name.as_str().bytes();
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
    };
    let services = update.announce.iter().flat_map(|a| &a.services);
    services.map(one).fold(0, u64::wrapping_add)
}

/// The processor time that this process has used.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (secs, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(secs.expect("not negative"), nanos.expect("below a second"))
}

/// The most memory that this process has had at once, in megabytes.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process about itself");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("the peak is in it");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
    kilobytes / 1000.0
}
