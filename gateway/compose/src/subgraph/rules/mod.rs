//! What federation asks of each subgraph by itself.

mod cost;
mod field_sets;

use super::usage::Usage;
use crate::errors::{ErrorCode, Fault};
use crate::links::{INTERFACE_KEY_SINCE, Links};
use crate::model::{Directives, Field, Kind, Role, Schema, TypeDef};
use crate::parse::{Selection, parse_selection};

/// The faults of one subgraph.
pub(super) fn check(schema: &Schema, links: &Links, usage: &Usage) -> Vec<Fault> {
    let mut rules = Rules { schema, links, usage, faults: Vec::new() };
    for ty in schema.types.values() {
        rules.entity(ty);
        rules.authorization_on_type(ty);
        for field in ty.fields.values() {
            rules.field(ty, field);
        }
    }
    rules.faults
}

pub(super) struct Rules<'a> {
    schema: &'a Schema,
    links: &'a Links,
    usage: &'a Usage,
    faults: Vec<Fault>,
}

impl Rules<'_> {
    fn federation_1(&self) -> bool {
        self.links.is_federation_1()
    }

    fn entity(&mut self, ty: &TypeDef) {
        let interface_keys = self.links.federation.is_some_and(|v| v >= INTERFACE_KEY_SINCE);
        for key in ty.with_role(Role::Key) {
            if ty.kind == Kind::Interface && !interface_keys {
                // Federation 1 ignores keys of interfaces.
                if !self.federation_1() {
                    let message = format!(
                        "@key cannot be used on interface `{}` before {INTERFACE_KEY_SINCE}",
                        ty.name
                    );
                    self.faults.push(
                        Fault::new(ErrorCode::KeyUnsupportedOnInterface, message, key.pos).at(&*ty.name),
                    );
                }
                continue;
            }
            self.field_set(field_sets::Use::Key, key, &ty.name, &ty.name);
        }
        if ty.kind == Kind::Interface && interface_keys {
            self.keys_of_implementations(ty);
        }
        if ty.has(Role::InterfaceObject) && !ty.has(Role::Key) {
            let message = format!("`{}` has @interfaceObject but no @key in this subgraph", ty.name);
            self.faults.push(Fault::new(ErrorCode::InterfaceObjectUsageError, message, ty.pos).at(&*ty.name));
        }
    }

    /// Whoever enters through the interface's key must be able to go on with the concrete type.
    fn keys_of_implementations(&mut self, interface: &TypeDef) {
        let parse = |d: &crate::model::Directive| {
            super::fields_argument(d).and_then(|text| parse_selection(text).ok()).map(|s| normal_form(&s))
        };
        for key in interface.with_role(Role::Key) {
            let Some(wanted) = parse(key) else { continue };
            for implementation in self.schema.possible_types(&interface.name) {
                let Some(ty) = self.schema.types.get(implementation) else { continue };
                if !ty.with_role(Role::Key).filter_map(parse).any(|own| own == wanted) {
                    let message = format!(
                        "interface `{}` has @key(fields: \"{wanted}\"), but `{implementation}`, which implements it, has not",
                        interface.name
                    );
                    let fault = Fault::new(ErrorCode::InterfaceKeyNotOnImplementation, message, ty.pos);
                    self.faults.push(fault.at(&**implementation));
                }
            }
        }
    }

    fn field(&mut self, ty: &TypeDef, field: &Field) {
        let at = format!("{}.{}", ty.name, field.name);
        self.field_sets_of(ty, field, &at);
        self.external(ty, field, &at);
        self.interface_field(ty, field, &at);
        self.list_size(field, &at);
        self.context(field, &at);
    }

    /// A context would have to be carried by the query plan.
    fn context(&mut self, field: &Field, at: &str) {
        for argument in field.arguments.values() {
            if let Some(directive) = argument.first(Role::FromContext) {
                let at = format!("{at}({}:)", argument.name);
                let message =
                    format!("@{} on `{at}` is not supported; pass the value as an argument", directive.name);
                self.faults.push(Fault::new(ErrorCode::UnsupportedFeature, message, directive.pos).at(at));
            }
        }
    }

    fn field_sets_of(&mut self, ty: &TypeDef, field: &Field, at: &str) {
        if let Some(requires) = field.first(Role::Requires) {
            if ty.kind != Kind::Interface {
                self.field_set(field_sets::Use::Requires, requires, &ty.name, at);
            } else if !self.federation_1() {
                let message = format!("@requires cannot be used on `{at}`, a field of an interface");
                self.faults.push(
                    Fault::new(ErrorCode::RequiresUnsupportedOnInterface, message, requires.pos).at(at),
                );
            }
        }
        let Some(provides) = field.first(Role::Provides) else { return };
        if self.federation_1() && ty.kind == Kind::Interface {
            return;
        }
        if !self.schema.kind_of(field.ty.base()).is_some_and(Kind::is_composite) {
            if !self.federation_1() {
                let message =
                    format!("@provides cannot be used on `{at}`: its type `{}` has no fields", field.ty);
                self.faults
                    .push(Fault::new(ErrorCode::ProvidesOnNonObjectField, message, provides.pos).at(at));
            }
        } else if ty.kind == Kind::Interface {
            let message = format!("@provides cannot be used on `{at}`, a field of an interface");
            self.faults
                .push(Fault::new(ErrorCode::ProvidesUnsupportedOnInterface, message, provides.pos).at(at));
        } else {
            self.field_set(field_sets::Use::Provides, provides, field.ty.base(), at);
        }
    }

    fn external(&mut self, ty: &TypeDef, field: &Field, at: &str) {
        if self.federation_1() {
            return;
        }
        if ty.kind == Kind::Interface && field.has(Role::External) {
            let message = format!("@external cannot be used on `{at}`, a field of an interface");
            self.faults.push(Fault::new(ErrorCode::ExternalOnInterface, message, field.pos).at(at));
        } else if self.usage.is_external(&ty.name, &field.name) && !self.usage.is_used(&ty.name, &field.name)
        {
            let message =
                format!("`{at}` is @external but in no @key, @requires or @provides, and in no interface");
            self.faults.push(Fault::new(ErrorCode::ExternalUnused, message, field.pos).at(at));
        }
    }

    fn interface_field(&mut self, ty: &TypeDef, field: &Field, at: &str) {
        if ty.kind != Kind::Interface {
            return;
        }
        if let Some(shareable) = field.first(Role::Shareable) {
            let message = format!("@shareable cannot be used on `{at}`, a field of an interface");
            self.faults.push(Fault::new(ErrorCode::InvalidShareableUsage, message, shareable.pos).at(at));
        }
        if let Some(cost) = field.first(Role::Cost) {
            let message = format!("@cost cannot be used on `{at}`, a field of an interface");
            self.faults.push(Fault::new(ErrorCode::CostAppliedToInterfaceField, message, cost.pos).at(at));
        }
        for directive in field.directives.iter().filter(|d| is_authorization(d.role)) {
            self.authorization(directive, at, "a field of an interface");
        }
    }

    fn authorization_on_type(&mut self, ty: &TypeDef) {
        let what = if ty.kind == Kind::Interface {
            "an interface"
        } else if ty.has(Role::InterfaceObject) {
            "an interface object"
        } else {
            return;
        };
        for directive in ty.directives.iter().filter(|d| is_authorization(d.role)) {
            self.authorization(directive, &ty.name, what);
        }
    }

    fn authorization(&mut self, directive: &crate::model::Directive, at: &str, what: &str) {
        let message = format!("@{} cannot be used on `{at}`, {what}", directive.name);
        let fault = Fault::new(ErrorCode::AuthRequirementsAppliedOnInterface, message, directive.pos);
        self.faults.push(fault.at(at));
    }
}

/// The directive demands something of the caller.
pub(crate) fn is_authorization(role: Role) -> bool {
    matches!(role, Role::Authenticated | Role::RequiresScopes | Role::Policy)
}

/// A field set with its entries in name order, so that equal sets print alike.
pub(crate) fn normal_form(selections: &[Selection]) -> String {
    let mut entries: Vec<String> = selections
        .iter()
        .map(|s| {
            let head = match s {
                Selection::Field { name, arguments, .. } => format!("{name}{arguments}"),
                Selection::Fragment { on: Some(on), .. } => format!("... on {on}"),
                Selection::Fragment { on: None, .. } => "...".to_owned(),
            };
            if s.selections().is_empty() {
                head
            } else {
                format!("{head} {{ {} }}", normal_form(s.selections()))
            }
        })
        .collect();
    entries.sort_unstable();
    entries.join(" ")
}
