//! Federation 1 subgraphs, brought to what federation 2 would have written: extensions become plain
//! types, idle `@external`, `@provides` and `@requires` go, and what several subgraphs resolve becomes
//! `@shareable`. Needs all subgraphs, since a subgraph of federation 1 spoke with the others in mind.

use std::collections::HashMap;

use crate::errors::{CompositionError, ErrorCode};
use crate::model::{
    Block, Directive, Directives, Field, Kind, Name, Operation, Role, Schema, TypeDef, Value,
};
use crate::parse::{Selection, parse_selection, print_selection};
use crate::subgraph::{Subgraph, Usage, fields_argument, visit_fields};

/// Upgrades the federation 1 subgraphs among `subgraphs`; the others stay as they are.
pub(crate) fn upgrade(subgraphs: &mut [Subgraph]) -> Result<(), Vec<CompositionError>> {
    let errors = extensions_without_base(subgraphs);
    if !errors.is_empty() {
        return Err(errors);
    }
    let v1: Vec<usize> = (0..subgraphs.len()).filter(|i| subgraphs[*i].links.is_federation_1()).collect();
    let foreign_keys: Vec<KeysElsewhere> = v1.iter().map(|i| keys_elsewhere(subgraphs, *i)).collect();
    let mut errors = Vec::new();
    for (index, foreign_keys) in v1.iter().zip(&foreign_keys) {
        errors.extend(upgrade_alone(&mut subgraphs[*index], foreign_keys));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // What is shared shows only once all are upgraded. Decided for all before any is changed.
    let shared: Vec<_> = v1.iter().map(|i| shared_with_others(subgraphs, *i)).collect();
    for (index, shared) in v1.iter().zip(shared) {
        mark_shareable(&mut subgraphs[*index], shared);
    }
    Ok(())
}

/// An extension in a federation 1 subgraph needs a definition in some other subgraph.
fn extensions_without_base(subgraphs: &[Subgraph]) -> Vec<CompositionError> {
    let mut errors = Vec::new();
    for subgraph in subgraphs.iter().filter(|s| s.links.is_federation_1()) {
        for ty in subgraph.schema.types.values() {
            if !is_extension(ty) || Operation::ALL.iter().any(|o| o.type_name() == &*ty.name) {
                continue;
            }
            let defined = |s: &Subgraph| s.schema.types.get(&ty.name).is_some_and(|t| t.defined);
            if !subgraphs.iter().any(|s| s.name != subgraph.name && defined(s)) {
                let message = format!("`{}` is an extension, but no subgraph defines the type", ty.name);
                errors.push(
                    CompositionError::new(ErrorCode::ExtensionWithNoBase, message)
                        .at(&*ty.name)
                        .within([subgraph.name.as_str()]),
                );
            }
        }
    }
    errors
}

fn is_extension(ty: &TypeDef) -> bool {
    matches!(ty.kind, Kind::Object | Kind::Interface) && ty.is_federation_extension()
}

/// The fields that are keys of a type in other subgraphs, by type.
type KeysElsewhere = HashMap<Name, Vec<Name>>;

/// For extensions without `@key` of their own: they are reached by the keys of the definition.
fn keys_elsewhere(subgraphs: &[Subgraph], index: usize) -> KeysElsewhere {
    let mut keys = KeysElsewhere::new();
    let own = &subgraphs[index].schema;
    for ty in own.types.values().filter(|t| is_extension(t) && !t.has(Role::Key)) {
        let others = subgraphs.iter().enumerate().filter(|(i, _)| *i != index);
        let others = others.filter(|(_, s)| s.schema.types.get(&ty.name).is_some_and(|t| t.defined));
        for key in others.flat_map(|(_, s)| s.sets.keys_of(&ty.name)) {
            let names = keys.entry(ty.name.clone()).or_default();
            names.extend(key.fields.iter().filter_map(|s| match s {
                Selection::Field { name, .. } => Some(name.clone()),
                Selection::Fragment { .. } => None,
            }));
        }
    }
    keys
}

fn upgrade_alone(subgraph: &mut Subgraph, foreign_keys: &KeysElsewhere) -> Vec<CompositionError> {
    let schema = &mut subgraph.schema;
    clean_interfaces(schema);
    clean_extensions(schema, foreign_keys);
    for ty in schema.types.values_mut().filter(|t| t.kind == Kind::Object) {
        ty.directives.retain(|d| d.role != Role::External);
    }
    subgraph.refresh();
    remove_idle_field_sets(&mut subgraph.schema, &subgraph.usage);
    subgraph.refresh();
    let errors = remove_unused_external(subgraph);
    subgraph.refresh();
    // Tags on fields of other subgraphs are theirs to set.
    for ty in subgraph.schema.types.values_mut() {
        let name = ty.name.clone();
        for field in ty.fields.values_mut().filter(|f| subgraph.usage.is_external(&name, &f.name)) {
            field.directives.retain(|d| d.role != Role::Tag);
        }
    }
    errors
}

fn clean_interfaces(schema: &mut Schema) {
    for ty in schema.types.values_mut().filter(|t| t.kind == Kind::Interface) {
        ty.directives.retain(|d| d.role != Role::Key);
        for field in ty.fields.values_mut() {
            field.directives.retain(|d| !matches!(d.role, Role::External | Role::Requires | Role::Provides));
        }
    }
}

/// The keys of an extension had to be `@external`, although the subgraph resolves them; and whether a
/// type was written as an extension no longer matters.
fn clean_extensions(schema: &mut Schema, foreign_keys: &KeysElsewhere) {
    let mut keys: Vec<(Name, Name)> = Vec::new();
    for ty in schema.types.values().filter(|t| is_extension(t)) {
        for key in ty.with_role(Role::Key) {
            let Some(Ok(selections)) = fields_argument(key).map(parse_selection) else { continue };
            visit_fields(schema, &ty.name, &selections, false, &mut |parent, field| {
                keys.push((parent.clone(), field.clone()));
            });
        }
        let foreign = foreign_keys.get(&ty.name).into_iter().flatten();
        keys.extend(foreign.map(|field| (ty.name.clone(), field.clone())));
    }
    for (parent, field) in keys {
        if let Some(field) = schema.types.get_mut(&parent).and_then(|t| t.fields.get_mut(&field)) {
            field.directives.retain(|d| d.role != Role::External);
        }
    }
    for ty in schema.types.values_mut() {
        let root = Operation::ALL.iter().any(|o| o.type_name() == &*ty.name);
        if is_extension(ty) || (root && !ty.defined) {
            ty.defined = true;
            ty.extended = false;
            ty.directives.iter_mut().for_each(|d| d.block = Block::DEFINITION);
            ty.fields.values_mut().for_each(|f| f.block = Block::DEFINITION);
        }
    }
}

/// `@provides` and `@requires` of fields the subgraph resolves anyway say nothing.
fn remove_idle_field_sets(schema: &mut Schema, usage: &Usage) {
    let mut changes: Vec<(Name, Name, Role, Option<String>)> = Vec::new();
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            for (role, parent) in [(Role::Requires, &ty.name), (Role::Provides, field.ty.base())] {
                let Some(directive) = field.first(role) else { continue };
                let selections = fields_argument(directive).and_then(|text| parse_selection(text).ok());
                let Some(selections) = selections else { continue };
                let composite = schema.kind_of(parent).is_some_and(Kind::is_composite);
                let active = if composite { active(schema, usage, parent, &selections) } else { Vec::new() };
                if active != selections {
                    let text = (!active.is_empty()).then(|| print_selection(&active));
                    changes.push((ty.name.clone(), field.name.clone(), role, text));
                }
            }
        }
    }
    for (ty, field, role, text) in changes {
        let Some(field) = schema.types.get_mut(&ty).and_then(|t| t.fields.get_mut(&field)) else { continue };
        match text {
            None => field.directives.retain(|d| d.role != role),
            Some(text) => set_fields_argument(field, role, &text),
        }
    }
}

fn set_fields_argument(field: &mut Field, role: Role, text: &str) {
    let directives = field.directives.iter_mut().filter(|d| d.role == role);
    for (name, value) in directives.flat_map(|d| &mut d.arguments) {
        if &**name == "fields" {
            *value = Value::string(text);
        }
    }
}

/// The selections that are external, or lead to something external.
fn active(schema: &Schema, usage: &Usage, parent: &Name, selections: &[Selection]) -> Vec<Selection> {
    let Some(ty) = schema.types.get(parent) else { return Vec::new() };
    let mut kept = Vec::new();
    for selection in selections {
        match selection {
            Selection::Field { name, selections: below, .. } => {
                let Some(field) = ty.fields.get(name) else { continue };
                let implementations = schema.possible_types(parent);
                let external = usage.is_external(parent, name)
                    || ty.kind == Kind::Interface
                        && implementations.iter().any(|i| usage.is_external(i, name));
                if external {
                    kept.push(selection.clone());
                } else if !below.is_empty() {
                    let below = active(schema, usage, field.ty.base(), below);
                    if !below.is_empty() {
                        kept.push(selection.with_selections(below));
                    }
                }
            }
            Selection::Fragment { on, selections: below, .. } => {
                let below = active(schema, usage, on.as_ref().unwrap_or(parent), below);
                if !below.is_empty() {
                    kept.push(selection.with_selections(below));
                }
            }
        }
    }
    kept
}

/// External fields nobody needs go, and types that had nothing else, unless something refers to them.
fn remove_unused_external(subgraph: &mut Subgraph) -> Vec<CompositionError> {
    let Subgraph { schema, usage, .. } = subgraph;
    let mut emptied = Vec::new();
    for ty in schema.types.values_mut().filter(|t| t.kind == Kind::Object) {
        let had_fields = !ty.fields.is_empty();
        let name = ty.name.clone();
        ty.fields.retain(|field, _| !usage.is_external(&name, field) || usage.is_used(&name, field));
        if had_fields && ty.fields.is_empty() {
            emptied.push(name);
        }
    }
    let mut errors = Vec::new();
    for name in emptied {
        let refers =
            |t: &TypeDef| t.members.contains(&name) || t.fields.values().any(|f| *f.ty.base() == name);
        if !schema.types.values().any(refers) {
            schema.types.shift_remove(&name);
            continue;
        }
        let message =
            format!("`{name}` has only @external fields, and none is in a @key, @requires or @provides");
        let error = CompositionError::new(ErrorCode::TypeWithOnlyUnusedExternal, message).at(&*name);
        errors.push(error.within([subgraph.name.as_str()]));
    }
    errors
}

/// What of a subgraph others resolve as well: whole types, and single fields.
#[derive(Default)]
struct Shared {
    types: Vec<Name>,
    fields: Vec<(Name, Name)>,
}

fn shared_with_others(subgraphs: &[Subgraph], index: usize) -> Shared {
    let own = &subgraphs[index];
    let others = || subgraphs.iter().enumerate().filter(move |(i, _)| *i != index).map(|(_, s)| s);
    let mut shared = Shared::default();
    for ty in own.schema.types.values().filter(|t| t.kind == Kind::Object) {
        if &*ty.name == Operation::Subscription.type_name() {
            continue;
        }
        let root = Operation::ALL.iter().any(|o| o.type_name() == &*ty.name);
        if root || ty.has(Role::Key) {
            let resolved = |s: &Subgraph, field: &Name| {
                s.schema.types.get(&ty.name).is_some_and(|t| t.fields.contains_key(field))
                    && !s.usage.is_fully_external(&ty.name, field)
            };
            for field in ty.fields.keys().filter(|f| others().any(|s| resolved(s, f))) {
                shared.fields.push((ty.name.clone(), field.clone()));
            }
        } else if others().any(|s| s.schema.types.contains_key(&ty.name)) {
            shared.types.push(ty.name.clone());
        }
    }
    shared
}

fn mark_shareable(subgraph: &mut Subgraph, shared: Shared) {
    let shareable = || Directive::new("shareable", Vec::new()).with_role(Role::Shareable);
    for name in shared.types {
        if let Some(ty) = subgraph.schema.types.get_mut(&name) {
            ty.directives.push(shareable());
        }
    }
    for (ty, field) in shared.fields {
        if let Some(field) = subgraph.schema.types.get_mut(&ty).and_then(|t| t.fields.get_mut(&field)) {
            field.directives.push(shareable());
        }
    }
    subgraph.refresh();
}
