//! What may come in: is it the peer's to say, and what does policy make of it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::attributes::{Attributes, DEFAULT_LOCAL_PREFERENCE};
use crate::decision::RejectReason;
use crate::fsm::PeerId;
use crate::intern::Interner;
use crate::message::{MAX_PATHS, Role};
use crate::name::OrgName;
use crate::path::Hop;
use crate::policy::{AppliedRules, Candidate, Verdict};
use crate::rib::NewPath;
use crate::router::config::NodeConfig;
use crate::router::peer::Peer;
use crate::service::Service;
use crate::table::TableKind;

/// Why a route of a peer's was refused. It counts as withdrawn (RFC 7606); the session goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It could not be read.
    #[error("malformed: {0}")]
    Malformed(Arc<str>),
    /// No path at all, or more than [`MAX_PATHS`].
    #[error("{0} paths; expected 1 to {MAX_PATHS}")]
    Paths(usize),
    /// Its path does not begin with the peer that announces it.
    #[error("its path does not begin with the peer {0}")]
    NotByPeer(PeerId),
    /// Its path does not end where it says it began.
    #[error("its path does not end at its origin {0}")]
    NotFromOrigin(OrgName),
    /// Its paths begin in different organisations.
    #[error("its paths have different origins")]
    MixedOrigins,
    /// The peer may not announce services of that organisation.
    #[error("services of {0} are not accepted from this peer")]
    OriginNotAllowed(OrgName),
    /// The service is not its origin's to announce.
    #[error("the service does not lie under its origin {0}")]
    ForeignService(OrgName),
    /// Another organisation announces a service of this one.
    #[error("{0} announces a service under this node's own organisation")]
    OwnService(OrgName),
}

/// A path as import makes it, before the policy has seen the service.
pub(super) struct Prepared {
    received: Arc<Attributes>,
    imported: Arc<Attributes>,
    rejected: Option<RejectReason>,
}

/// Whether these paths are the peer's to tell of. Gives whose service it is.
pub(super) fn check_paths<'a>(
    node: &NodeConfig,
    peer: &Peer,
    paths: &'a [Arc<Attributes>],
) -> Result<&'a OrgName, Refusal> {
    if paths.is_empty() || paths.len() > MAX_PATHS {
        return Err(Refusal::Paths(paths.len()));
    }
    let origin = &paths[0].origin.org;
    for attributes in paths {
        if attributes.origin.org != *origin {
            return Err(Refusal::MixedOrigins);
        }
        if !begins_with_peer(node, peer, attributes) {
            return Err(Refusal::NotByPeer(PeerId::clone(&peer.id)));
        }
        // A service of this organisation began at a node of it, one of another at that organisation.
        let ends = attributes.path.last().is_some_and(|last| {
            let inside = *origin == node.id.org;
            last.org == *origin
                && if inside { last.node == attributes.origin.node } else { last.node.is_none() }
        });
        if !ends {
            return Err(Refusal::NotFromOrigin(origin.clone()));
        }
        if !peer.may_announce(attributes) {
            return Err(Refusal::OriginNotAllowed(origin.clone()));
        }
    }
    Ok(origin)
}

/// RFC 4271 §6.3. A reflected route begins with the node that announced it to the reflector.
fn begins_with_peer(node: &NodeConfig, peer: &Peer, attributes: &Attributes) -> bool {
    let Some(first) = attributes.path.first() else { return false };
    match (&first.node, peer.internal) {
        (None, false) => first.org == peer.id.org,
        (Some(first_node), true) => {
            first.org == node.id.org && (attributes.reflection.is_some() || *first_node == peer.id.node)
        }
        (Some(_), false) | (None, true) => false,
    }
}

/// Whether the service is its origin's to announce. Names under this node's own organisation are nobody else's, except
/// of an organisation whose name itself lies under it.
pub(super) fn check_service(node: &NodeConfig, origin: &OrgName, service: &Service) -> Result<(), Refusal> {
    if !service.name.is_under(origin) {
        return Err(Refusal::ForeignService(origin.clone()));
    }
    let own = &node.id.org;
    if origin != own && service.name.is_under(own) && !is_sub_organisation(origin, own) {
        return Err(Refusal::OwnService(origin.clone()));
    }
    Ok(())
}

fn is_sub_organisation(org: &OrgName, parent: &OrgName) -> bool {
    org.as_str().strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

/// The import of one announcement: what does not depend on the service is done once.
pub(super) struct Import {
    prepared: SmallVec<[Prepared; 1]>,
    /// What came out for the first service, if it holds for all.
    all: Option<SmallVec<[NewPath; 1]>>,
    by_service: bool,
}

impl Import {
    pub(super) fn new(
        node: &NodeConfig,
        peer: &Peer,
        interner: &mut Interner,
        paths: &[Arc<Attributes>],
    ) -> Self {
        let mut prepared = SmallVec::new();
        for received in paths {
            let received = interner.intern(received);
            prepared.push(prepare(node, peer, interner, &received));
        }
        let by_service = peer.config.import.as_ref().is_some_and(|p| p.looks_at_service());
        Self { prepared, all: None, by_service }
    }

    pub(super) fn paths(
        &mut self,
        peer: &Peer,
        interner: &mut Interner,
        kind: TableKind,
        service: &Service,
    ) -> SmallVec<[NewPath; 1]> {
        let decide_all = |interner: &mut Interner| -> SmallVec<[NewPath; 1]> {
            self.prepared.iter().map(|p| decide(peer, interner, kind, service, p)).collect()
        };
        if self.by_service {
            return decide_all(interner);
        }
        self.all.get_or_insert_with(|| decide_all(interner)).clone()
    }
}

/// What is true of a path for every service: attributes that the peer has no say in are set, and loops are found.
pub(super) fn prepare(
    node: &NodeConfig,
    peer: &Peer,
    interner: &mut Interner,
    received: &Arc<Attributes>,
) -> Prepared {
    let mut rejected = loop_of(node, received);
    let mut changed = Attributes::clone(received);
    if !peer.internal {
        changed.local_preference = DEFAULT_LOCAL_PREFERENCE;
        changed.reflection = None;
        changed.origin.node = None;
        rejected = rejected.or(only_to_customer(peer, &mut changed));
    }
    let imported =
        if changed == **received { Arc::clone(received) } else { interner.intern(&Arc::new(changed)) };
    Prepared { received: Arc::clone(received), imported, rejected }
}

fn loop_of(node: &NodeConfig, attributes: &Attributes) -> Option<RejectReason> {
    if attributes.path.loops_through(&node.id.org, &node.id.node) {
        return Some(RejectReason::PathLoop);
    }
    let reflection = attributes.reflection.as_ref()?;
    if reflection.originator == node.id.node {
        return Some(RejectReason::OriginatorLoop);
    }
    reflection.clusters().contains(&node.cluster).then_some(RejectReason::ClusterLoop)
}

/// RFC 9234 §5, on the way in.
fn only_to_customer(peer: &Peer, attributes: &mut Attributes) -> Option<RejectReason> {
    let role = peer.config.external.role?;
    match (role, &attributes.only_to_customer) {
        // The peer is a customer, and passes on what it had from a provider or a peer.
        (Role::Provider, Some(_)) => Some(RejectReason::RouteLeak),
        (Role::Provider, None) => None,
        (Role::Peer, Some(org)) => (*org != peer.id.org).then_some(RejectReason::RouteLeak),
        (Role::Customer, Some(_)) => None,
        (Role::Peer | Role::Customer, None) => {
            attributes.only_to_customer = Some(peer.id.org.clone());
            None
        }
    }
}

/// What the import policy makes of a path to a service.
pub(super) fn decide(
    peer: &Peer,
    interner: &mut Interner,
    table: TableKind,
    service: &Service,
    prepared: &Prepared,
) -> NewPath {
    let unchanged = |rejected| NewPath {
        received: Arc::clone(&prepared.received),
        imported: Arc::clone(&prepared.imported),
        rejected,
    };
    if prepared.rejected.is_some() {
        return unchanged(prepared.rejected);
    }
    let Some(policy) = &peer.config.import else {
        return unchanged((!peer.internal).then_some(RejectReason::NoImportPolicy));
    };
    let rules: AppliedRules =
        match policy.evaluate(&Candidate { service, attributes: &prepared.imported, table }) {
            Verdict::Accept(rules) if rules.is_empty() => return unchanged(None),
            Verdict::Accept(rules) => rules,
            Verdict::Reject { rule: Some(rule) } => {
                return unchanged(Some(RejectReason::DeniedByRule(rule)));
            }
            Verdict::Reject { rule: None } => return unchanged(Some(RejectReason::DeniedByDefault)),
        };
    let first: &Hop = prepared.imported.path.first().expect("a path without hops is refused");
    let mut changed = Attributes::clone(&prepared.imported);
    match policy.apply(&rules, &mut changed, first) {
        Ok(()) => NewPath {
            received: Arc::clone(&prepared.received),
            imported: interner.intern(&Arc::new(changed)),
            rejected: None,
        },
        Err(error) => unchanged(Some(RejectReason::DeniedByRule(error.rule()))),
    }
}
