//! A map from fields to something, asked by names without copying them.

use std::collections::HashMap;

use crate::model::Name;

/// What is known of fields, by type and field name.
#[derive(Clone, Debug)]
pub(crate) struct FieldTable<T>(HashMap<Name, HashMap<Name, T>>);

/// A set of fields.
pub(crate) type Fields = FieldTable<()>;

impl<T> Default for FieldTable<T> {
    fn default() -> Self {
        FieldTable(HashMap::new())
    }
}

impl<T> FieldTable<T> {
    pub(crate) fn insert(&mut self, ty: &Name, field: &Name, value: T) {
        self.0.entry(ty.clone()).or_default().insert(field.clone(), value);
    }

    pub(crate) fn get(&self, ty: &str, field: &str) -> Option<&T> {
        self.0.get(ty)?.get(field)
    }
}

impl Fields {
    pub(crate) fn contains(&self, ty: &str, field: &str) -> bool {
        self.get(ty, field).is_some()
    }
}
