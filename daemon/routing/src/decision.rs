//! The decision process (RFC 4271 §9.1): of several paths to a service the best, and of each other why it is not.
//!
//! The steps form one total order, so the outcome never depends on the order of arrival except where a step says so
//! ([`RejectReason::Younger`]). In particular MED is compared between all paths, not only those of one neighbour:
//! otherwise "better" is not transitive, and reflectors may oscillate for ever (RFC 3345).

use std::cmp::Ordering;

use crate::attributes::Attributes;
use crate::name::NodeId;
use crate::time::Time;

/// Why a path is not the one used. The first group lost to a better one and stands by; the second can't be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Another has a higher local preference.
    LowerPreference,
    /// Another is shorter ([`crate::path::Path::distance`]).
    LongerPath,
    /// Another's origin knows the service better ([`crate::attributes::OriginKind`]).
    WorseOrigin,
    /// Another has a lower MED.
    HigherMed,
    /// Another was learned inside the organisation.
    External,
    /// Another has been there for longer.
    Younger,
    /// Another passed fewer route reflectors (RFC 4456 §9).
    LongerClusterList,
    /// Another comes from a node with a lower id.
    HigherNodeId,
    /// The same peer announced another first.
    PeerPrefersAnother,

    /// It has passed this node, or left this organisation, before.
    PathLoop,
    /// It was first reflected from this node (RFC 4456 §8).
    OriginatorLoop,
    /// It has passed this cluster before (RFC 4456 §8).
    ClusterLoop,
    /// The import policy rejects it; which rule, counted from 0.
    DeniedByRule(u16),
    /// No rule of the import policy accepts it.
    DeniedByDefault,
    /// The peer is external and has no import policy (RFC 8212).
    NoImportPolicy,
    /// It was leaked: the peer had no business passing it on (RFC 9234).
    RouteLeak,
    /// It comes and goes too often (RFC 2439).
    Damped,
}

impl RejectReason {
    /// Whether the path only lost, and is used when the better ones are gone.
    pub const fn is_usable(self) -> bool {
        match self {
            Self::LowerPreference
            | Self::LongerPath
            | Self::WorseOrigin
            | Self::HigherMed
            | Self::External
            | Self::Younger
            | Self::LongerClusterList
            | Self::HigherNodeId
            | Self::PeerPrefersAnother => true,
            Self::PathLoop
            | Self::OriginatorLoop
            | Self::ClusterLoop
            | Self::DeniedByRule(_)
            | Self::DeniedByDefault
            | Self::NoImportPolicy
            | Self::RouteLeak
            | Self::Damped => false,
        }
    }
}

impl std::fmt::Display for RejectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LowerPreference => "another has a higher local preference",
            Self::LongerPath => "another path is shorter",
            Self::WorseOrigin => "another has a better origin",
            Self::HigherMed => "another has a lower MED",
            Self::External => "another was learned inside the organisation",
            Self::Younger => "another has been there for longer",
            Self::LongerClusterList => "another passed fewer reflectors",
            Self::HigherNodeId => "another comes from a lower node id",
            Self::PeerPrefersAnother => "the peer itself prefers another",
            Self::PathLoop => "path loop: it has passed this node before",
            Self::OriginatorLoop => "it was reflected from this node",
            Self::ClusterLoop => "it has passed this cluster before",
            Self::DeniedByRule(rule) => return write!(f, "import policy, rule {rule}"),
            Self::DeniedByDefault => "no rule of the import policy accepts it",
            Self::NoImportPolicy => "the external peer has no import policy",
            Self::RouteLeak => "route leak: the peer may not pass it on",
            Self::Damped => "it comes and goes too often",
        })
    }
}

/// What the decision process made of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Used, and told to peers.
    Best,
    /// As good as the best in all that matters, and used beside it.
    Multipath,
    /// Not used.
    Rejected(RejectReason),
}

impl Standing {
    /// Whether the path is used, or would be if the better ones were gone.
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Best | Self::Multipath => true,
            Self::Rejected(reason) => reason.is_usable(),
        }
    }
}

/// Where a path was learned, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Nearness {
    Local,
    Internal,
    External,
}

/// What the decision process looks at.
pub(crate) struct Candidate<'a> {
    pub attributes: &'a Attributes,
    pub nearness: Nearness,
    pub learned_at: Time,
    /// The peer, or this node for a path of its own.
    pub node: &'a NodeId,
    /// The path's place in the peer's announcement.
    pub rank: u8,
}

impl Candidate<'_> {
    fn clusters(&self) -> usize {
        self.attributes.reflection.as_ref().map_or(0, |r| r.clusters().len())
    }

    /// RFC 4456 §9: of a reflected route the originator counts, not the reflector.
    fn originator(&self) -> &NodeId {
        self.attributes.reflection.as_ref().map_or(self.node, |r| &r.originator)
    }
}

/// One step of the comparison.
type Step = fn(&Candidate<'_>, &Candidate<'_>) -> Ordering;

/// Compares two paths that can be used. `Less` is better; the reason is why the worse one loses.
pub(crate) fn compare(a: &Candidate<'_>, b: &Candidate<'_>) -> (Ordering, RejectReason) {
    let steps: [(Step, RejectReason); 9] = [
        (
            |a, b| b.attributes.effective_preference().cmp(&a.attributes.effective_preference()),
            RejectReason::LowerPreference,
        ),
        (|a, b| a.attributes.path.distance().cmp(&b.attributes.path.distance()), RejectReason::LongerPath),
        (|a, b| a.attributes.origin_kind.cmp(&b.attributes.origin_kind), RejectReason::WorseOrigin),
        (|a, b| a.attributes.med.cmp(&b.attributes.med), RejectReason::HigherMed),
        (|a, b| a.nearness.cmp(&b.nearness), RejectReason::External),
        (|a, b| a.learned_at.cmp(&b.learned_at), RejectReason::Younger),
        (|a, b| a.clusters().cmp(&b.clusters()), RejectReason::LongerClusterList),
        (|a, b| a.originator().cmp(b.originator()), RejectReason::HigherNodeId),
        (|a, b| a.rank.cmp(&b.rank), RejectReason::PeerPrefersAnother),
    ];
    for (step, reason) in steps {
        match step(a, b) {
            Ordering::Equal => {}
            decided @ (Ordering::Less | Ordering::Greater) => return (decided, reason),
        }
    }
    (Ordering::Equal, RejectReason::PeerPrefersAnother)
}

/// Whether a path that lost for `reason` is as good as the best in all that concerns its users: what decided was only
/// age or a name.
pub(crate) const fn is_multipath(reason: RejectReason) -> bool {
    matches!(
        reason,
        RejectReason::Younger
            | RejectReason::LongerClusterList
            | RejectReason::HigherNodeId
            | RejectReason::PeerPrefersAnother
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::OriginKind;
    use crate::testing::{attributes, hops, node};

    struct Route {
        attributes: Attributes,
        nearness: Nearness,
        learned_at: u64,
        node: NodeId,
        rank: u8,
    }

    fn route() -> Route {
        Route {
            attributes: attributes("n1", 0),
            nearness: Nearness::Internal,
            learned_at: 5,
            node: node("n5"),
            rank: 0,
        }
    }

    fn candidate(route: &Route) -> Candidate<'_> {
        Candidate {
            attributes: &route.attributes,
            nearness: route.nearness,
            learned_at: Time::from_millis(route.learned_at),
            node: &route.node,
            rank: route.rank,
        }
    }

    type Change = fn(&mut Route);

    /// What makes a path better and what makes it worse, by step, the weightiest first.
    const STEPS: [(RejectReason, Change, Change); 8] = [
        (
            RejectReason::LowerPreference,
            |r| r.attributes.local_preference = 200,
            |r| r.attributes.local_preference = 50,
        ),
        (
            RejectReason::LongerPath,
            |r| r.attributes.path = hops("x/a"),
            |r| r.attributes.path = hops("x/a x/b x/c"),
        ),
        (
            RejectReason::WorseOrigin,
            |r| r.attributes.origin_kind = OriginKind::Configured,
            |r| r.attributes.origin_kind = OriginKind::Incomplete,
        ),
        (RejectReason::HigherMed, |r| r.attributes.med = 1, |r| r.attributes.med = 9),
        (RejectReason::External, |r| r.nearness = Nearness::Local, |r| r.nearness = Nearness::External),
        (RejectReason::Younger, |r| r.learned_at = 1, |r| r.learned_at = 9),
        (RejectReason::HigherNodeId, |r| r.node = node("n1"), |r| r.node = node("n9")),
        (RejectReason::PeerPrefersAnother, |r| r.rank = 0, |r| r.rank = 3),
    ];

    #[test]
    fn each_step_decides_before_all_later_ones() {
        for (i, (reason, better, worse)) in STEPS.iter().enumerate() {
            let (mut winner, mut loser) = (route(), route());
            better(&mut winner);
            worse(&mut loser);
            for (_, better, worse) in &STEPS[i + 1..] {
                worse(&mut winner);
                better(&mut loser);
            }
            let decided = compare(&candidate(&winner), &candidate(&loser));
            assert_eq!(decided, (Ordering::Less, *reason));
            let reversed = compare(&candidate(&loser), &candidate(&winner));
            assert_eq!(reversed, (Ordering::Greater, *reason));
        }
    }

    #[test]
    fn equal_paths_are_equal() {
        assert_eq!(compare(&candidate(&route()), &candidate(&route())).0, Ordering::Equal);
    }

    #[test]
    fn paths_that_differ_in_age_or_name_alone_are_used_together() {
        let together: Vec<_> = STEPS.iter().map(|(reason, ..)| is_multipath(*reason)).collect();
        assert_eq!(together, [false, false, false, false, false, true, true, true]);
    }
}
