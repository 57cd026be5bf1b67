//! Values, types and applied directives out of the syntax tree.

use apollo_parser::cst;

use super::{Reader, text};
use crate::model::{Block, Directive, Role, TypeRef, Value};

impl Reader {
    pub(super) fn directives(&mut self, node: Option<cst::Directives>, block: Block) -> Vec<Directive> {
        let Some(node) = node else { return Vec::new() };
        node.directives()
            .filter_map(|d| {
                Some(Directive {
                    name: text(d.name()?),
                    role: Role::Custom,
                    arguments: self.arguments(d.arguments()),
                    block,
                    pos: super::pos(&d),
                })
            })
            .collect()
    }

    pub(super) fn arguments(&mut self, node: Option<cst::Arguments>) -> Vec<(crate::model::Name, Value)> {
        let Some(node) = node else { return Vec::new() };
        node.arguments().filter_map(|a| Some((text(a.name()?), value(&a.value()?)))).collect()
    }
}

/// A variable cannot occur in a type system document; it reads as `null` and is refused where it matters.
pub(super) fn value(node: &cst::Value) -> Value {
    match node {
        cst::Value::Variable(_) | cst::Value::NullValue(_) => Value::Null,
        cst::Value::StringValue(s) => Value::String(String::from(s).into()),
        cst::Value::FloatValue(f) => Value::Float(super::source(f)),
        cst::Value::IntValue(i) => Value::Int(super::source(i)),
        cst::Value::BooleanValue(b) => Value::Boolean(b.true_token().is_some()),
        cst::Value::EnumValue(e) => Value::Enum(super::source(e)),
        cst::Value::ListValue(l) => Value::List(l.values().map(|v| value(&v)).collect()),
        cst::Value::ObjectValue(o) => Value::Object(
            o.object_fields().filter_map(|f| Some((text(f.name()?), value(&f.value()?)))).collect(),
        ),
    }
}

pub(super) fn type_ref(node: &cst::Type) -> Option<TypeRef> {
    match node {
        cst::Type::NamedType(n) => Some(TypeRef::Named(text(n.name()?))),
        cst::Type::ListType(l) => Some(TypeRef::List(Box::new(type_ref(&l.ty()?)?))),
        cst::Type::NonNullType(n) => {
            let inner = match (n.named_type(), n.list_type()) {
                (Some(named), _) => TypeRef::Named(text(named.name()?)),
                (None, Some(list)) => TypeRef::List(Box::new(type_ref(&list.ty()?)?)),
                (None, None) => return None,
            };
            Some(TypeRef::NonNull(Box::new(inner)))
        }
    }
}
