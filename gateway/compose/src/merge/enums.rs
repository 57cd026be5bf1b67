//! Merging of enums. An enum that only goes out may have every value any subgraph knows; one that comes
//! in only those all know; one that does both must be the same everywhere.

use std::collections::{HashMap, HashSet};

use super::{Merger, Sources, description, listed};
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{
    Directive, Directives, EnumValue, Kind, Name, Pos, Role, Schema, TypeDef, TypeRef, Value,
};

/// Where the merged schema uses an enum, with an example of each.
#[derive(Clone, Debug, Default)]
struct Positions {
    input: Option<String>,
    output: Option<String>,
}

impl<'a> Merger<'a> {
    pub(super) fn merge_enums(&mut self) {
        let positions = positions(&self.supergraph);
        let enums: Vec<Name> =
            self.supergraph.types.values().filter(|t| t.kind == Kind::Enum).map(|t| t.name.clone()).collect();
        for name in enums {
            let sources = self.type_sources(&name);
            // The enums of the join and link specifications have no source.
            if !sources.is_empty() {
                self.merge_enum(&name, &sources, positions.get(&name).cloned().unwrap_or_default());
            }
        }
    }

    /// Subgraphs may write an enum's default as a string; the planner reads names.
    pub(super) fn spell_enum_defaults(&mut self) {
        let enums = self.supergraph.types.values().filter(|t| t.kind == Kind::Enum);
        let enums: HashMap<Name, HashSet<Name>> =
            enums.map(|t| (t.name.clone(), t.values.keys().cloned().collect())).collect();
        for ty in self.supergraph.types.values_mut() {
            let arguments = ty.fields.values_mut().flat_map(|f| f.arguments.values_mut());
            for input in arguments.chain(ty.inputs.values_mut()) {
                if let Some(default) = &mut input.default {
                    spell(default, &input.ty, &enums);
                }
            }
        }
    }

    fn merge_enum(&mut self, name: &Name, sources: &Sources<'a, TypeDef>, positions: Positions) {
        let values = sources.names(|t| t.values.keys());
        let mut merged = Vec::new();
        for value in values {
            let definitions = sources.pick(|t| t.values.get(value));
            let element = self.merge_value(value, &definitions);
            let missing = definitions.len() < sources.len();
            if missing && !element.has(Role::Inaccessible) {
                match (&positions.input, &positions.output) {
                    (None, _) => {}
                    (Some(_), None) => continue,
                    (Some(input), Some(output)) => {
                        self.mismatch(name, value, &definitions, input, output);
                    }
                }
            }
            merged.push((value.clone(), element));
        }
        if merged.is_empty() {
            let message = format!("no value of enum `{name}` is defined in every subgraph that has the type");
            let error = CompositionError::new(ErrorCode::EmptyMergedEnumType, message).at(&**name);
            self.errors.push(error.within(self.names_of(sources)));
        }
        if let Some(ty) = self.supergraph.types.get_mut(name) {
            ty.values = merged.into_iter().collect();
        }
    }

    fn merge_value(&mut self, name: &Name, sources: &Sources<'a, EnumValue>) -> EnumValue {
        let graph = |i: usize| Value::Enum(self.subgraphs[i].graph.clone());
        let join = |i| Directive::new("join__enumValue", vec![("graph", graph(i))]);
        let mut directives: Vec<Directive> = sources.iter().map(|(i, _)| join(i)).collect();
        self.merge_applied(sources, &mut directives);
        EnumValue {
            name: name.clone(),
            description: description(sources.values().map(|v| v.description.as_ref())),
            directives,
            pos: Pos::default(),
        }
    }

    fn mismatch(
        &mut self,
        name: &Name,
        value: &Name,
        definitions: &Sources<'a, EnumValue>,
        input: &str,
        output: &str,
    ) {
        let message = format!(
            "enum `{name}` is used for input (`{input}`) and output (`{output}`), but its value `{value}` is only in {}",
            listed(&self.names_of(definitions))
        );
        let error =
            CompositionError::new(ErrorCode::EnumValueMismatch, message).at(format!("{name}.{value}"));
        self.errors.push(error.within(self.names_of(definitions)));
    }
}

/// An enum value written as a string becomes the name it stands for.
fn spell(value: &mut Value, ty: &TypeRef, enums: &HashMap<Name, HashSet<Name>>) {
    match value {
        Value::String(text) => {
            if enums.get(ty.base()).is_some_and(|values| values.contains(text)) {
                *value = Value::Enum(text.clone());
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| spell(item, ty, enums)),
        Value::Null
        | Value::Int(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Enum(_)
        | Value::Object(_) => {}
    }
}

fn positions(schema: &Schema) -> HashMap<Name, Positions> {
    let mut positions: HashMap<Name, Positions> = HashMap::new();
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            let used = positions.entry(field.ty.base().clone()).or_default();
            used.output.get_or_insert_with(|| format!("{}.{}", ty.name, field.name));
            for argument in field.arguments.values() {
                let used = positions.entry(argument.ty.base().clone()).or_default();
                used.input.get_or_insert_with(|| format!("{}.{}({}:)", ty.name, field.name, argument.name));
            }
        }
        for input in ty.inputs.values() {
            let used = positions.entry(input.ty.base().clone()).or_default();
            used.input.get_or_insert_with(|| format!("{}.{}", ty.name, input.name));
        }
    }
    positions
}
