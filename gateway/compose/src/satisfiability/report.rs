//! Why a query cannot be answered.

use super::graph::NodeId;
use super::walk::{Step, Walk};
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{Field, Name, Operation};
use crate::parse::print_selection;

pub(super) fn unanswerable_field(walk: &Walk<'_, '_>, state: usize, field: &Field) -> CompositionError {
    let ty = walk.states[state].ty;
    let reached = &walk.states[state].nodes;
    let mut message = format!("no way to answer {}:", query(walk, state, Some(&field.name)));
    for node in reached {
        let subgraph = &walk.graph.subgraphs[walk.graph.get(*node).subgraph];
        message.push_str(&format!("\n- \"{}\" {}", subgraph.name, why_not(walk, *node, field)));
    }
    for (index, subgraph) in walk.graph.subgraphs.iter().enumerate() {
        let Some(node) = walk.graph.find(index, &ty.name).filter(|n| !reached.contains(n)) else { continue };
        if !walk.graph.get(node).edges.contains_key(&*field.name) {
            continue;
        }
        let keys: Vec<String> = subgraph
            .sets
            .keys_of(&ty.name)
            .iter()
            .filter(|k| k.resolvable)
            .map(|k| format!("@key(fields: \"{}\")", print_selection(&k.fields)))
            .collect();
        let why = if keys.is_empty() {
            format!("has no resolvable @key on `{}`", ty.name)
        } else {
            format!("can only be entered by {}, which cannot be collected on the way", keys.join(" or "))
        };
        message.push_str(&format!("\n- \"{}\" has `{}.{}` but {why}", subgraph.name, ty.name, field.name));
    }
    let names = reached.iter().map(|n| walk.graph.subgraphs[walk.graph.get(*n).subgraph].name.as_str());
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    CompositionError::new(ErrorCode::SatisfiabilityError, message)
        .at(format!("{}.{}", ty.name, field.name))
        .within(names)
}

fn why_not(walk: &Walk<'_, '_>, node: NodeId, field: &Field) -> String {
    let here = walk.graph.get(node);
    let subgraph = &walk.graph.subgraphs[here.subgraph];
    let at = format!("{}.{}", here.ty.name, field.name);
    match here.edges.get(&*field.name) {
        Some(edge) if edge.requires.is_some() => format!("cannot collect what @requires on `{at}` needs"),
        Some(_) => format!("resolves `{at}` only with, or without, an override label"),
        None if subgraph.usage.is_external(&here.ty.name, &field.name) => {
            format!("has `{at}` as @external only")
        }
        None if here.ty.fields.contains_key(&field.name) => format!("has `{at}` overridden"),
        None => format!("has no field `{at}`"),
    }
}

pub(super) fn unknown_implementation(
    walk: &Walk<'_, '_>,
    state: usize,
    name: &Name,
    nodes: &[NodeId],
) -> CompositionError {
    let interface = &walk.states[state].ty.name;
    let mut names: Vec<&str> =
        nodes.iter().map(|n| walk.graph.subgraphs[walk.graph.get(*n).subgraph].name.as_str()).collect();
    names.dedup();
    let message = format!(
        "no way to answer {}: `{interface}` is an @interfaceObject there, and no subgraph that knows its types can be entered",
        query(walk, state, Some(&format!("... on {name}")))
    );
    CompositionError::new(ErrorCode::SatisfiabilityError, message).at(&**interface).within(names)
}

/// The query that leads to a state, and one step further.
fn query(walk: &Walk<'_, '_>, state: usize, last: Option<&str>) -> String {
    let mut steps: Vec<String> = last.map(str::to_owned).into_iter().collect();
    let mut at = state;
    while let Some((before, step)) = &walk.states[at].before {
        steps.push(match step {
            Step::Field(field) => field.name.to_string(),
            Step::Cast(name) => format!("... on {name}"),
        });
        at = *before;
    }
    steps.reverse();
    let operation = Operation::ALL.iter().find(|o| *o.type_name() == *walk.states[at].ty.name);
    let keyword = operation.filter(|o| **o != Operation::Query).map(|o| format!("{} ", o.keyword()));
    let depth = steps.len();
    format!("`{}{{ {}{}`", keyword.unwrap_or_default(), steps.join(" { "), " }".repeat(depth))
}
