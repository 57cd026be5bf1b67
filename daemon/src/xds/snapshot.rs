//! Everything that is served at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::resource::{Name, Resource, ResourceType};

/// All resources of a node at one moment, by type and name. Resources are shared, never copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    resources: [BTreeMap<Name, Arc<Resource>>; ResourceType::ALL.len()],
}

impl Snapshot {
    /// The resources of one type.
    pub fn of(&self, ty: ResourceType) -> &BTreeMap<Name, Arc<Resource>> {
        &self.resources[ty.index()]
    }

    /// One resource, if there is such.
    pub fn resource(&self, ty: ResourceType, name: &str) -> Option<&Arc<Resource>> {
        self.of(ty).get(name)
    }

    /// Number of resources of all types.
    pub fn len(&self) -> usize {
        self.resources.iter().map(BTreeMap::len).sum()
    }

    /// Whether nothing is served.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a resource in place of the one with the same type and name.
    pub fn insert(&mut self, resource: Arc<Resource>) {
        self.resources[resource.ty().index()].insert(resource.name().clone(), resource);
    }

    /// Removes a resource; nothing happens if there is none.
    pub fn remove(&mut self, ty: ResourceType, name: &str) {
        self.resources[ty.index()].remove(name);
    }
}

impl FromIterator<Resource> for Snapshot {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut snapshot = Self::default();
        for resource in resources {
            snapshot.insert(Arc::new(resource));
        }
        snapshot
    }
}
