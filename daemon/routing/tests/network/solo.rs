//! One router, and a test that plays all of its peers.

use std::sync::Arc;
use std::time::Duration;

use catalyst_routing::attributes::{Attributes, Host, NextHop, Origin};
use catalyst_routing::damping::DampingConfig;
use catalyst_routing::fsm::{ConnectionId, PeerId};
use catalyst_routing::message::{
    Announcement, Capabilities, GracefulRestart, HoldTime, Instance, Message, Open, Update, VERSION,
};
use catalyst_routing::name::{NodeId, OrgName};
use catalyst_routing::notification::NotificationCode;
use catalyst_routing::path::{Hop, Path};
use catalyst_routing::router::{Action, Event, NodeConfig, PeerConfig, Router};
use catalyst_routing::service::Service;
use catalyst_routing::time::Time;

use crate::names::{ACME, next_hop};

pub(crate) struct Solo {
    pub(crate) router: Router,
    pub(crate) now: Time,
    connections: u64,
    opens: u64,
    ready: Vec<ConnectionId>,
    /// While time passes, the peers take their updates.
    pub(crate) peers_read: bool,
}

pub(crate) fn id(org: &str, node: &str) -> PeerId {
    PeerId { org: OrgName::new(org).expect("a name"), node: NodeId::new(node).expect("a name") }
}

pub(crate) fn node_config() -> NodeConfig {
    NodeConfig {
        id: id(ACME, "me"),
        instance: Instance(1),
        seed: 1,
        next_hop: next_hop(99, 10_099),
        cluster: id(ACME, "me").node,
        multipath: std::num::NonZeroU8::MIN,
        restart_secs: 20,
        restarting: false,
        damping: DampingConfig::default(),
    }
}

/// A path in words: `acme.example/n1 other.example`.
pub(crate) fn path(text: &str) -> Path {
    let hop = |h: &str| match h.split_once('/') {
        Some((org, node)) => Hop::node(id(org, node).org, id(org, node).node),
        None => Hop::org(id(h, "x").org),
    };
    Path::new(text.split_whitespace().map(hop).collect()).expect("short")
}

/// Attributes as they are announced along `way`; the origin is the last hop.
pub(crate) fn route(way: &str) -> Attributes {
    let path = path(way);
    let last = path.last().expect("a hop").clone();
    let host = Host::Address([10, 1, 1, 1].into());
    let mut route = Attributes::new(
        Origin { org: last.org, node: last.node },
        NextHop::new(host, 10_000).expect("a port"),
    );
    route.path = path;
    route
}

pub(crate) fn announce(services: &[Service], attributes: Attributes) -> Message {
    let announce = vec![Announcement { paths: vec![Arc::new(attributes)], services: services.to_vec() }];
    Message::Update(Update { announce, ..Update::default() })
}

pub(crate) fn withdraw(services: &[Service]) -> Message {
    Message::Update(Update { withdraw: services.to_vec(), ..Update::default() })
}

pub(crate) fn end_of_rib() -> Message {
    Message::Update(Update { end_of_rib: true, ..Update::default() })
}

/// What the other side was told last before its connection was closed.
pub(crate) fn farewell(actions: &[Action], connection: ConnectionId) -> Option<NotificationCode> {
    let closed = actions.iter().any(|a| matches!(a, Action::Close { connection: c } if *c == connection));
    let said = actions.iter().find_map(|action| match action {
        Action::Send { connection: c, message } if *c == connection => match &message.message {
            Message::Notification(notification) => Some(notification.code),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(closed, said.is_some(), "who is told why is closed, and the other way round");
    said
}

impl Solo {
    pub(crate) fn new(node: NodeConfig) -> Self {
        let now = Time::from_millis(5_000);
        Self {
            router: Router::new(node, now),
            now,
            connections: 0,
            opens: 0,
            ready: Vec::new(),
            peers_read: true,
        }
    }

    pub(crate) fn handle(&mut self, event: Event) -> Vec<Action> {
        let actions = self.router.handle(event, self.now);
        let ready = actions.iter().filter_map(|a| match a {
            Action::UpdatesReady { connection } => Some(*connection),
            _ => None,
        });
        self.ready.extend(ready);
        actions
    }

    pub(crate) fn configure(&mut self, config: PeerConfig) -> Vec<Action> {
        self.handle(Event::ConfigurePeer(Box::new(config)))
    }

    pub(crate) fn connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    pub(crate) fn open(&mut self, peer: &PeerId) -> Open {
        self.opens += 1;
        let restart = GracefulRestart { restart_secs: 20, restarting: false, forwarding_preserved: true };
        Open {
            version: VERSION,
            org: peer.org.clone(),
            node: peer.node.clone(),
            instance: Instance(77),
            sequence: self.opens,
            hold_time: HoldTime::OFF,
            capabilities: Capabilities { graceful_restart: Some(restart), ..Capabilities::default() },
        }
    }

    /// Configures a peer and brings its session up, by the peer's dial.
    pub(crate) fn peer(&mut self, config: PeerConfig) -> ConnectionId {
        let peer = config.id.clone();
        self.configure(PeerConfig { passive: true, ..config });
        self.connect(&peer)
    }

    pub(crate) fn connect(&mut self, peer: &PeerId) -> ConnectionId {
        let open = self.open(peer);
        self.connect_with(open)
    }

    pub(crate) fn connect_with(&mut self, open: Open) -> ConnectionId {
        let connection = self.connection();
        self.handle(Event::Accepted { connection, proved: None });
        self.receive(connection, Message::Open(open));
        let actions = self.receive(connection, Message::Keepalive);
        assert!(actions.iter().any(|a| matches!(a, Action::SessionUp { .. })), "{actions:?}");
        connection
    }

    pub(crate) fn receive(&mut self, connection: ConnectionId, message: Message) -> Vec<Action> {
        self.handle(Event::Received { connection, message })
    }

    /// All that there is for a peer.
    pub(crate) fn pull(&mut self, connection: ConnectionId) -> Vec<Message> {
        let next = || self.router.next_message(connection, self.now);
        std::iter::from_fn(next).map(|outgoing| outgoing.message.clone()).collect()
    }

    /// Lets time pass, with every tick on the way.
    pub(crate) fn wait(&mut self, duration: Duration) -> Vec<Action> {
        let end = self.now + duration;
        let mut actions = Vec::new();
        loop {
            if self.peers_read {
                for connection in std::mem::take(&mut self.ready) {
                    self.pull(connection);
                }
            }
            let Some(at) = self.router.next_deadline().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            actions.extend(self.handle(Event::Tick));
        }
        self.now = end;
        actions
    }

    /// Whether a service can be reached, in either table.
    pub(crate) fn knows(&mut self, service: &Service) -> bool {
        self.router.snapshot().resolve(service).is_some()
    }
}
