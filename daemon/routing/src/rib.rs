//! One table of routes: every path that every peer has told of, ranked, and a journal of what has changed.
//!
//! Adj-RIB-In, Loc-RIB and Adj-RIB-Out are three views of it, not three copies. A *net* is a service with all paths to
//! it; a peer's Adj-RIB-In are the paths with the peer as source (which nets have one is a bit each, kept with the
//! peer); the Loc-RIB are the ranked paths themselves; an Adj-RIB-Out is computed by export policy from those, for a
//! whole group of peers at once (see [`crate::router`]). Readers (groups of peers, snapshots) follow the journal.

pub(crate) mod bitset;
pub(crate) mod journal;
mod net;

use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;
use std::sync::Arc;

use hashbrown::HashTable;
use smallvec::SmallVec;

use self::journal::{Entry, Journal};
pub(crate) use self::net::{Context, Net, NewPath, PathEntry, Scope, Source, SourceId};
use self::net::{Difference, Paths, Told, age_of, rank};
use crate::decision::Standing;
use crate::service::Service;

/// One table. `T` says which.
#[derive(Debug)]
pub(crate) struct Rib<T> {
    nets: Vec<Net>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
    journal: Journal,
    version: u64,
    /// Every reader has read up to here.
    read: u64,
    /// Services changed since the last snapshot; `None` if the next one is made from scratch.
    dirty: Option<Vec<Service>>,
    table: PhantomData<fn() -> T>,
}

impl<T> Rib<T> {
    pub(crate) fn new() -> Self {
        Self {
            nets: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            journal: Journal::default(),
            version: 0,
            read: 0,
            dirty: None,
            table: PhantomData,
        }
    }

    /// Grows with each change.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Services with a path, usable or not. Those just withdrawn count until every reader knows.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Numbers of nets are below this.
    pub(crate) fn slots(&self) -> u32 {
        u32::try_from(self.nets.len()).expect("a net is only added while its number fits")
    }

    pub(crate) fn net(&self, id: u32) -> &Net {
        &self.nets[id as usize]
    }

    pub(crate) fn find(&self, service: &Service) -> Option<u32> {
        let hash = self.hasher.hash_one(service);
        self.index.find(hash, |&id| self.net(id).service() == service).copied()
    }

    /// The numbers of all nets with a path, from `from` on.
    pub(crate) fn nets_from(&self, from: u32) -> impl Iterator<Item = (u32, &Net)> {
        (from..).zip(self.nets[from as usize..].iter()).filter(|(_, net)| !net.paths.is_empty())
    }

    /// The nets that have changed after `version` in what `scope` says, each at its last such change.
    pub(crate) fn changes_after(&self, version: u64, scope: Scope) -> impl Iterator<Item = (u64, u32, &Net)> {
        let live = move |e: &Entry| self.net(e.net).last_change(scope) == e.version;
        self.journal.after(version).filter(live).map(|e| (e.version, e.net, self.net(e.net)))
    }

    /// Puts `new` in the place of all paths of `source`. Gives the net, and whether the source had none before.
    pub(crate) fn replace(
        &mut self,
        service: &Service,
        source: SourceId,
        new: &[NewPath],
        context: &Context<'_>,
    ) -> (u32, bool) {
        let id = self.find_or_insert(service);
        let had = self.net(id).paths.iter().any(|p| p.source == source);
        self.edit(id, context, |paths| {
            let entry = |(rank, path): (u8, &NewPath)| PathEntry {
                received: Arc::clone(&path.received),
                imported: Arc::clone(&path.imported),
                learned_at: age_of(paths, source, &path.imported).unwrap_or(context.now),
                source,
                rank,
                stale: false,
                standing: path.rejected.map_or(Standing::Best, Standing::Rejected),
            };
            let entries: Paths = (0..).zip(new).map(entry).collect();
            if paths.len() == usize::from(had) {
                *paths = entries;
            } else {
                paths.retain(|p| p.source != source);
                paths.extend(entries);
            }
        });
        (id, !had)
    }

    /// Keeps of the paths of `source` to net `id` those that `keep` says. Gives whether one is left.
    pub(crate) fn retain(
        &mut self,
        id: u32,
        source: SourceId,
        context: &Context<'_>,
        keep: impl Fn(&PathEntry) -> bool,
    ) -> bool {
        self.edit(id, context, |paths| paths.retain(|p| p.source != source || keep(p)));
        self.net(id).paths.iter().any(|p| p.source == source)
    }

    /// Changes the paths of `source` to net `id` in place.
    pub(crate) fn update(
        &mut self,
        id: u32,
        source: SourceId,
        context: &Context<'_>,
        mut change: impl FnMut(&mut PathEntry),
    ) {
        self.edit(id, context, |paths| paths.iter_mut().filter(|p| p.source == source).for_each(&mut change));
    }

    /// Marks the paths of `source` to net `id` as not confirmed. They stay in use.
    pub(crate) fn mark_stale(&mut self, id: u32, source: SourceId) {
        self.nets[id as usize].paths.iter_mut().filter(|p| p.source == source).for_each(|p| p.stale = true);
    }

    /// Every reader has read up to `version`: forgets the journal up to there, and the nets that are gone. `freed` is
    /// told their numbers, which may be used again.
    pub(crate) fn read_up_to(&mut self, version: u64, mut freed: impl FnMut(u32)) {
        self.read = version;
        while let Some(entry) = self.journal.pop_read(version) {
            let net = &mut self.nets[entry.net as usize];
            if net.changed != entry.version || !net.paths.is_empty() {
                continue;
            }
            let service = net.service.take().expect("a net with a live entry is in use");
            let hash = self.hasher.hash_one(&service);
            if let Ok(entry) = self.index.find_entry(hash, |&id| id == entry.net) {
                entry.remove();
            }
            net.paths.shrink_to_fit();
            self.free.push(entry.net);
            freed(entry.net);
        }
        self.journal.shrink();
    }

    /// The services changed since this was last called; `None` if everything may have.
    pub(crate) fn take_dirty(&mut self) -> Option<Vec<Service>> {
        self.dirty.replace(Vec::new())
    }

    fn find_or_insert(&mut self, service: &Service) -> u32 {
        let hash = self.hasher.hash_one(service);
        let nets = &mut self.nets;
        if let Some(&id) = self.index.find(hash, |&id| nets[id as usize].service.as_ref() == Some(service)) {
            return id;
        }
        let net = Net {
            service: Some(service.clone()),
            paths: Paths::new(),
            changed: 0,
            best_changed: 0,
            told: Told::Nobody,
        };
        let id = match self.free.pop() {
            Some(id) => {
                nets[id as usize] = net;
                id
            }
            None => {
                let id =
                    u32::try_from(nets.len()).expect("the peers' route limits keep a table far below 2^32");
                nets.push(net);
                id
            }
        };
        let hasher = &self.hasher;
        let rehash = |&id: &u32| hasher.hash_one(nets[id as usize].service());
        self.index.insert_unique(hash, id, rehash);
        id
    }

    fn edit(&mut self, id: u32, context: &Context<'_>, change: impl FnOnce(&mut Paths)) {
        let net = &mut self.nets[id as usize];
        // Clones, not addresses: a set freed by the change could come back at the same place with another content.
        let before: SmallVec<[_; 2]> = net.usable().map(|p| (p.source, Arc::clone(&p.imported))).collect();
        change(&mut net.paths);
        rank(&mut net.paths, context);
        let mut told = net.told;
        net.usable().for_each(|p| told.add(p.source));
        net.told = told;
        match Difference::between(&before, net.usable()) {
            Difference::Nothing => self.forget_if_unseen(id),
            Difference::Others => self.touch(id, false),
            Difference::Best => self.touch(id, true),
        }
    }

    fn touch(&mut self, id: u32, best: bool) {
        self.version += 1;
        let version = self.version;
        let slots = self.nets.len();
        let net = &mut self.nets[id as usize];
        net.changed = version;
        if best {
            net.best_changed = version;
        }
        if let Some(dirty) = &mut self.dirty {
            dirty.push(net.service().clone());
            // Nobody takes snapshots: the next one, if any, is made from scratch.
            if dirty.len() > 2 * slots + 1024 {
                self.dirty = None;
            }
        }
        self.journal.push(Entry { version, net: id });
        let nets = &self.nets;
        self.journal.compact(slots, |e| {
            let net = &nets[e.net as usize];
            net.changed == e.version || net.best_changed == e.version
        });
    }

    /// A net that lost its last path without a usable one ever having been there has no entry in the journal that
    /// would free it. It is given one.
    fn forget_if_unseen(&mut self, id: u32) {
        let net = self.net(id);
        if net.paths.is_empty() && net.changed <= self.read {
            self.touch(id, false);
        }
    }
}

#[cfg(test)]
mod tests;
