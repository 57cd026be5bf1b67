//! A subgraph once read: its schema with every directive's role known and federation's own plumbing
//! removed.

use crate::links::{self, Links};
use crate::model::{Directive, Name, Operation, Role, Schema};
use crate::parse::{self, Fault, Selection};

/// One subgraph, ready for merging.
#[derive(Clone, Debug)]
pub(crate) struct Subgraph {
    pub name: String,
    pub url: String,
    /// Value of `join__Graph` that stands for it.
    pub graph: Name,
    pub links: Links,
    pub schema: Schema,
}

/// A `@key` with its field set parsed.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub fields: Vec<Selection>,
    pub resolvable: bool,
    pub on_extension: bool,
}

impl Subgraph {
    pub(crate) fn read(name: &str, url: &str, sdl: &str, graph: Name) -> Result<Subgraph, Vec<Fault>> {
        let mut schema = parse::parse_schema(sdl)?;
        let links = links::resolve(&schema);
        assign_roles(&mut schema, &links);
        remove_plumbing(&mut schema, &links);
        name_roots(&mut schema);
        Ok(Subgraph { name: name.into(), url: url.into(), graph, links, schema })
    }
}

fn assign_roles(schema: &mut Schema, links: &Links) {
    let assign = |directives: &mut Vec<Directive>| {
        for d in directives {
            d.role = links.role(&d.name);
        }
    };
    assign(&mut schema.directives);
    for ty in schema.types.values_mut() {
        assign(&mut ty.directives);
        for field in ty.fields.values_mut() {
            assign(&mut field.directives);
            field.arguments.values_mut().for_each(|a| assign(&mut a.directives));
        }
        ty.inputs.values_mut().for_each(|i| assign(&mut i.directives));
        ty.values.values_mut().for_each(|v| assign(&mut v.directives));
    }
    for definition in schema.directive_defs.values_mut() {
        definition.arguments.values_mut().for_each(|a| assign(&mut a.directives));
    }
}

/// Takes out what only serves the protocol between gateway and subgraph.
fn remove_plumbing(schema: &mut Schema, links: &Links) {
    for name in ["_Service", "_Entity", "_Any", "_FieldSet", "FieldSet"] {
        schema.types.shift_remove(name);
    }
    for namespace in links.links.iter().filter_map(|l| l.namespace()).chain(["link"]) {
        let prefix = format!("{namespace}__");
        schema.types.retain(|name, _| !name.starts_with(&prefix));
    }
    schema.directive_defs.retain(|name, _| matches!(links.role(name), Role::Custom));
    let query = schema.roots.get(&Operation::Query).cloned().unwrap_or_else(|| "Query".into());
    if let Some(ty) = schema.types.get_mut(&query) {
        ty.fields.shift_remove("_service");
        ty.fields.shift_remove("_entities");
    }
}

/// Renames the root types to the names they have in the supergraph.
fn name_roots(schema: &mut Schema) {
    for operation in Operation::ALL {
        let standard: Name = operation.type_name().into();
        let current = schema.roots.get(&operation).cloned().unwrap_or_else(|| standard.clone());
        if current != standard && schema.types.contains_key(&current) && !schema.types.contains_key(&standard)
        {
            rename_type(schema, &current, &standard);
        }
        if schema.types.contains_key(&standard) {
            schema.roots.insert(operation, standard);
        }
    }
}

fn rename_type(schema: &mut Schema, from: &Name, to: &Name) {
    let types = std::mem::take(&mut schema.types);
    for (name, mut ty) in types {
        let renamed = if name == *from { to.clone() } else { name };
        ty.name = renamed.clone();
        if ty.members.contains(from) {
            ty.members = ty.members.iter().map(|m| if m == from { to.clone() } else { m.clone() }).collect();
        }
        ty.fields.values_mut().for_each(|f| rename_in(&mut f.ty, from, to));
        schema.types.insert(renamed, ty);
    }
}

fn rename_in(ty: &mut crate::model::TypeRef, from: &Name, to: &Name) {
    use crate::model::TypeRef;
    match ty {
        TypeRef::Named(name) => {
            if name == from {
                *name = to.clone();
            }
        }
        TypeRef::List(inner) | TypeRef::NonNull(inner) => rename_in(inner, from, to),
    }
}
