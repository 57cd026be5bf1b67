//! Merging of arguments and of the fields of input objects: what not every subgraph takes, none gets.

use super::fields::{MergedType, Position};
use super::{Merger, Sources, description, listed};
use crate::errors::{CompositionError, ErrorCode};
use crate::graphql::is_required;
use crate::model::{Directive, Directives, InputValue, Name, Pos, Role, TypeDef, Value};

impl<'a> Merger<'a> {
    /// Merges an argument of a field or directive that `owners` have; `None` where some do not take it.
    pub(super) fn merge_argument<T>(
        &mut self,
        sources: &Sources<'a, InputValue>,
        owners: &Sources<'_, T>,
        name: &Name,
        at: &str,
    ) -> Option<InputValue> {
        if sources.len() < owners.len() {
            let required = sources.filter(|_, a| is_required(a));
            if !required.is_empty() {
                let message = format!(
                    "`{at}` is required in {}, but not every subgraph takes it",
                    listed(&self.names_of(&required))
                );
                let code = ErrorCode::RequiredArgumentMissingInSomeSubgraph;
                let error = CompositionError::new(code, message).at(at);
                self.errors.push(error.within(self.names_of(owners)));
            }
            return None;
        }
        let types = sources.pick(|a| Some(&a.ty));
        let merged_type = self.merge_types(&types, Position::Input);
        let ty = self.accept_type(merged_type, &types, ErrorCode::FieldArgumentTypeMismatch, at);
        let default = self.merge_default(sources, ErrorCode::FieldArgumentDefaultMismatch, at);
        let mut merged = InputValue {
            name: name.clone(),
            description: description(sources.values().map(|a| a.description.as_ref())),
            ty,
            default,
            directives: Vec::new(),
            pos: Pos::default(),
        };
        self.merge_applied(sources, &mut merged.directives);
        Some(merged)
    }

    /// There is a default only if every subgraph has it, and never two different ones.
    fn merge_default(
        &mut self,
        sources: &Sources<'a, InputValue>,
        code: ErrorCode,
        at: &str,
    ) -> Option<Value> {
        let defaults = sources.values().map(|a| a.default.as_ref());
        let mut distinct: Vec<&Value> = Vec::new();
        for default in defaults.clone().flatten() {
            if !distinct.iter().any(|d| same_value(d, default)) {
                distinct.push(default);
            }
        }
        if distinct.len() > 1 {
            let shown: Vec<String> = distinct
                .iter()
                .map(|d| {
                    let mut text = String::new();
                    crate::print::value(&mut text, d);
                    text
                })
                .collect();
            let message = format!("the default values of `{at}` differ: {}", shown.join(", "));
            let error = CompositionError::new(code, message).at(at);
            self.errors.push(error.within(self.names_of(sources)));
        }
        if defaults.clone().all(|d| d.is_some()) { distinct.first().map(|d| (*d).clone()) } else { None }
    }

    pub(super) fn merge_inputs(&mut self, sources: &Sources<'a, TypeDef>, merged: &mut TypeDef) {
        let names = sources.names(|t| t.inputs.keys());
        let had_fields = !names.is_empty();
        for name in names {
            let at = format!("{}.{name}", merged.name);
            let inputs = sources.pick(|t| t.inputs.get(name));
            let input = self.merge_input(sources, &inputs, name, &at);
            let missing = inputs.len() < sources.len();
            // What no client sees may differ.
            if missing && !input.has(Role::Inaccessible) {
                self.check_missing_input(&inputs, &at);
                continue;
            }
            merged.inputs.insert(name.clone(), input);
        }
        if had_fields && merged.inputs.is_empty() {
            let message =
                format!("no field of input `{}` is defined in every subgraph that has the type", merged.name);
            let error = CompositionError::new(ErrorCode::EmptyMergedInputType, message).at(&*merged.name);
            self.errors.push(error.within(self.names_of(sources)));
        }
    }

    fn merge_input(
        &mut self,
        parents: &Sources<'a, TypeDef>,
        inputs: &Sources<'a, InputValue>,
        name: &Name,
        at: &str,
    ) -> InputValue {
        let types = inputs.pick(|i| Some(&i.ty));
        let merged_type = self.merge_types(&types, Position::Input);
        let all_equal = matches!(merged_type, MergedType::Equal(_));
        let ty = self.accept_type(merged_type, &types, ErrorCode::FieldTypeMismatch, at);
        let default = self.merge_default(inputs, ErrorCode::InputFieldDefaultMismatch, at);
        let mut merged = InputValue {
            name: name.clone(),
            description: description(inputs.values().map(|i| i.description.as_ref())),
            ty,
            default,
            directives: Vec::new(),
            pos: Pos::default(),
        };
        if !all_equal || inputs.len() < parents.len() {
            for (index, input) in inputs.iter() {
                let mut arguments = vec![("graph", Value::Enum(self.subgraphs[index].graph.clone()))];
                if !all_equal {
                    arguments.push(("type", Value::string(input.ty.to_string())));
                }
                merged.directives.push(Directive::new("join__field", arguments));
            }
        }
        self.merge_applied(inputs, &mut merged.directives);
        merged
    }

    fn check_missing_input(&mut self, inputs: &Sources<'a, InputValue>, at: &str) {
        let required = inputs.filter(|_, i| is_required(i));
        if required.is_empty() {
            return;
        }
        let message = format!(
            "`{at}` is required in {}, but not every subgraph that has the type has the field",
            listed(&self.names_of(&required))
        );
        let code = ErrorCode::RequiredInputFieldMissingInSomeSubgraph;
        let error = CompositionError::new(code, message).at(at);
        self.errors.push(error.within(self.names_of(inputs)));
    }
}

/// Equal but for how an enum value is written, and for the order of an object's entries.
pub(super) fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Enum(a) | Value::String(a), Value::Enum(b) | Value::String(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, a)| b.iter().any(|(other, b)| name == other && same_value(a, b)))
        }
        (a, b) => a == b,
    }
}
