//! A service and the paths to it, ranked.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::attributes::{Attributes, NextHop};
use crate::decision::{self, Candidate, Nearness, RejectReason, Standing};
use crate::name::NodeId;
use crate::service::Service;
use crate::time::Time;

/// Who a path was learned from: this node itself, or a peer by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceId(pub u32);

impl SourceId {
    /// This node itself.
    pub(crate) const LOCAL: Self = Self(0);
}

/// What the decision process must know of a source.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub nearness: Nearness,
    pub node: NodeId,
}

/// What a change of the table needs to know besides the change.
pub(crate) struct Context<'a> {
    /// By [`SourceId`].
    pub sources: &'a [Source],
    /// How many paths of equal rank are used at once.
    pub multipath: usize,
    pub now: Time,
}

/// A path to a service.
#[derive(Debug, Clone)]
pub(crate) struct PathEntry {
    /// As the peer sent it.
    pub received: Arc<Attributes>,
    /// As the import policy made it.
    pub imported: Arc<Attributes>,
    pub learned_at: Time,
    pub source: SourceId,
    /// Its place in the peer's announcement.
    pub rank: u8,
    /// Not confirmed since its peer went away, or began to repeat its routes.
    pub stale: bool,
    pub standing: Standing,
}

/// A path as it comes from the import policy.
#[derive(Clone)]
pub(crate) struct NewPath {
    pub received: Arc<Attributes>,
    pub imported: Arc<Attributes>,
    pub rejected: Option<RejectReason>,
}

pub(super) type Paths = SmallVec<[PathEntry; 1]>;

/// Whose usable paths a net has had so far. A peer is not told of its own, so as long as all were of one peer, that peer
/// has heard nothing, and need not be told when they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Nobody,
    AllBut(SourceId),
    Anyone,
}

impl Told {
    pub(super) fn add(&mut self, source: SourceId) {
        *self = match *self {
            Self::Nobody => Self::AllBut(source),
            Self::AllBut(only) if only == source => return,
            Self::AllBut(_) | Self::Anyone => Self::Anyone,
        };
    }
}

/// Which paths a reader of the journal follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The best alone.
    Best,
    /// All that are usable.
    Usable,
}

/// What differs between the usable paths before and after a change.
pub(super) enum Difference {
    Nothing,
    /// The best is as it was.
    Others,
    Best,
}

impl Difference {
    pub(super) fn between<'a>(
        before: &[(SourceId, Arc<Attributes>)],
        mut after: impl Iterator<Item = &'a PathEntry>,
    ) -> Self {
        let same = |old: &(SourceId, Arc<Attributes>), new: &PathEntry| {
            old.0 == new.source && Arc::ptr_eq(&old.1, &new.imported)
        };
        let mut difference = Self::Nothing;
        for (i, old) in before.iter().enumerate() {
            if !after.next().is_some_and(|new| same(old, new)) {
                difference = if i == 0 { return Self::Best } else { Self::Others };
            }
        }
        match after.next() {
            Some(_) if before.is_empty() => Self::Best,
            Some(_) => Self::Others,
            None => difference,
        }
    }
}

/// A service and the paths to it.
#[derive(Debug)]
pub(crate) struct Net {
    /// None in a free slot.
    pub(super) service: Option<Service>,
    /// The usable ones first, the best before all.
    pub(super) paths: Paths,
    /// When the usable paths last changed.
    pub(super) changed: u64,
    /// When the best path last changed.
    pub(super) best_changed: u64,
    pub(super) told: Told,
}

impl Net {
    pub(crate) fn service(&self) -> &Service {
        self.service.as_ref().expect("the net is in use")
    }

    /// All paths, the best first.
    pub(crate) fn paths(&self) -> &[PathEntry] {
        &self.paths
    }

    /// The paths that can be used, the best first.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &PathEntry> {
        self.paths.iter().take_while(|p| p.standing.is_usable())
    }

    /// The version of the last change in what `scope` says.
    pub(crate) const fn last_change(&self, scope: Scope) -> u64 {
        match scope {
            Scope::Best => self.best_changed,
            Scope::Usable => self.changed,
        }
    }

    /// The one peer, or this node, that all usable paths have been of so far.
    pub(crate) const fn only_source(&self) -> Option<SourceId> {
        match self.told {
            Told::AllBut(only) => Some(only),
            Told::Nobody | Told::Anyone => None,
        }
    }

    /// Whether `source` may have been told of a path to this service.
    pub(crate) fn may_have_told(&self, source: SourceId) -> bool {
        match self.told {
            Told::Nobody => false,
            Told::AllBut(only) => only != source,
            Told::Anyone => true,
        }
    }
}

/// Since when `source` has told of a path with these attributes: a repeated path keeps its age.
pub(super) fn age_of(paths: &Paths, source: SourceId, imported: &Arc<Attributes>) -> Option<Time> {
    let same = |p: &&PathEntry| p.source == source && Arc::ptr_eq(&p.imported, imported);
    paths.iter().find(same).map(|p| p.learned_at)
}

/// Puts the best first and says of each other why it is not.
pub(super) fn rank(paths: &mut Paths, context: &Context<'_>) {
    fn candidate<'a>(path: &'a PathEntry, sources: &'a [Source]) -> Candidate<'a> {
        let source = &sources[path.source.0 as usize];
        Candidate {
            attributes: &path.imported,
            nearness: source.nearness,
            learned_at: path.learned_at,
            node: &source.node,
            rank: path.rank,
        }
    }
    if paths.len() > 1 {
        paths.sort_by(|a, b| {
            let usable = b.standing.is_usable().cmp(&a.standing.is_usable());
            usable.then_with(|| {
                decision::compare(&candidate(a, context.sources), &candidate(b, context.sources)).0
            })
        });
    }
    let Some((best, others)) = paths.split_first_mut() else { return };
    if !best.standing.is_usable() {
        return;
    }
    best.standing = Standing::Best;
    // What reflectors bring twice leads to the same place, and is used once.
    let mut used: SmallVec<[&NextHop; 4]> = SmallVec::new();
    used.push(&best.imported.next_hop);
    for other in others.iter_mut().take_while(|p| p.standing.is_usable()) {
        let (_, reason) =
            decision::compare(&candidate(best, context.sources), &candidate(other, context.sources));
        let next_hop = &other.imported.next_hop;
        let beside =
            used.len() < context.multipath && decision::is_multipath(reason) && !used.contains(&next_hop);
        other.standing = if beside { Standing::Multipath } else { Standing::Rejected(reason) };
        if beside {
            used.push(&other.imported.next_hop);
        }
    }
}
