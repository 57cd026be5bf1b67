//! Peers that come, change and go by configuration.

use std::sync::Arc;

use crate::fsm::{self, Fsm, PeerId};
use crate::message::{Capabilities, GracefulRestart, Message, Outgoing, RouteRefresh};
use crate::notification::{Notification, NotificationCode};
use crate::rib::SourceId;
use crate::router::config::{MAX_PEERS, PeerConfig};
use crate::router::event::{Action, Rejection, Reset};
use crate::router::peer::{AdjRibIn, Peer, PeerCounters};
use crate::router::{Router, is_internal};
use crate::time::Time;

impl Router {
    pub(super) fn configure_peer(&mut self, config: PeerConfig, now: Time, actions: &mut Vec<Action>) {
        if config.id == self.node.id {
            return actions.push(Action::Rejected(Rejection::OwnIdentity(config.id)));
        }
        if let Some(source) = self.peers.find(&config.id) {
            return self.reconfigure(source, config, now, actions);
        }
        if self.peers.len() == MAX_PEERS {
            return actions.push(Action::Rejected(Rejection::TooManyPeers(config.id)));
        }
        let seed = self.random.next_u64();
        let fsm = Fsm::new(self.fsm_config(&config), seed);
        let internal = is_internal(&self.node, &config.id);
        let source = self.peers.insert(&self.node, config, |source, config| Peer {
            id: Arc::new(config.id.clone()),
            config,
            source,
            internal,
            fsm,
            rib_in: AdjRibIn::default(),
            established: None,
            stale_until: None,
            counters: PeerCounters::default(),
        });
        self.drive(source, fsm::Event::Start, now, actions);
    }

    /// Puts a new configuration into force, with as little disturbance as it allows.
    fn reconfigure(&mut self, source: SourceId, config: PeerConfig, now: Time, actions: &mut Vec<Action>) {
        let fsm_config = self.fsm_config(&config);
        let Some(peer) = self.peers.by_source_mut(source) else { return };
        let old = std::mem::replace(&mut peer.config, config);
        if old == peer.config {
            return;
        }
        let config = peer.config.clone();
        let mesh = peer.mesh();
        peer.fsm.set_config(fsm_config);
        self.peers.set_mesh(source, mesh);
        // What was agreed in the Opens, and what decides which routes may flow at all, needs a fresh session.
        let fresh = old.hold_time != config.hold_time
            || old.max_paths != config.max_paths
            || old.mesh != config.mesh
            || old.external != config.external;
        if fresh {
            let notification = Notification::new(NotificationCode::ConfigurationChange, "");
            self.drive(source, fsm::Event::Fail(notification), now, actions);
            if old.external != config.external {
                self.flush(source, now);
            }
        }
        if old.import != config.import {
            self.reimport(source, now);
        }
        self.check_new_limit(source, now, actions);
        if !fresh && (old.export != config.export || old.next_hop != config.next_hop) {
            self.refresh_out(source);
        }
    }

    fn check_new_limit(&mut self, source: SourceId, now: Time, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.by_source(source) else { return };
        let limit = peer.config.route_limit;
        if peer.rib_in.count > limit.max {
            let reason = format!("more than {} routes", limit.max);
            let notification = Notification::new(NotificationCode::MaxRoutesReached, reason);
            let stop = fsm::Event::Stop { notification, restart_after: limit.restart_after };
            self.drive(source, stop, now, actions);
        }
    }

    pub(super) fn remove_peer(&mut self, id: &PeerId, now: Time, actions: &mut Vec<Action>) {
        let Some(source) = self.peers.find(id) else {
            return actions.push(Action::Rejected(Rejection::NoSuchPeer(id.clone())));
        };
        let notification = Notification::new(NotificationCode::PeerDeconfigured, "");
        self.drive(source, fsm::Event::Stop { notification, restart_after: None }, now, actions);
        self.flush(source, now);
        self.damping.forget(source);
        self.keys.forget_source(source);
        self.peers.remove(source);
    }

    pub(super) fn reset_peer(&mut self, id: &PeerId, reset: Reset, now: Time, actions: &mut Vec<Action>) {
        let Some(source) = self.peers.find(id) else {
            return actions.push(Action::Rejected(Rejection::NoSuchPeer(id.clone())));
        };
        match reset {
            Reset::Hard => {
                let notification = Notification::new(NotificationCode::AdministrativeReset, "");
                let stop = fsm::Event::Stop { notification, restart_after: None };
                self.drive(source, stop, now, actions);
                self.drive(source, fsm::Event::Start, now, actions);
            }
            Reset::SoftIn => {
                let established = self.peers.by_source(source).and_then(|p| p.established.as_ref());
                if let Some(connection) = established.map(|e| e.session.connection) {
                    let message = Message::RouteRefresh(RouteRefresh::Request);
                    actions.push(Action::Send { connection, message: Outgoing::new(message) });
                }
            }
            Reset::SoftOut => self.refresh_out(source),
        }
    }

    pub(super) fn fsm_config(&self, config: &PeerConfig) -> fsm::Config {
        let internal = is_internal(&self.node, &config.id);
        let restart = GracefulRestart {
            restart_secs: self.node.restart_secs,
            restarting: self.node.restarting,
            // The data plane is another process.
            forwarding_preserved: true,
        };
        let capabilities = Capabilities {
            graceful_restart: (self.node.restart_secs > 0).then_some(restart),
            max_paths: config.max_paths,
            role: if internal { None } else { config.external.role },
        };
        fsm::Config {
            local: self.node.id.clone(),
            instance: self.node.instance,
            remote: config.id.clone(),
            hold_time: config.hold_time,
            capabilities,
            passive: config.passive,
        }
    }
}
