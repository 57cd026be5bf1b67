//! What is done to a document before it is judged: roles, plumbing, names of root types.

use crate::errors::{ErrorCode, Fault};
use crate::links::Links;
use crate::model::{Directive, Kind, Name, Operation, Role, Schema, TypeDef, TypeRef, Value};

/// Tells every directive what it means.
pub(super) fn assign_roles(schema: &mut Schema, links: &Links) {
    for_all_directives(schema, &mut |d| d.role = links.role(&d.name));
}

/// Calls `visit` with every directive applied in a schema.
pub(crate) fn each_directive(schema: &Schema, visit: &mut dyn FnMut(&Directive)) {
    schema.directives.iter().for_each(&mut *visit);
    for ty in schema.types.values() {
        ty.directives.iter().for_each(&mut *visit);
        for field in ty.fields.values() {
            field.directives.iter().for_each(&mut *visit);
            field.arguments.values().flat_map(|a| &a.directives).for_each(&mut *visit);
        }
        ty.inputs.values().flat_map(|i| &i.directives).for_each(&mut *visit);
        ty.values.values().flat_map(|v| &v.directives).for_each(&mut *visit);
    }
    for definition in schema.directive_defs.values() {
        definition.arguments.values().flat_map(|a| &a.directives).for_each(&mut *visit);
    }
}

/// Calls `change` on every directive applied in a schema.
fn for_all_directives(schema: &mut Schema, change: &mut dyn FnMut(&mut Directive)) {
    schema.directives.iter_mut().for_each(&mut *change);
    for ty in schema.types.values_mut() {
        for_all_directives_of_type(ty, change);
    }
    for definition in schema.directive_defs.values_mut() {
        definition.arguments.values_mut().flat_map(|a| &mut a.directives).for_each(&mut *change);
    }
}

fn for_all_directives_of_type(ty: &mut TypeDef, change: &mut dyn FnMut(&mut Directive)) {
    ty.directives.iter_mut().for_each(&mut *change);
    for field in ty.fields.values_mut() {
        field.directives.iter_mut().for_each(&mut *change);
        field.arguments.values_mut().flat_map(|a| &mut a.directives).for_each(&mut *change);
    }
    ty.inputs.values_mut().flat_map(|i| &mut i.directives).for_each(&mut *change);
    ty.values.values_mut().flat_map(|v| &mut v.directives).for_each(&mut *change);
}

/// `_service` and `_entities` speak to the gateway; no client sees them.
pub(super) fn remove_service_fields(schema: &mut Schema) {
    let query = schema.roots.get(&Operation::Query).cloned().unwrap_or_else(|| "Query".into());
    if let Some(ty) = schema.types.get_mut(&query) {
        ty.fields.shift_remove("_service");
        ty.fields.shift_remove("_entities");
    }
}

/// Every subgraph has a query root, if only for `_service`.
pub(super) fn add_query(schema: &mut Schema) {
    let name: Name = Operation::Query.type_name().into();
    schema.types.entry(name.clone()).or_insert_with(|| TypeDef::new(name.clone(), Kind::Object));
    schema.roots.insert(Operation::Query, name);
}

/// Takes out the definitions that only serve the protocol between gateway and subgraph, and those of
/// directives with a role, whose definitions are fixed.
pub(super) fn remove_plumbing(schema: &mut Schema, links: &Links) {
    for name in ["_Service", "_Entity", "_Any", "_FieldSet"] {
        schema.types.shift_remove(name);
    }
    if links.is_federation_1() {
        schema.types.shift_remove("FieldSet");
    }
    schema.types.retain(|name, _| !links.is_spec_type(name));
    schema.directive_defs.retain(|name, _| links.role(name) == Role::Custom);
}

/// Renames the root types to the names they have in the supergraph. A type that is no root but has the
/// name of one would collide.
pub(super) fn name_roots(schema: &mut Schema) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    for operation in Operation::ALL {
        let standard: Name = operation.type_name().into();
        let Some(current) = schema.roots.get(&operation).cloned() else {
            // Without a `schema` block, or with one that leaves the operation out.
            if schema.types.contains_key(&standard) {
                schema.roots.insert(operation, standard);
            }
            continue;
        };
        if current == standard {
            continue;
        }
        if let Some(other) = schema.types.get(&standard) {
            let code = match operation {
                Operation::Query => ErrorCode::RootQueryUsed,
                Operation::Mutation => ErrorCode::RootMutationUsed,
                Operation::Subscription => ErrorCode::RootSubscriptionUsed,
            };
            let message = format!(
                "type `{standard}` is not the {} root, `{current}` is; no other type may have the root's standard name",
                operation.keyword()
            );
            faults.push(Fault::new(code, message, other.pos).at(&*standard));
            continue;
        }
        rename_type(schema, &current, &standard);
        schema.roots.insert(operation, standard);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn rename_type(schema: &mut Schema, from: &Name, to: &Name) {
    for (name, mut ty) in std::mem::take(&mut schema.types) {
        let renamed = if name == *from { to.clone() } else { name };
        ty.name = renamed.clone();
        if ty.members.contains(from) {
            ty.members = ty.members.iter().map(|m| if m == from { to.clone() } else { m.clone() }).collect();
        }
        ty.fields.values_mut().for_each(|f| rename_in(&mut f.ty, from, to));
        schema.types.insert(renamed, ty);
    }
}

fn rename_in(ty: &mut TypeRef, from: &Name, to: &Name) {
    match ty {
        TypeRef::Named(name) => {
            if name == from {
                *name = to.clone();
            }
        }
        TypeRef::List(inner) | TypeRef::NonNull(inner) => rename_in(inner, from, to),
    }
}

/// Federation 1 took field sets as lists and as names too; they become strings.
pub(super) fn read_federation_1_field_sets(schema: &mut Schema) {
    for_all_directives(schema, &mut |directive| {
        if !matches!(directive.role, Role::Key | Role::Requires | Role::Provides) {
            return;
        }
        for (name, value) in &mut directive.arguments {
            if &**name == "fields"
                && let Some(text) = field_set_text(value)
            {
                *value = Value::string(text);
            }
        }
    });
}

fn field_set_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) | Value::Enum(text) => Some(text.to_string()),
        Value::List(items) => {
            let texts = items.iter().map(field_set_text).collect::<Option<Vec<_>>>()?;
            Some(texts.join(" "))
        }
        Value::Null | Value::Int(_) | Value::Float(_) | Value::Boolean(_) | Value::Object(_) => None,
    }
}
