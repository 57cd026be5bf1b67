//! The path of a route: who has passed it on, nearest first. Loops are told by it, and lengths are compared.

use std::sync::Arc;

use crate::name::{NodeId, OrgName};

/// The longest path, in hops. A longer one is treated as withdrawn; one that would grow longer is not passed on.
pub const MAX_PATH_HOPS: usize = 64;

/// One step of a path.
///
/// Inside an organisation each node adds itself. When a route leaves, the organisation's own hops are folded into one
/// without a node, as a confederation's segments are (RFC 5065 §4): outsiders see organisations, not their insides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// The organisation.
    pub org: OrgName,
    /// Its node; none once the route has left that organisation.
    pub node: Option<NodeId>,
}

impl Hop {
    /// A node inside its organisation.
    pub const fn node(org: OrgName, node: NodeId) -> Self {
        Self { org, node: Some(node) }
    }

    /// A whole organisation, as others see it.
    pub const fn org(org: OrgName) -> Self {
        Self { org, node: None }
    }
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.node {
            Some(node) => write!(f, "{}/{node}", self.org),
            None => write!(f, "{}", self.org),
        }
    }
}

/// A path that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("path of {hops} hops; at most {MAX_PATH_HOPS} are allowed")]
pub struct PathTooLong {
    /// How many hops it has.
    pub hops: usize,
}

/// The hops of a route, the announcing neighbour first and the origin last; empty for a route of this node's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<[Hop]>);

impl Path {
    /// Takes hops, nearest first.
    pub fn new(hops: Vec<Hop>) -> Result<Self, PathTooLong> {
        if hops.len() > MAX_PATH_HOPS {
            return Err(PathTooLong { hops: hops.len() });
        }
        Ok(Self(Arc::from(hops)))
    }

    /// The path of a route of this node's own.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// The hops, nearest first.
    pub fn hops(&self) -> &[Hop] {
        &self.0
    }

    /// How many hops there are; repeated ones count.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How far it is, for comparison: organisations first, then nodes inside this one (RFC 5065 §5.3 does not count
    /// those at all). Each node or organisation that passes a route on makes it longer in this order. Were both counted
    /// alike, a route would become shorter where it leaves an organisation and its inside is folded, and three
    /// organisations that each prefer the next one's route could chase each other for ever.
    pub fn distance(&self) -> (usize, usize) {
        let inside = self.0.iter().take_while(|hop| hop.node.is_some()).count();
        (self.0.len() - inside, inside)
    }

    /// Whether this is a route of this node's own.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The neighbour that announced the route.
    pub fn first(&self) -> Option<&Hop> {
        self.0.first()
    }

    /// Where the route began.
    pub fn last(&self) -> Option<&Hop> {
        self.0.last()
    }

    /// Whether `org` has passed the route on, by any of its nodes.
    pub fn contains_org(&self, org: &OrgName) -> bool {
        self.0.iter().any(|hop| hop.org == *org)
    }

    /// Whether this very node has passed the route on, or its organisation has after letting the route leave: both
    /// would close a loop.
    pub fn loops_through(&self, org: &OrgName, node: &NodeId) -> bool {
        self.0.iter().any(|hop| hop.org == *org && hop.node.as_ref().is_none_or(|n| n == node))
    }

    /// The path with `hop` put before it `times` times.
    pub fn prepended(&self, hop: &Hop, times: usize) -> Result<Self, PathTooLong> {
        let mut hops = vec![hop.clone(); times];
        hops.extend_from_slice(&self.0);
        Self::new(hops)
    }

    /// The path as outsiders may see it: the leading hops inside `org` are left out (RFC 5065 §4.1 (c)).
    pub fn without_leading(&self, org: &OrgName) -> Self {
        let inside = self.0.iter().take_while(|hop| hop.org == *org).count();
        if inside == 0 { self.clone() } else { Self(Arc::from(&self.0[inside..])) }
    }
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{self}]")
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, hop) in self.0.iter().enumerate() {
            write!(f, "{}{hop}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgName {
        OrgName::new(name).expect("a name")
    }

    fn node(name: &str) -> NodeId {
        NodeId::new(name).expect("a name")
    }

    fn path(text: &str) -> Path {
        let hop = |h: &str| match h.split_once('/') {
            Some((o, n)) => Hop::node(org(o), node(n)),
            None => Hop::org(org(h)),
        };
        Path::new(text.split_whitespace().map(hop).collect()).expect("short")
    }

    #[test]
    fn a_path_of_64_hops_is_the_longest() {
        let full = Path::empty().prepended(&Hop::org(org("a")), 64).expect("64 hops fit");
        assert_eq!(full.len(), 64);
        assert_eq!(full.prepended(&Hop::org(org("b")), 1), Err(PathTooLong { hops: 65 }));
    }

    #[test]
    fn loops_are_told_by_node_inside_and_by_organisation_outside() {
        let (acme, n1, n2) = (org("acme"), node("n1"), node("n2"));
        let inside = path("acme/n2 acme/n3");
        assert!(!inside.loops_through(&acme, &n1));
        assert!(inside.loops_through(&acme, &n2));
        let returned = path("other acme other2");
        assert!(returned.loops_through(&acme, &n1), "a route that left the organisation must not come back");
        assert!(!path("other/n1").loops_through(&acme, &n1));
    }

    #[test]
    fn outsiders_do_not_see_the_nodes_inside() {
        let acme = org("acme");
        assert_eq!(path("acme/n1 acme/n2 other").without_leading(&acme), path("other"));
        assert_eq!(path("other acme").without_leading(&acme), path("other acme"));
        assert_eq!(path("acme/n1").without_leading(&acme), Path::empty());
    }

    #[test]
    fn passing_a_route_on_always_makes_it_longer() {
        let inside = path("acme/n1 acme/n2 acme/n3 other");
        assert_eq!(inside.distance(), (1, 3));
        assert!(inside.distance() < path("third other").distance(), "the inside of an organisation is near");
        let folded =
            inside.without_leading(&org("acme")).prepended(&Hop::org(org("acme")), 1).expect("short");
        assert!(folded.distance() > inside.distance());
        assert!(path("acme/n0 acme/n1 acme/n2 acme/n3 other").distance() > inside.distance());
    }

    #[test]
    fn reads_nearest_first() {
        assert_eq!(path("acme/n1 other").to_string(), "acme/n1 other");
        assert_eq!(path("acme/n1 other").last(), Some(&Hop::org(org("other"))));
    }
}
