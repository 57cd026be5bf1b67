//! One ADS stream: a pure state machine. Requests, snapshots and the time go in, responses come out.
//!
//! A snapshot is rolled out in rounds. Each step waits until the client has accepted the one before (make before
//! break):
//!
//! 1. clusters, new and changed; and endpoints, once more those of every cluster that was sent. Envoy uses a cluster
//!    when it has its endpoints, and does not even answer for it before: endpoints wait for no answer;
//! 2. listeners;
//! 3. routes;
//! 4. removals: listeners, routes, and after [`REMOVAL_GRACE`] clusters and endpoints.
//!
//! What changes during a round is the next round's: however fast changes come, each one arrives. Secrets and filter
//! configurations depend on nothing of that and go out at once.
//!
//! A refusal (NACK) is a request with an error and nothing else. The resource to blame is found by sending the parts
//! of the refused response by themselves; it is left out until it changes, the client keeps the last good version, and
//! everything else goes on.

mod message;
mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;

use super::resource::{Name, Resource, ResourceType};
use super::snapshot::Snapshot;
use subscription::{Held, Pending, Subscription};

pub use message::{Dialect, Known, Names, Reply, Request, Response};
pub use subscription::{MAX_NAMES, MAX_REASON, Rejected};

/// How long a cluster stays after the last route to it has gone: requests on their way finish.
pub const REMOVAL_GRACE: Duration = Duration::from_secs(5);

/// How long listeners and routes wait for a client to ask for the endpoints of a cluster that it was sent.
pub const ENDPOINTS_WAIT: Duration = Duration::from_secs(5);

/// Bytes of resources in one response, unless a single one is larger. What is left follows once the client has
/// answered.
pub const MAX_RESPONSE: usize = 1024 * 1024;

/// Types that depend on nothing and that nothing waits for.
const UNORDERED: [ResourceType; 2] = [ResourceType::Secret, ResourceType::Extension];
/// Types whose additions and changes are rolled out in rounds.
const ADDITIONS: [ResourceType; 4] =
    [ResourceType::Cluster, ResourceType::Endpoint, ResourceType::Listener, ResourceType::Route];
/// The order of removals.
const REMOVALS: [ResourceType; 6] = [
    ResourceType::Listener,
    ResourceType::Route,
    ResourceType::Cluster,
    ResourceType::Endpoint,
    ResourceType::Extension,
    ResourceType::Secret,
];

const WILDCARD: &str = "*";

/// The state of one stream.
#[derive(Debug)]
pub struct Stream {
    dialect: Dialect,
    /// What there is to be told by now.
    latest: Arc<Snapshot>,
    /// What is rolled out in this round.
    target: Arc<Snapshot>,
    subscriptions: [Subscription; ResourceType::ALL.len()],
    nonces: u64,
    /// Clusters sent whose endpoints the client has not asked for yet, and until when that is waited for.
    awaited: BTreeMap<Name, Instant>,
    /// Clusters without a route, and when they are removed.
    retiring: BTreeMap<Name, Instant>,
}

/// Where a stream stands with one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeStatus {
    /// The type.
    pub ty: ResourceType,
    /// Resources that the client has.
    pub held: usize,
    /// Resources that it was sent and has not answered for.
    pub pending: usize,
    /// Resources that wait to be sent.
    pub waiting: usize,
    /// What it refused.
    pub rejected: BTreeMap<Name, Rejected>,
}

impl Stream {
    /// A stream that has just begun.
    pub fn new(dialect: Dialect, snapshot: Arc<Snapshot>) -> Self {
        Self {
            dialect,
            latest: Arc::clone(&snapshot),
            target: snapshot,
            subscriptions: Default::default(),
            nonces: 0,
            awaited: BTreeMap::new(),
            retiring: BTreeMap::new(),
        }
    }

    /// Takes what the client said and returns what it is to be told.
    pub fn handle_request(&mut self, request: Request, now: Instant) -> Vec<Response> {
        let Request { ty, names, reply, known } = request;
        if let Some(reply) = reply {
            let is_stale = reply.nonce != self.subscriptions[ty.index()].last_nonce;
            self.handle_reply(ty, reply);
            // A state-of-the-world client repeats its whole subscription each time. With an old nonce it had not seen
            // our last response yet, and will repeat it again.
            match self.dialect {
                Dialect::Sotw if is_stale => return self.advance(now),
                Dialect::Delta | Dialect::Sotw => {}
            }
        }
        let is_first = !std::mem::replace(&mut self.subscriptions[ty.index()].is_open, true);
        match names {
            Names::Change { subscribe, unsubscribe } => {
                self.change_names(ty, &subscribe, &unsubscribe, is_first);
            }
            Names::Exactly(names) => self.replace_names(ty, &names, is_first),
        }
        if is_first {
            self.open(ty, known);
        }
        self.advance(now)
    }

    /// Takes a new target and returns what the client is to be told.
    pub fn handle_snapshot(&mut self, snapshot: Arc<Snapshot>, now: Instant) -> Vec<Response> {
        let old = std::mem::replace(&mut self.latest, snapshot);
        for ty in UNORDERED {
            self.subscriptions[ty.index()].mark_changes(ty, &old, &self.latest);
        }
        self.advance(now)
    }

    /// Does what was due at [`Self::next_deadline`].
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Response> {
        self.advance(now)
    }

    /// When [`Self::handle_timeout`] has something to do, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.awaited.values().chain(self.retiring.values()).min().copied()
    }

    /// Whether the client has accepted, or refused, everything that it is to have by now. Clusters that are about to be
    /// removed do not count.
    pub fn is_settled(&self) -> bool {
        let is_busy =
            |subscription: &Subscription| subscription.pending.is_some() || subscription.has_changes();
        Arc::ptr_eq(&self.latest, &self.target)
            && self.awaited.is_empty()
            && !self.subscriptions.iter().any(is_busy)
    }

    /// Where the stream stands with each type that the client asked for.
    pub fn status(&self) -> Vec<TypeStatus> {
        let open = ResourceType::ALL.into_iter().filter(|ty| self.subscriptions[ty.index()].is_open);
        open.map(|ty| {
            let subscription = &self.subscriptions[ty.index()];
            TypeStatus {
                ty,
                held: subscription.held.len(),
                pending: subscription.pending.as_ref().map_or(0, |p| p.sent.len() + p.removed.len()),
                waiting: subscription.dirty.len() + subscription.gone.len(),
                rejected: subscription.rejected.clone(),
            }
        })
        .collect()
    }

    /// A type's subscription, and what it is compared with.
    fn parts(&mut self, ty: ResourceType) -> (&mut Subscription, &Snapshot) {
        let snapshot = if UNORDERED.contains(&ty) { &self.latest } else { &self.target };
        (&mut self.subscriptions[ty.index()], snapshot)
    }

    fn handle_reply(&mut self, ty: ResourceType, reply: Reply) {
        let (subscription, snapshot) = self.parts(ty);
        let Some(pending) = subscription.pending.take_if(|pending| pending.nonce == reply.nonce) else {
            return;
        };
        let mut void = pending.removed.clone();
        match reply.error {
            Some(reason) => {
                void.extend(pending.sent.iter().map(|resource| resource.name().clone()));
                subscription.refuse(ty, pending, &reason, snapshot);
            }
            None => subscription.accept(ty, pending, snapshot),
        }
        if ty == ResourceType::Cluster {
            for name in void {
                self.awaited.remove(&name);
            }
        }
    }

    /// Envoy makes a changed cluster anew and waits for its endpoints, although it has asked for them before.
    fn clusters_sent(&mut self, now: Instant) {
        let pending = &self.subscriptions[ResourceType::Cluster.index()].pending;
        let sent: Vec<Name> =
            pending.iter().flat_map(|p| &p.sent).map(|cluster| cluster.name().clone()).collect();
        let endpoints = &mut self.subscriptions[ResourceType::Endpoint.index()];
        for name in &sent {
            if self.target.resource(ResourceType::Endpoint, name).is_none() {
                continue;
            }
            if endpoints.wants(name) {
                endpoints.force(ResourceType::Endpoint, name, &self.target);
            } else {
                self.awaited.insert(name.clone(), now + ENDPOINTS_WAIT);
            }
        }
    }

    fn change_names(&mut self, ty: ResourceType, subscribe: &[Name], unsubscribe: &[Name], is_first: bool) {
        let mut remade: Vec<&Name> = vec![];
        if ty == ResourceType::Endpoint {
            remade.extend(subscribe.iter().filter(|name| self.awaited.remove(*name).is_some()));
        }
        let (subscription, snapshot) = self.parts(ty);
        if is_first && subscribe.is_empty() && ty.has_wildcard() {
            subscription.wildcard = true;
        }
        for name in unsubscribe {
            if &**name == WILDCARD {
                subscription.wildcard = false;
                subscription.drop_unwanted();
            } else {
                subscription.unsubscribe(name);
            }
        }
        for name in subscribe {
            if &**name == WILDCARD {
                subscription.wildcard = true;
                subscription.mark_all(ty, snapshot);
            } else if subscription.subscribe(name) && !is_first {
                // Whoever asks again needs the answer again.
                subscription.force(ty, name, snapshot);
            }
        }
        // On a new stream the client says which versions it has, and needs no more than what differs; but it waits for
        // the endpoints of a cluster that was made anew.
        for name in remade {
            subscription.force(ty, name, snapshot);
        }
    }

    fn replace_names(&mut self, ty: ResourceType, names: &[Name], is_first: bool) {
        let mut wanted: Vec<&Name> = names.iter().filter(|name| &***name != WILDCARD).collect();
        wanted.dedup();
        if ty == ResourceType::Endpoint {
            self.awaited.retain(|name, _| !wanted.contains(&name));
        }
        let (subscription, snapshot) = self.parts(ty);
        let asks_for_all = wanted.len() < names.len();
        // A client that named resources before and names none now wants none.
        let means_all = names.is_empty() && ty.has_wildcard() && (is_first || subscription.wildcard);
        subscription.wildcard = asks_for_all || means_all;
        let before = std::mem::take(&mut subscription.names);
        for name in wanted {
            if subscription.subscribe(name) && !before.contains(name) {
                subscription.force(ty, name, snapshot);
            }
        }
        if before != subscription.names {
            subscription.drop_unwanted();
        }
    }

    /// The client's first request for a type: what it has from an earlier stream need not be sent again.
    fn open(&mut self, ty: ResourceType, known: Known) {
        let (subscription, snapshot) = self.parts(ty);
        match known {
            Known::Versions(versions) => {
                let versions = versions.into_iter().take(MAX_NAMES);
                for (name, version) in
                    versions.filter(|(name, _)| subscription.wants(name)).collect::<Vec<_>>()
                {
                    subscription.held.insert(name, Held { version, resource: None });
                }
            }
            Known::Whole(version) => {
                let all = snapshot.of(ty).values().filter(|resource| subscription.wants(resource.name()));
                let all: Vec<&Arc<Resource>> = all.collect();
                if version == whole_version(all.iter().map(|r| (&**r.name(), &**r.version()))) {
                    for resource in all {
                        subscription.has(resource);
                    }
                }
            }
        }
        // Whoever wants everything waits for the first response, even an empty one; whoever names resources waits for
        // word of each of them, even that there is none.
        subscription.owes_first = subscription.wildcard && subscription.held.is_empty();
        let unknown = subscription.names.iter().filter(|name| !subscription.held.contains_key(*name));
        for name in unknown.cloned().collect::<Vec<_>>() {
            subscription.force(ty, &name, snapshot);
        }
        subscription.mark_all(ty, snapshot);
    }

    fn advance(&mut self, now: Instant) -> Vec<Response> {
        let mut responses = vec![];
        self.awaited.retain(|_, deadline| *deadline > now);
        for ty in UNORDERED {
            responses.extend(self.send_changes(ty));
        }
        while self.add(&mut responses, now) {
            self.remove(&mut responses, now);
            if Arc::ptr_eq(&self.latest, &self.target) {
                break;
            }
            let old = std::mem::replace(&mut self.target, Arc::clone(&self.latest));
            for ty in ADDITIONS {
                self.subscriptions[ty.index()].mark_changes(ty, &old, &self.target);
            }
        }
        responses
    }

    /// Sends the next step of this round. True if there is none left but removals.
    fn add(&mut self, responses: &mut Vec<Response>, now: Instant) -> bool {
        if let Some(clusters) = self.send_changes(ResourceType::Cluster) {
            responses.push(clusters);
            self.clusters_sent(now);
        }
        responses.extend(self.send_changes(ResourceType::Endpoint));
        if self.is_busy(ResourceType::Cluster)
            || self.is_busy(ResourceType::Endpoint)
            || !self.awaited.is_empty()
        {
            return false;
        }
        for ty in [ResourceType::Listener, ResourceType::Route] {
            responses.extend(self.send_changes(ty));
            if self.is_busy(ty) {
                return false;
            }
        }
        true
    }

    fn is_busy(&self, ty: ResourceType) -> bool {
        let subscription = &self.subscriptions[ty.index()];
        subscription.pending.is_some() || subscription.has_changes()
    }

    /// Sends the next removal that is due.
    fn remove(&mut self, responses: &mut Vec<Response>, now: Instant) {
        let gone = &self.subscriptions[ResourceType::Cluster.index()].gone;
        self.retiring.retain(|name, _| gone.contains(name));
        for name in gone {
            if !self.retiring.contains_key(name) {
                self.retiring.insert(name.clone(), now + REMOVAL_GRACE);
            }
        }
        for ty in REMOVALS {
            responses.extend(self.send_removals(ty, now));
            if self.subscriptions[ty.index()].pending.is_some() {
                break;
            }
        }
    }

    fn send_changes(&mut self, ty: ResourceType) -> Option<Response> {
        let dialect = self.dialect;
        let (subscription, snapshot) = self.parts(ty);
        if subscription.pending.is_some() || !subscription.has_changes() {
            return None;
        }
        let batch = subscription.take_batch(ty, snapshot, MAX_RESPONSE);
        let owes_first = std::mem::take(&mut subscription.owes_first);
        let missing = match dialect {
            Dialect::Delta => batch.missing,
            Dialect::Sotw => vec![],
        };
        let is_needed = owes_first || !batch.resources.is_empty() || !missing.is_empty();
        is_needed.then(|| self.send(ty, batch.resources, missing))
    }

    fn send_removals(&mut self, ty: ResourceType, now: Instant) -> Option<Response> {
        if self.subscriptions[ty.index()].pending.is_some() {
            return None;
        }
        let clusters = &self.subscriptions[ResourceType::Cluster.index()].held;
        let is_due = |name: &&Name| match ty {
            ResourceType::Cluster => self.retiring.get(*name).is_some_and(|deadline| *deadline <= now),
            ResourceType::Endpoint => !clusters.contains_key(*name),
            ResourceType::Extension | ResourceType::Listener | ResourceType::Route | ResourceType::Secret => {
                true
            }
        };
        let due: Vec<Name> = self.subscriptions[ty.index()].gone.iter().filter(is_due).cloned().collect();
        let subscription = &mut self.subscriptions[ty.index()];
        for name in &due {
            subscription.gone.remove(name);
            self.retiring.remove(name);
        }
        match (self.dialect, ty.has_wildcard()) {
            (Dialect::Delta, _) | (Dialect::Sotw, true) => {
                (!due.is_empty()).then(|| self.send(ty, vec![], due))
            }
            (Dialect::Sotw, false) => {
                // There is no word for it: what a response does not mention stays as it is.
                for name in &due {
                    subscription.held.remove(name);
                }
                None
            }
        }
    }

    fn send(&mut self, ty: ResourceType, changed: Vec<Arc<Resource>>, removed: Vec<Name>) -> Response {
        self.nonces += 1;
        let nonce = self.nonces.to_string();
        let subscription = &mut self.subscriptions[ty.index()];
        subscription.last_nonce.clone_from(&nonce);
        let pending = Pending { nonce: nonce.clone(), sent: changed.clone(), removed: removed.clone() };
        let response = match self.dialect {
            Dialect::Delta => Response { ty, nonce, version: String::new(), resources: changed, removed },
            Dialect::Sotw => {
                let after = subscription.held_with(&changed, &removed);
                let version = whole_version(after.iter().map(|(name, held)| (&**name, &*held.version)));
                let resources = match ty.has_wildcard() {
                    true => after.into_values().filter_map(|held| held.resource).collect(),
                    false => changed,
                };
                Response { ty, nonce, version, resources, removed: vec![] }
            }
        };
        subscription.pending = Some(pending);
        response
    }
}

/// A hash of names and versions, in order. The same content has the same one after a restart.
fn whole_version<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    for text in all.flat_map(|(name, version)| [name, version]) {
        hash.update(text.as_bytes());
        hash.update(&[0]);
    }
    hash.finish().as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
