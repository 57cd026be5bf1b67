//! One type on one stream: what the client wants, what it has, and what is to be sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::xds::resource::{Name, Resource, ResourceType};
use crate::xds::snapshot::Snapshot;

/// Names that one client may subscribe to in one type, and resources that it may claim to have. Further ones are
/// ignored.
pub const MAX_NAMES: usize = 200_000;

/// Bytes of a client's reason for a refusal that are kept; the rest is cut off.
pub const MAX_REASON: usize = 2_048;

/// The state of one resource type on one stream.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// Whether the client asked for this type at all.
    pub(super) is_open: bool,
    /// Whether it wants everything.
    pub(super) wildcard: bool,
    /// What it wants by name.
    pub(super) names: BTreeSet<Name>,
    /// What it has.
    pub(super) held: BTreeMap<Name, Held>,
    /// The response that it has not answered yet.
    pub(super) pending: Option<Pending>,
    /// The last response's nonce.
    pub(super) last_nonce: String,
    /// What it refused, each by itself.
    pub(super) rejected: BTreeMap<Name, Rejected>,
    /// What is to be sent: `held` differs from the snapshot, or the client needs it again.
    pub(super) dirty: BTreeSet<Name>,
    /// Of the dirty ones those that are sent even if the client has that version.
    forced: BTreeSet<Name>,
    /// What the client has and the snapshot has no more.
    pub(super) gone: BTreeSet<Name>,
    /// Parts of a refused response. Each is sent for itself until the one to blame is alone.
    suspects: VecDeque<Vec<Name>>,
    /// A client that waits for its first response gets one, even if there is nothing to tell.
    pub(super) owes_first: bool,
}

/// What a client has of a resource.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) version: Arc<str>,
    /// `None` if it has it from an earlier stream.
    pub(super) resource: Option<Arc<Resource>>,
}

/// A response under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) nonce: String,
    pub(super) sent: Vec<Arc<Resource>>,
    pub(super) removed: Vec<Name>,
}

/// A resource that a client refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The version refused. Another version is tried again.
    pub version: Arc<str>,
    /// The client's own words, cut at [`MAX_REASON`].
    pub reason: String,
}

/// What a response is made of.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) resources: Vec<Arc<Resource>>,
    /// Asked for by name, and not there.
    pub(super) missing: Vec<Name>,
    bytes: usize,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.missing.is_empty()
    }
}

impl From<&Arc<Resource>> for Held {
    fn from(resource: &Arc<Resource>) -> Self {
        Self { version: resource.version().clone(), resource: Some(Arc::clone(resource)) }
    }
}

impl Subscription {
    pub(super) fn wants(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Brings `dirty` and `gone` up to date for one name.
    pub(super) fn mark(&mut self, ty: ResourceType, name: &Name, snapshot: &Snapshot) {
        self.dirty.remove(name);
        self.gone.remove(name);
        if !self.wants(name) {
            self.forced.remove(name);
            return;
        }
        match snapshot.resource(ty, name) {
            Some(resource) => {
                let version = resource.version();
                let is_held = self.held.get(name).is_some_and(|held| held.version == *version);
                let is_rejected =
                    self.rejected.get(name).is_some_and(|rejected| rejected.version == *version);
                if !is_rejected && (!is_held || self.forced.contains(name)) {
                    self.dirty.insert(name.clone());
                }
            }
            None => {
                self.rejected.remove(name);
                if self.held.contains_key(name) {
                    self.gone.insert(name.clone());
                } else if self.forced.contains(name) {
                    self.dirty.insert(name.clone());
                }
            }
        }
    }

    /// The client needs `name` again, whatever it has.
    pub(super) fn force(&mut self, ty: ResourceType, name: &Name, snapshot: &Snapshot) {
        if self.wants(name) {
            self.forced.insert(name.clone());
            self.mark(ty, name, snapshot);
        }
    }

    /// Adds to what the client wants. False if it wants too much already.
    pub(super) fn subscribe(&mut self, name: &Name) -> bool {
        if self.names.len() >= MAX_NAMES && !self.names.contains(name) {
            return false;
        }
        self.names.insert(name.clone());
        true
    }

    /// Takes from what the client wants. What it wants no longer it no longer has.
    pub(super) fn unsubscribe(&mut self, name: &Name) {
        self.names.remove(name);
        if !self.wildcard {
            self.forget(name);
        }
    }

    /// Everything known about `name` is void.
    pub(super) fn forget(&mut self, name: &Name) {
        self.held.remove(name);
        self.rejected.remove(name);
        self.dirty.remove(name);
        self.forced.remove(name);
        self.gone.remove(name);
    }

    /// Compares everything that the client wants with the snapshot.
    pub(super) fn mark_all(&mut self, ty: ResourceType, snapshot: &Snapshot) {
        let mut all: BTreeSet<Name> = self.held.keys().cloned().collect();
        if self.wildcard {
            all.extend(snapshot.of(ty).keys().cloned());
        }
        all.extend(self.names.iter().cloned());
        for name in all {
            self.mark(ty, &name, snapshot);
        }
    }

    /// Compares what differs between two snapshots.
    pub(super) fn mark_changes(&mut self, ty: ResourceType, old: &Snapshot, new: &Snapshot) {
        let (old, all_new) = (old.of(ty), new.of(ty));
        for (name, resource) in all_new {
            let is_same =
                old.get(name).is_some_and(|before| Arc::ptr_eq(before, resource) || before == resource);
            if !is_same {
                self.mark(ty, name, new);
            }
        }
        for name in old.keys().filter(|&name| !all_new.contains_key(name)) {
            self.mark(ty, name, new);
        }
    }

    /// Whether something is to be sent, other than removals.
    pub(super) fn has_changes(&self) -> bool {
        self.owes_first || !self.dirty.is_empty() || !self.suspects.is_empty()
    }

    /// Takes what goes into the next response: at most `max_bytes`, but one resource at least. The parts of a refused
    /// response go first, each by itself.
    pub(super) fn take_batch(&mut self, ty: ResourceType, snapshot: &Snapshot, max_bytes: usize) -> Batch {
        let mut batch = Batch::default();
        while let Some(suspects) = self.suspects.pop_front() {
            for name in suspects.iter().filter(|name| self.dirty.contains(*name)).collect::<Vec<_>>() {
                self.take(ty, name, snapshot, max_bytes, &mut batch);
            }
            if !batch.is_empty() {
                return batch;
            }
        }
        while let Some(name) = self.dirty.first().cloned() {
            if !self.take(ty, &name, snapshot, max_bytes, &mut batch) {
                break;
            }
        }
        batch
    }

    /// Moves `name` from what is to be sent into `batch`. False if there is no room for it.
    fn take(
        &mut self,
        ty: ResourceType,
        name: &Name,
        snapshot: &Snapshot,
        max_bytes: usize,
        batch: &mut Batch,
    ) -> bool {
        match snapshot.resource(ty, name) {
            Some(resource) => {
                let bytes = batch.bytes + resource.wire().len();
                if bytes > max_bytes && !batch.resources.is_empty() {
                    return false;
                }
                batch.bytes = bytes;
                batch.resources.push(Arc::clone(resource));
            }
            None => batch.missing.push(name.clone()),
        }
        self.dirty.remove(name);
        self.forced.remove(name);
        true
    }

    /// What the client has, with `changed` in it and without `removed`.
    pub(super) fn held_with(&self, changed: &[Arc<Resource>], removed: &[Name]) -> BTreeMap<Name, Held> {
        let mut all = self.held.clone();
        all.retain(|name, _| !removed.contains(name));
        all.extend(changed.iter().map(|resource| (resource.name().clone(), Held::from(resource))));
        all
    }

    /// The client has `resource` from an earlier stream.
    pub(super) fn has(&mut self, resource: &Arc<Resource>) {
        self.forced.remove(resource.name());
        self.held.insert(resource.name().clone(), Held::from(resource));
    }

    /// Voids everything about names that the client does not want.
    pub(super) fn drop_unwanted(&mut self) {
        let known = self.held.keys().chain(&self.dirty).chain(&self.gone).chain(self.rejected.keys());
        let unwanted: Vec<Name> = known.filter(|name| !self.wants(name)).cloned().collect();
        for name in unwanted {
            self.forget(&name);
        }
    }

    /// The client accepted what was under way.
    pub(super) fn accept(&mut self, ty: ResourceType, pending: Pending, snapshot: &Snapshot) {
        let Pending { nonce: _, sent, removed } = pending;
        for resource in sent {
            let name = resource.name().clone();
            self.rejected.remove(&name);
            if self.wants(&name) {
                self.held.insert(name.clone(), Held::from(&resource));
            }
            self.mark(ty, &name, snapshot);
        }
        for name in removed {
            self.held.remove(&name);
            self.mark(ty, &name, snapshot);
        }
    }

    /// The client refused what was under way. What was alone in it is not sent again in that version; what was among
    /// others is sent in smaller parts, those that the reason names each by itself.
    pub(super) fn refuse(&mut self, ty: ResourceType, pending: Pending, reason: &str, snapshot: &Snapshot) {
        let Pending { nonce: _, sent, removed } = pending;
        for name in &removed {
            self.held.remove(name);
            self.mark(ty, name, snapshot);
        }
        if let [resource] = &sent[..] {
            let rejected = Rejected { version: resource.version().clone(), reason: cut(reason) };
            self.rejected.insert(resource.name().clone(), rejected);
            self.mark(ty, resource.name(), snapshot);
            return;
        }
        let names: Vec<Name> = sent.iter().map(|resource| resource.name().clone()).collect();
        for name in &names {
            self.force(ty, name, snapshot);
        }
        let (named, others): (Vec<Name>, Vec<Name>) =
            names.into_iter().partition(|name| is_named_in(reason, name));
        let named = named.into_iter().map(|name| vec![name]);
        if named.len() == 0 {
            let half = others.len().div_ceil(2);
            self.suspects.extend(others.chunks(half.max(1)).map(<[Name]>::to_vec));
        } else {
            let others = (!others.is_empty()).then_some(others);
            self.suspects.extend(others.into_iter().chain(named));
        }
    }
}

fn cut(reason: &str) -> String {
    reason[..reason.floor_char_boundary(MAX_REASON)].to_owned()
}

/// Whether `text` speaks of `name`, and not of a longer name that contains it.
fn is_named_in(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + name.len()..].chars();
        let goes_on = match after.next() {
            Some('.') => after.next().is_some_and(is_part),
            Some(c) => is_part(c),
            None => false,
        };
        !before.is_some_and(|c| is_part(c) || c == '.') && !goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_whole_names_only() {
        for (text, name, expected) in [
            ("Error adding/updating cluster(s) books: no port", "books", true),
            ("Error adding/updating cluster(s) books.acme.example: no port", "books.acme.example", true),
            ("cluster books.acme.example.", "books.acme.example", true),
            ("cluster books.acme.example, reviews.acme.example", "reviews.acme.example", true),
            ("cluster books.acme.example: no port", "books", false),
            ("cluster books.acme.example: no port", "acme.example", false),
            ("cluster e-books: no port", "books", false),
            ("cluster books2: no port", "books", false),
            ("", "books", false),
        ] {
            assert_eq!(is_named_in(text, name), expected, "{name:?} in {text:?}");
        }
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let long = "é".repeat(MAX_REASON);
        assert_eq!(cut(&long).len(), MAX_REASON);
        assert_eq!(cut(&format!("a{long}")).len(), MAX_REASON - 1);
    }
}
