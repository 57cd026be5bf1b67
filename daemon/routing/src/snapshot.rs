//! The routes in use, as others read them: immutable, shared, and cheap to compare with what they were.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::attributes::Attributes;
use crate::decision::Standing;
use crate::fsm::PeerId;
use crate::persistent::{Difference, PersistentMap};
use crate::service::Service;
use crate::table::{External, Internal};

/// Where a path was learned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteSource {
    /// It is a service of this node's own.
    Local,
    /// A peer announced it.
    Peer(Arc<PeerId>),
}

/// A path that is used, or stands by.
#[derive(Debug, Clone)]
pub struct SelectedPath {
    /// Its attributes, as the import policy made them.
    pub attributes: Arc<Attributes>,
    /// Where it was learned.
    pub source: RouteSource,
    /// Whether it is used, and if not why it only stands by.
    pub standing: Standing,
}

impl PartialEq for SelectedPath {
    /// Compares addresses first: attributes are kept once, so equal ones mostly are the same.
    fn eq(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.attributes, &other.attributes) || self.attributes == other.attributes)
            && self.source == other.source
            && self.standing == other.standing
    }
}

impl Eq for SelectedPath {}

/// The paths to a service: the best, those used beside it, then those that stand by. Never empty.
pub type SelectedPaths = Arc<[SelectedPath]>;

/// What became of a service between two snapshots.
#[derive(Debug, PartialEq, Eq)]
pub enum RouteChange<'a> {
    /// It can be reached now.
    Added(&'a Service, &'a SelectedPaths),
    /// It is reached in another way, or its attributes have changed.
    Changed(&'a Service, &'a SelectedPaths),
    /// It can't be reached any more.
    Removed(&'a Service),
}

/// One table's routes in use, sorted by service. `T` says which table, so that one is never taken for the other.
#[derive(Debug)]
pub struct TableSnapshot<T> {
    pub(crate) routes: PersistentMap<Service, SelectedPaths>,
    table: PhantomData<fn() -> T>,
}

impl<T> Clone for TableSnapshot<T> {
    fn clone(&self) -> Self {
        Self { routes: self.routes.clone(), table: PhantomData }
    }
}

impl<T> TableSnapshot<T> {
    pub(crate) const fn new(routes: PersistentMap<Service, SelectedPaths>) -> Self {
        Self { routes, table: PhantomData }
    }

    /// The paths to `service`.
    pub fn get(&self, service: &Service) -> Option<&SelectedPaths> {
        self.routes.get(service)
    }

    /// All services that can be reached, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&Service, &SelectedPaths)> {
        self.routes.iter()
    }

    /// How many services can be reached.
    pub const fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether none can.
    pub const fn is_empty(&self) -> bool {
        self.routes.len() == 0
    }

    /// What has changed since `older`, sorted by service. The cost is that of the changes, and of one comparison of
    /// addresses for every couple of hundred services.
    pub fn changes_since<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = RouteChange<'a>> {
        self.routes.diff(&older.routes).into_iter().map(|difference| match difference {
            Difference::Added(service, paths) => RouteChange::Added(service, paths),
            Difference::Changed(service, paths) => RouteChange::Changed(service, paths),
            Difference::Removed(service) => RouteChange::Removed(service),
        })
    }
}

/// The routes in use at one moment. A reader that has missed some snapshots compares the last it saw with the newest.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Grows with each change.
    pub version: u64,
    /// This organisation's services.
    pub internal: TableSnapshot<Internal>,
    /// Other organisations' services.
    pub external: TableSnapshot<External>,
}

/// The paths to a service, and which table they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// The service is this organisation's.
    Internal(&'a SelectedPaths),
    /// It is another's.
    External(&'a SelectedPaths),
}

impl Snapshot {
    /// The paths to `service`. An external route is never looked at while there is an internal one of the same name.
    pub fn resolve(&self, service: &Service) -> Option<Resolved<'_>> {
        let external = || self.external.get(service).map(Resolved::External);
        self.internal.get(service).map(Resolved::Internal).or_else(external)
    }

    pub(crate) fn empty() -> Self {
        Self {
            version: 0,
            internal: TableSnapshot::new(PersistentMap::new()),
            external: TableSnapshot::new(PersistentMap::new()),
        }
    }
}
