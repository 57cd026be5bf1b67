//! Which fields of a subgraph are external, shareable, provided or used by field sets.

use super::field_sets::{FieldSets, visit_fields};
use super::table::Fields;
use crate::model::{Directives, Kind, Name, Role, Schema, TypeDef};

/// The standing of a subgraph's fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    external: Fields,
    fake_external: Fields,
    provided: Fields,
    used: Fields,
    shareable: Fields,
}

impl Usage {
    pub(crate) fn of(schema: &Schema, sets: &FieldSets) -> Usage {
        let mut usage = Usage::default();
        usage.collect_keys(schema, sets);
        usage.collect_requires_and_provides(schema, sets);
        usage.collect_interface_fields(schema);
        usage.collect_external_and_shareable(schema);
        usage
    }

    /// Marked `@external`, and meant so: not resolved by this subgraph, unless provided.
    pub(crate) fn is_external(&self, ty: &str, field: &str) -> bool {
        self.external.contains(ty, field)
    }

    /// Marked `@external`, but a key of an extension, which federation 1 demanded although the subgraph
    /// does resolve it.
    pub(crate) fn is_fake_external(&self, ty: &str, field: &str) -> bool {
        self.fake_external.contains(ty, field)
    }

    /// External, and provided on no path.
    pub(crate) fn is_fully_external(&self, ty: &str, field: &str) -> bool {
        self.is_external(ty, field) && !self.provided.contains(ty, field)
    }

    /// Part of a field set, or needed for an interface.
    pub(crate) fn is_used(&self, ty: &str, field: &str) -> bool {
        self.used.contains(ty, field)
    }

    /// May be resolved by other subgraphs as well.
    pub(crate) fn is_shareable(&self, ty: &str, field: &str) -> bool {
        self.shareable.contains(ty, field)
    }

    fn collect_keys(&mut self, schema: &Schema, sets: &FieldSets) {
        for ty in schema.types.values() {
            for key in sets.keys_of(&ty.name) {
                let extension = key.block.is_extension() || ty.has(Role::Extends);
                visit_fields(schema, &ty.name, &key.fields, false, &mut |parent, name| {
                    self.shareable.insert(parent, name, ());
                    if extension && marked_external(schema, parent, name) {
                        self.fake_external.insert(parent, name, ());
                    }
                });
                visit_fields(schema, &ty.name, &key.fields, true, &mut |parent, name| {
                    self.used.insert(parent, name, ());
                });
            }
        }
    }

    fn collect_requires_and_provides(&mut self, schema: &Schema, sets: &FieldSets) {
        for ty in schema.types.values() {
            for field in ty.fields.values() {
                if let Some(selections) = sets.requires.get(&ty.name, &field.name) {
                    visit_fields(schema, &ty.name, selections, true, &mut |parent, name| {
                        self.used.insert(parent, name, ());
                    });
                }
                if let Some(selections) = sets.provides.get(&ty.name, &field.name) {
                    visit_fields(schema, field.ty.base(), selections, true, &mut |parent, name| {
                        self.used.insert(parent, name, ());
                        self.provided.insert(parent, name, ());
                        self.shareable.insert(parent, name, ());
                    });
                }
            }
        }
    }

    fn collect_interface_fields(&mut self, schema: &Schema) {
        for ty in schema.types.values().filter(|t| t.kind == Kind::Object) {
            let interfaces = ty.interfaces.iter().filter_map(|i| schema.types.get(i));
            for field in interfaces.flat_map(|i| i.fields.keys()) {
                self.used.insert(&ty.name, field, ());
            }
        }
    }

    fn collect_external_and_shareable(&mut self, schema: &Schema) {
        for ty in schema.types.values() {
            for field in ty.fields.values() {
                let external = field.has(Role::External) || on_block(ty, Role::External, field.block);
                if external && !self.is_fake_external(&ty.name, &field.name) {
                    self.external.insert(&ty.name, &field.name, ());
                }
                if field.has(Role::Shareable) || on_block(ty, Role::Shareable, field.block) {
                    self.shareable.insert(&ty.name, &field.name, ());
                }
            }
        }
    }
}

/// The directive is on the block of the type that the field is written in.
pub(crate) fn on_block(ty: &TypeDef, role: Role, block: crate::model::Block) -> bool {
    ty.with_role(role).any(|d| d.block == block)
}

fn marked_external(schema: &Schema, ty: &Name, field: &Name) -> bool {
    schema.types.get(ty).and_then(|t| t.fields.get(field)).is_some_and(|f| f.has(Role::External))
}
