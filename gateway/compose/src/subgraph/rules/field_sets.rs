//! Field sets: they must parse, name fields that exist, and be of the shape their directive needs.

use super::Rules;
use crate::errors::{ErrorCode, Fault};
use crate::links::definition;
use crate::model::{Directive, Field, Kind, Name, TypeDef};
use crate::parse::{Selection, parse_selection};
use crate::subgraph::fields_argument;

/// The directive a field set belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Key,
    Requires,
    Provides,
}

impl Use {
    fn name(self) -> &'static str {
        match self {
            Use::Key => "key",
            Use::Requires => "requires",
            Use::Provides => "provides",
        }
    }

    fn invalid(self) -> ErrorCode {
        match self {
            Use::Key => ErrorCode::KeyInvalidFields,
            Use::Requires => ErrorCode::RequiresInvalidFields,
            Use::Provides => ErrorCode::ProvidesInvalidFields,
        }
    }

    fn invalid_type(self) -> ErrorCode {
        match self {
            Use::Key => ErrorCode::KeyInvalidFieldsType,
            Use::Requires => ErrorCode::RequiresInvalidFieldsType,
            Use::Provides => ErrorCode::ProvidesInvalidFieldsType,
        }
    }

    fn has_directive(self) -> ErrorCode {
        match self {
            Use::Key => ErrorCode::KeyDirectiveInFieldsArg,
            Use::Requires => ErrorCode::RequiresDirectiveInFieldsArg,
            Use::Provides => ErrorCode::ProvidesDirectiveInFieldsArg,
        }
    }
}

/// One field set being judged.
struct Set<'a> {
    used_by: Use,
    directive: &'a Directive,
    text: &'a str,
    /// Coordinate of what carries the directive.
    at: &'a str,
}

impl Set<'_> {
    fn fault(&self, code: ErrorCode, message: String) -> Fault {
        let message =
            format!("`{}`, @{}(fields: \"{}\"): {message}", self.at, self.used_by.name(), self.text);
        Fault::new(code, message, self.directive.pos).at(self.at)
    }
}

impl Rules<'_> {
    /// Judges the field set of a directive, whose selections are on type `parent`.
    pub(super) fn field_set(&mut self, used_by: Use, directive: &Directive, parent: &Name, at: &str) {
        let Some(text) = fields_argument(directive) else {
            let message = format!("`{at}`, @{}: `fields:` must be a string", used_by.name());
            self.faults.push(Fault::new(used_by.invalid_type(), message, directive.pos).at(at));
            return;
        };
        let set = Set { used_by, directive, text, at };
        let selections = parse_selection(text).map_err(|e| e.to_string());
        match selections.and_then(|s| self.exist(&s, parent).map(|()| s)) {
            Ok(selections) => self.shape(&set, &selections, parent, false),
            Err(message) => self.faults.push(set.fault(used_by.invalid(), message)),
        }
    }

    /// Everything selected exists, and has a selection of its own exactly if its type has fields.
    fn exist(&self, selections: &[Selection], parent: &Name) -> Result<(), String> {
        let ty = self.schema.types.get(parent).filter(|t| t.kind.is_composite());
        let ty = ty.ok_or_else(|| format!("`{parent}` is no type with fields"))?;
        for selection in selections {
            match selection {
                Selection::Field { name, alias, directives, selections, .. } => {
                    self.directives_exist(directives)?;
                    if alias.is_some() {
                        return Err(format!("`{name}` cannot have an alias"));
                    }
                    if &**name == "__typename" {
                        continue;
                    }
                    let field = ty.fields.get(name).ok_or_else(|| {
                        format!("`{parent}` has no field `{name}` in this subgraph; if another has it, add it with @external")
                    })?;
                    self.field_exists(field, selections, parent)?;
                }
                Selection::Fragment { on, directives, selections } => {
                    self.directives_exist(directives)?;
                    self.exist(selections, on.as_ref().unwrap_or(parent))?;
                }
            }
        }
        Ok(())
    }

    fn field_exists(&self, field: &Field, selections: &[Selection], parent: &Name) -> Result<(), String> {
        let base = field.ty.base();
        let composite = self.schema.kind_of(base).is_some_and(Kind::is_composite);
        match (composite, selections.is_empty()) {
            (true, true) => {
                Err(format!("`{parent}.{}` needs a selection of fields of `{}`", field.name, field.ty))
            }
            (false, false) => {
                Err(format!("`{parent}.{}` of type `{}` has no fields to select", field.name, field.ty))
            }
            (true, false) => self.exist(selections, base),
            (false, true) => Ok(()),
        }
    }

    fn directives_exist(&self, directives: &[Name]) -> Result<(), String> {
        let known = |name: &Name| {
            self.schema.directive_defs.contains_key(name)
                || self.links.name_in_spec(name).is_some()
                || matches!(&**name, "skip" | "include" | "deprecated" | "specifiedBy")
                    && definition(name).is_some()
        };
        match directives.iter().find(|d| !known(d)) {
            Some(unknown) => Err(format!("unknown directive @{unknown}")),
            None => Ok(()),
        }
    }

    fn shape(&mut self, set: &Set<'_>, selections: &[Selection], parent: &Name, below_external: bool) {
        let schema = self.schema;
        let Some(ty) = schema.types.get(parent) else { return };
        for selection in selections {
            match selection {
                Selection::Field { name, directives, selections, .. } => {
                    self.no_directives(set, directives);
                    if let Some(field) = ty.fields.get(name) {
                        self.field_shape(set, field, ty, selections, below_external);
                    }
                }
                Selection::Fragment { on, directives, selections } => {
                    self.no_directives(set, directives);
                    self.shape(set, selections, on.as_ref().unwrap_or(parent), below_external);
                }
            }
        }
    }

    fn no_directives(&mut self, set: &Set<'_>, directives: &[Name]) {
        for directive in directives {
            let message = format!("directives are not allowed here, but there is @{directive}");
            self.faults.push(set.fault(set.used_by.has_directive(), message));
        }
    }

    fn field_shape(
        &mut self,
        set: &Set<'_>,
        field: &Field,
        parent: &TypeDef,
        selections: &[Selection],
        below_external: bool,
    ) {
        let at = format!("{}.{}", parent.name, field.name);
        let base_kind = self.schema.kind_of(field.ty.base());
        match set.used_by {
            Use::Key => {
                if base_kind.is_some_and(Kind::is_abstract) {
                    let message = format!(
                        "`{at}` has type `{}`, an interface or union, which no key can have",
                        field.ty
                    );
                    self.faults.push(set.fault(ErrorCode::KeyFieldsSelectInvalidType, message));
                }
                self.no_arguments(set, field, &at, ErrorCode::KeyFieldsHasArgs);
            }
            Use::Provides => {
                self.no_arguments(set, field, &at, ErrorCode::ProvidesFieldsHasArgs);
                self.leaf_is_external(set, field, parent, selections, below_external);
            }
            Use::Requires => self.leaf_is_external(set, field, parent, selections, below_external),
        }
        let external =
            self.usage.is_external(&parent.name, &field.name) || self.is_external_below(parent, field);
        self.shape(set, selections, field.ty.base(), below_external || external);
    }

    fn no_arguments(&mut self, set: &Set<'_>, field: &Field, at: &str, code: ErrorCode) {
        if !field.arguments.is_empty() {
            self.faults.push(set.fault(code, format!("`{at}` has arguments, which is not allowed here")));
        }
    }

    /// What is required or provided must come from elsewhere. Federation 1 did not mind.
    fn leaf_is_external(
        &mut self,
        set: &Set<'_>,
        field: &Field,
        parent: &TypeDef,
        selections: &[Selection],
        below_external: bool,
    ) {
        let is_external = self.usage.is_external(&parent.name, &field.name);
        if self.federation_1() || is_external || below_external || !selections.is_empty() {
            return;
        }
        let code = match set.used_by {
            Use::Requires => ErrorCode::RequiresFieldsMissingExternal,
            Use::Provides => ErrorCode::ProvidesFieldsMissingExternal,
            Use::Key => return,
        };
        let why = if self.usage.is_fake_external(&parent.name, &field.name) {
            "is a @key of an extension, which this subgraph resolves although it is marked @external"
        } else {
            "is resolved by this subgraph itself, since it is not marked @external"
        };
        self.faults.push(set.fault(code, format!("`{}.{}` {why}", parent.name, field.name)));
    }

    /// A field of an interface counts as external if an implementing type has it so.
    fn is_external_below(&self, parent: &TypeDef, field: &Field) -> bool {
        parent.kind == Kind::Interface
            && self
                .schema
                .possible_types(&parent.name)
                .iter()
                .any(|implementation| self.usage.is_external(implementation, &field.name))
    }
}
