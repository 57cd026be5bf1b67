//! `@shareable`: a field resolved by several subgraphs must be meant so by all of them.

use super::fields::FieldSources;
use super::overrides::Standing;
use super::{Merger, listed};
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{Directives, Kind, Name, Operation, Role};

impl<'a> Merger<'a> {
    pub(super) fn check_sharing(&mut self, set: &FieldSources<'_, 'a>, name: &Name) {
        let alone = set.fields.len() < 2 && set.interface_objects.is_empty();
        if set.kind != Kind::Object || (alone && &**set.parent != Operation::Subscription.type_name()) {
            return;
        }
        if &**set.parent == Operation::Subscription.type_name() {
            self.check_subscription(set);
        }
        let (mut shared, mut unshared) = (Vec::new(), Vec::new());
        for (index, subgraph) in self.subgraphs.iter().enumerate() {
            for owner in self.resolving_types(set, index, name) {
                let usage = &subgraph.usage;
                if usage.is_fully_external(owner, name) {
                    continue;
                }
                let list = if usage.is_shareable(owner, name) { &mut shared } else { &mut unshared };
                list.push(subgraph.name.as_str());
            }
        }
        if unshared.is_empty() || shared.len() + unshared.len() < 2 {
            return;
        }
        let at = set.coordinate();
        let mut all = [shared.clone(), unshared.clone()].concat();
        all.sort_unstable();
        let unshared_in = if shared.is_empty() { "any of them".to_owned() } else { listed(&unshared) };
        let message =
            format!("`{at}` is resolved by {}, but is not shareable in {unshared_in}", listed(&all));
        let error = CompositionError::new(ErrorCode::InvalidFieldSharing, message).at(at);
        self.errors.push(error.within(all));
    }

    /// The types of a subgraph through which it resolves the field: the type itself, or interface objects
    /// that stand for it.
    fn resolving_types(&self, set: &FieldSources<'_, 'a>, index: usize, name: &Name) -> Vec<&'a Name> {
        match (set.fields.get(index), set.parents.get(index)) {
            (Some(_), parent) => match set.standing(index) {
                Standing::Gone | Standing::UsedOverridden => Vec::new(),
                Standing::Labelled(label) if !label.when => Vec::new(),
                Standing::Labelled(_) | Standing::Plain => parent.map(|p| &p.name).into_iter().collect(),
            },
            (None, Some(_)) => Vec::new(),
            (None, None) => self.interface_objects_with(set, index, name),
        }
    }

    /// The interface objects of a subgraph that stand for the type being merged and have the field.
    fn interface_objects_with(&self, set: &FieldSources<'_, 'a>, index: usize, name: &Name) -> Vec<&'a Name> {
        let types = set.interface_objects.iter().filter_map(|i| self.subgraphs[index].schema.types.get(*i));
        types
            .filter(|t| t.has(Role::InterfaceObject) && t.fields.contains_key(name))
            .map(|t| &t.name)
            .collect()
    }

    /// Some interface object resolves the field on the type's behalf.
    pub(super) fn is_resolved_by_interface_object(&self, set: &FieldSources<'_, 'a>, name: &Name) -> bool {
        (0..self.subgraphs.len())
            .filter(|index| set.parents.get(*index).is_none())
            .any(|index| !self.interface_objects_with(set, index, name).is_empty())
    }

    /// A subscription runs in one subgraph; several would each send their own events.
    fn check_subscription(&mut self, set: &FieldSources<'_, 'a>) {
        for (index, field) in set.fields.iter() {
            let subgraph = &self.subgraphs[index];
            if subgraph.usage.is_shareable(set.parent, &field.name) {
                let at = set.coordinate();
                let message = format!("`{at}` cannot be shareable: a subscription has one source");
                let error = CompositionError::new(ErrorCode::InvalidFieldSharing, message).at(at);
                self.errors.push(error.within([subgraph.name.as_str()]));
            }
        }
    }
}
