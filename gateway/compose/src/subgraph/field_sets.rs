//! The field sets of a subgraph (`@key`, `@requires`, `@provides`), parsed.

use std::collections::HashMap;

use super::table::FieldTable;
use crate::model::{Block, Directive, Directives, Kind, Name, Role, Schema, Value};
use crate::parse::{Selection, parse_selection};

/// A `@key`, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// As written.
    pub text: Name,
    pub fields: Vec<Selection>,
    pub resolvable: bool,
    pub block: Block,
}

/// Every field set of a subgraph that parses; the rules report the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldSets {
    pub keys: HashMap<Name, Vec<Key>>,
    pub requires: FieldTable<Vec<Selection>>,
    pub provides: FieldTable<Vec<Selection>>,
}

impl FieldSets {
    pub(crate) fn parse(schema: &Schema) -> FieldSets {
        let mut sets = FieldSets::default();
        for ty in schema.types.values() {
            let keys: Vec<Key> = ty.with_role(Role::Key).filter_map(parse_key).collect();
            if !keys.is_empty() {
                sets.keys.insert(ty.name.clone(), keys);
            }
            for field in ty.fields.values() {
                for (role, table) in
                    [(Role::Requires, &mut sets.requires), (Role::Provides, &mut sets.provides)]
                {
                    if let Some(fields) = field.first(role).and_then(fields_argument)
                        && let Ok(selections) = parse_selection(fields)
                    {
                        table.insert(&ty.name, &field.name, selections);
                    }
                }
            }
        }
        sets
    }

    /// The keys of a type; none for a type that is no entity.
    pub(crate) fn keys_of(&self, ty: &str) -> &[Key] {
        self.keys.get(ty).map_or(&[], Vec::as_slice)
    }
}

fn parse_key(directive: &Directive) -> Option<Key> {
    let text = fields_argument(directive)?;
    Some(Key {
        text: text.into(),
        fields: parse_selection(text).ok()?,
        resolvable: directive.argument("resolvable") != Some(&Value::Boolean(false)),
        block: directive.block,
    })
}

/// The `fields:` of a directive, where it is a string.
pub(crate) fn fields_argument(directive: &Directive) -> Option<&str> {
    directive.argument("fields").and_then(Value::as_str)
}

/// Calls `visit` with every field (by type and name) that selections on `parent` name. With
/// `implementations`, a field of an interface counts for the types implementing it too.
pub(crate) fn visit_fields(
    schema: &Schema,
    parent: &Name,
    selections: &[Selection],
    implementations: bool,
    visit: &mut dyn FnMut(&Name, &Name),
) {
    let Some(ty) = schema.types.get(parent) else { return };
    for selection in selections {
        match selection {
            Selection::Field { name, selections, .. } => {
                let Some(field) = ty.fields.get(name) else { continue };
                visit(parent, name);
                if implementations && ty.kind == Kind::Interface {
                    for implementation in schema.possible_types(parent) {
                        visit(implementation, name);
                    }
                }
                visit_fields(schema, field.ty.base(), selections, implementations, visit);
            }
            Selection::Fragment { on, selections, .. } => {
                visit_fields(schema, on.as_ref().unwrap_or(parent), selections, implementations, visit);
            }
        }
    }
}
