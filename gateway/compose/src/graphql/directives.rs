//! Directives: defined, in their place, with the arguments they take.

use super::{Checker, fits, is_required};
use crate::links::{LABEL_SINCE, definition};
use crate::model::{Directive, DirectiveDef, Kind, Name, Role, TypeDef};

impl<'a> Checker<'a> {
    /// The types of the arguments must exist. Definitions of federation's own directives may name types
    /// that a gateway used to add by itself only where they are defined.
    pub(super) fn directive_definitions(&mut self) {
        for definition in self.schema.directive_defs.values() {
            self.inputs(&definition.arguments, |name| format!("@{}({name}:)", definition.name));
        }
    }

    pub(super) fn directive_uses(&mut self) {
        let schema = self.schema;
        self.uses(&schema.directives, "SCHEMA", "schema");
        for ty in schema.types.values() {
            self.uses(&ty.directives, type_location(ty.kind), &ty.name);
            self.uses_within(ty);
        }
        for definition in schema.directive_defs.values() {
            for argument in definition.arguments.values() {
                let at = format!("@{}({}:)", definition.name, argument.name);
                self.uses(&argument.directives, "ARGUMENT_DEFINITION", &at);
            }
        }
    }

    fn uses_within(&mut self, ty: &'a TypeDef) {
        for field in ty.fields.values() {
            let at = format!("{}.{}", ty.name, field.name);
            self.uses(&field.directives, "FIELD_DEFINITION", &at);
            for argument in field.arguments.values() {
                self.uses(&argument.directives, "ARGUMENT_DEFINITION", &format!("{at}({}:)", argument.name));
            }
        }
        for input in ty.inputs.values() {
            self.uses(&input.directives, "INPUT_FIELD_DEFINITION", &format!("{}.{}", ty.name, input.name));
        }
        for value in ty.values.values() {
            self.uses(&value.directives, "ENUM_VALUE", &format!("{}.{}", ty.name, value.name));
        }
    }

    fn uses(&mut self, directives: &'a [Directive], location: &str, at: &str) {
        let mut seen: Vec<&Name> = Vec::new();
        for directive in directives {
            let name = &directive.name;
            let Some(definition) = self.definition_of(directive) else {
                self.fault(unknown(name, self.links.is_federation_1()), at, directive.pos);
                continue;
            };
            if !definition.locations.contains(location) {
                self.fault(format!("@{name} may not be used on {location} (on `{at}`)"), at, directive.pos);
            }
            if !definition.repeatable && seen.contains(&name) {
                self.fault(format!("@{name} can only be used once on `{at}`"), at, directive.pos);
            }
            seen.push(name);
            self.arguments(directive, definition, at);
        }
    }

    fn definition_of(&self, directive: &Directive) -> Option<&'a DirectiveDef> {
        if let Some(name) = self.links.name_in_spec(&directive.name) {
            return definition(name);
        }
        self.schema.directive_defs.get(&directive.name).or_else(|| {
            let built_in = ["deprecated", "specifiedBy", "skip", "include", "oneOf", "defer", "stream"];
            if built_in.contains(&&*directive.name) { definition(&directive.name) } else { None }
        })
    }

    fn arguments(&mut self, directive: &Directive, definition: &DirectiveDef, at: &str) {
        let name = &directive.name;
        for (argument, value) in &directive.arguments {
            let known =
                definition.arguments.get(argument).filter(|_| self.has_argument(directive.role, argument));
            let Some(expected) = known else {
                self.fault(format!("@{name} has no argument `{argument}` (on `{at}`)"), at, directive.pos);
                continue;
            };
            if !fits(self.schema, &expected.ty, value) {
                let mut shown = String::new();
                crate::print::value(&mut shown, value);
                let message = format!(
                    "@{name}({argument}:) on `{at}` is {shown}, which does not fit its type `{}`",
                    expected.ty
                );
                self.fault(message, at, directive.pos);
            }
        }
        for expected in definition.arguments.values() {
            if is_required(expected) && directive.argument(&expected.name).is_none() {
                let message = format!("@{name} on `{at}` lacks its required argument `{}`", expected.name);
                self.fault(message, at, directive.pos);
            }
        }
    }

    fn has_argument(&self, role: Role, argument: &str) -> bool {
        role != Role::Override
            || argument != "label"
            || self.links.federation.is_some_and(|v| v >= LABEL_SINCE)
    }
}

fn type_location(kind: Kind) -> &'static str {
    match kind {
        Kind::Scalar => "SCALAR",
        Kind::Object => "OBJECT",
        Kind::Interface => "INTERFACE",
        Kind::Union => "UNION",
        Kind::Enum => "ENUM",
        Kind::InputObject => "INPUT_OBJECT",
    }
}

fn unknown(name: &str, federation_1: bool) -> String {
    let Some(directive) = crate::links::federation_directives().iter().find(|d| d.name == name) else {
        return format!("unknown directive @{name}");
    };
    if federation_1 {
        format!("unknown directive @{name}: it is federation 2's, and this schema does not @link federation")
    } else if directive.in_federation_1 || directive.since.minor == 0 {
        format!(
            "unknown directive @{name}: import it in the @link of federation, or write @federation__{name}"
        )
    } else {
        format!(
            "unknown directive @{name}: import it in the @link of federation {} or newer",
            directive.since
        )
    }
}
