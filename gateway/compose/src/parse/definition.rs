//! Definitions and extensions, folded into one [`TypeDef`] per name.

use apollo_parser::cst;

use super::value::{type_ref, value};
use super::{Reader, pos, source, text};
use crate::model::{Block, DirectiveDef, EnumValue, Field, InputValue, Kind, Name, Operation, Pos, TypeDef};
use indexmap::IndexMap;
use indexmap::map::Entry;

/// One `type X …` or `extend type X …` before it is folded in.
struct Head {
    name: Option<cst::Name>,
    description: Option<cst::Description>,
    kind: Kind,
    extends: bool,
    directives: Option<cst::Directives>,
    pos: Pos,
}

/// What stands between the braces of a block.
#[derive(Default)]
struct Body {
    interfaces: Option<cst::ImplementsInterfaces>,
    fields: Option<cst::FieldsDefinition>,
    inputs: Option<cst::InputFieldsDefinition>,
    members: Option<cst::UnionMemberTypes>,
    values: Option<cst::EnumValuesDefinition>,
}

macro_rules! head {
    ($node:ident, $kind:expr, definition) => {
        Head {
            name: $node.name(),
            description: $node.description(),
            kind: $kind,
            extends: false,
            directives: $node.directives(),
            pos: pos(&$node),
        }
    };
    ($node:ident, $kind:expr, extension) => {
        Head {
            name: $node.name(),
            description: None,
            kind: $kind,
            extends: true,
            directives: $node.directives(),
            pos: pos(&$node),
        }
    };
}

macro_rules! with_fields {
    ($node:ident) => {
        Body {
            interfaces: $node.implements_interfaces(),
            fields: $node.fields_definition(),
            ..Body::default()
        }
    };
}

impl Reader {
    pub(super) fn definition(&mut self, definition: cst::Definition) {
        use cst::Definition as D;
        match definition {
            D::OperationDefinition(n) => self.executable(pos(&n)),
            D::FragmentDefinition(n) => self.executable(pos(&n)),
            D::DirectiveDefinition(n) => self.directive_definition(n),
            D::SchemaDefinition(n) => {
                self.schema.description = description(n.description());
                let directives = self.directives(n.directives(), Block::DEFINITION);
                self.schema.directives.extend(directives);
                self.root_types(n.root_operation_type_definitions());
            }
            D::SchemaExtension(n) => {
                let directives = self.directives(n.directives(), Block::DEFINITION);
                self.schema.directives.extend(directives);
                self.root_types(n.root_operation_type_definitions());
            }
            D::ScalarTypeDefinition(n) => self.fold(head!(n, Kind::Scalar, definition), Body::default()),
            D::ScalarTypeExtension(n) => self.fold(head!(n, Kind::Scalar, extension), Body::default()),
            D::ObjectTypeDefinition(n) => self.fold(head!(n, Kind::Object, definition), with_fields!(n)),
            D::ObjectTypeExtension(n) => self.fold(head!(n, Kind::Object, extension), with_fields!(n)),
            D::InterfaceTypeDefinition(n) => {
                self.fold(head!(n, Kind::Interface, definition), with_fields!(n))
            }
            D::InterfaceTypeExtension(n) => self.fold(head!(n, Kind::Interface, extension), with_fields!(n)),
            D::UnionTypeDefinition(n) => {
                let body = Body { members: n.union_member_types(), ..Body::default() };
                self.fold(head!(n, Kind::Union, definition), body);
            }
            D::UnionTypeExtension(n) => {
                let body = Body { members: n.union_member_types(), ..Body::default() };
                self.fold(head!(n, Kind::Union, extension), body);
            }
            D::EnumTypeDefinition(n) => {
                let body = Body { values: n.enum_values_definition(), ..Body::default() };
                self.fold(head!(n, Kind::Enum, definition), body);
            }
            D::EnumTypeExtension(n) => {
                let body = Body { values: n.enum_values_definition(), ..Body::default() };
                self.fold(head!(n, Kind::Enum, extension), body);
            }
            D::InputObjectTypeDefinition(n) => {
                let body = Body { inputs: n.input_fields_definition(), ..Body::default() };
                self.fold(head!(n, Kind::InputObject, definition), body);
            }
            D::InputObjectTypeExtension(n) => {
                let body = Body { inputs: n.input_fields_definition(), ..Body::default() };
                self.fold(head!(n, Kind::InputObject, extension), body);
            }
        }
    }

    fn executable(&mut self, pos: Pos) {
        self.fault("operations and fragments have no place in a schema".into(), pos);
    }

    fn root_types(&mut self, nodes: cst::CstChildren<cst::RootOperationTypeDefinition>) {
        for node in nodes {
            let at = pos(&node);
            let (Some(kind), Some(name)) = (node.operation_type(), node.named_type().and_then(|t| t.name()))
            else {
                continue;
            };
            let operation = if kind.query_token().is_some() {
                Operation::Query
            } else if kind.mutation_token().is_some() {
                Operation::Mutation
            } else {
                Operation::Subscription
            };
            if self.schema.roots.insert(operation, text(name)).is_some() {
                self.fault(format!("there can be only one {} type in a schema", operation.keyword()), at);
            }
        }
    }

    fn directive_definition(&mut self, node: cst::DirectiveDefinition) {
        let Some(name) = node.name().map(text) else { return };
        let arguments = self.input_values(
            node.arguments_definition().into_iter().flat_map(|a| a.input_value_definitions()),
            &format!("@{name}"),
        );
        let locations = node.directive_locations().into_iter().flat_map(|l| l.directive_locations());
        let definition = DirectiveDef {
            description: description(node.description()),
            arguments,
            repeatable: node.repeatable_token().is_some(),
            locations: locations.map(|l| source(&l).trim_start_matches('|').trim().into()).collect(),
            pos: pos(&node),
            name: name.clone(),
        };
        if self.schema.directive_defs.contains_key(&name) {
            self.fault(format!("there can be only one directive named \"@{name}\""), definition.pos);
        } else {
            self.schema.directive_defs.insert(name, definition);
        }
    }

    fn fold(&mut self, head: Head, body: Body) {
        let Some(name) = head.name.map(text) else { return };
        let block = if head.extends { self.next_extension() } else { Block::DEFINITION };
        let directives = self.directives(head.directives, block);
        let description = description(head.description);
        let fields = self.fields(body.fields, &name, block);
        let inputs =
            self.input_values(body.inputs.into_iter().flat_map(|b| b.input_value_definitions()), &name);
        let values = self.enum_values(body.values, &name);
        let interfaces =
            body.interfaces.into_iter().flat_map(|i| i.named_types()).filter_map(|n| n.name()).map(text);
        let members =
            body.members.into_iter().flat_map(|m| m.named_types()).filter_map(|n| n.name()).map(text);

        let mut faults = Vec::new();
        let ty = match self.schema.types.entry(name.clone()) {
            Entry::Vacant(slot) => {
                let ty = slot.insert(TypeDef::new(name.clone(), head.kind));
                ty.defined = !head.extends;
                ty.pos = head.pos;
                ty
            }
            Entry::Occupied(slot) => {
                let ty = slot.into_mut();
                if ty.kind != head.kind {
                    faults.push(format!(
                        "cannot extend {} `{name}` as {}",
                        ty.kind.keyword(),
                        head.kind.keyword()
                    ));
                }
                if !head.extends {
                    if ty.defined {
                        faults.push(format!("there can be only one type named \"{name}\""));
                    }
                    ty.defined = true;
                }
                ty
            }
        };
        ty.extended |= head.extends;
        ty.description = ty.description.take().or(description);
        ty.directives.extend(directives);
        ty.interfaces.extend(interfaces);
        ty.members.extend(members);
        extend(&mut ty.fields, fields, &name, &mut faults);
        extend(&mut ty.inputs, inputs, &name, &mut faults);
        extend(&mut ty.values, values, &name, &mut faults);
        for message in faults {
            self.fault(message, head.pos);
        }
    }

    fn fields(
        &mut self,
        node: Option<cst::FieldsDefinition>,
        parent: &str,
        block: Block,
    ) -> IndexMap<Name, Field> {
        let mut fields = IndexMap::new();
        for f in node.into_iter().flat_map(|n| n.field_definitions()) {
            let (Some(name), Some(ty)) = (f.name().map(text), f.ty().as_ref().and_then(type_ref)) else {
                continue;
            };
            let arguments = f.arguments_definition().into_iter().flat_map(|a| a.input_value_definitions());
            let field = Field {
                description: description(f.description()),
                arguments: self.input_values(arguments, &format!("{parent}.{name}")),
                ty,
                directives: self.directives(f.directives(), block),
                block,
                pos: pos(&f),
                name: name.clone(),
            };
            self.insert(&mut fields, name, field, parent, pos(&f));
        }
        fields
    }

    fn input_values(
        &mut self,
        nodes: impl Iterator<Item = cst::InputValueDefinition>,
        parent: &str,
    ) -> IndexMap<Name, InputValue> {
        let mut inputs = IndexMap::new();
        for node in nodes {
            let (Some(name), Some(ty)) = (node.name().map(text), node.ty().as_ref().and_then(type_ref))
            else {
                continue;
            };
            let input = InputValue {
                description: description(node.description()),
                ty,
                default: node.default_value().and_then(|d| d.value()).as_ref().map(value),
                directives: self.directives(node.directives(), Block::DEFINITION),
                pos: pos(&node),
                name: name.clone(),
            };
            self.insert(&mut inputs, name, input, parent, pos(&node));
        }
        inputs
    }

    fn enum_values(
        &mut self,
        node: Option<cst::EnumValuesDefinition>,
        parent: &str,
    ) -> IndexMap<Name, EnumValue> {
        let mut values = IndexMap::new();
        for node in node.into_iter().flat_map(|n| n.enum_value_definitions()) {
            let Some(name) = node.enum_value().and_then(|v| v.name()).map(text) else { continue };
            let value = EnumValue {
                description: description(node.description()),
                directives: self.directives(node.directives(), Block::DEFINITION),
                pos: pos(&node),
                name: name.clone(),
            };
            self.insert(&mut values, name, value, parent, pos(&node));
        }
        values
    }

    fn insert<T>(&mut self, into: &mut IndexMap<Name, T>, name: Name, item: T, parent: &str, pos: Pos) {
        if into.contains_key(&name) {
            self.fault(format!("`{parent}.{name}` can only be defined once"), pos);
        } else {
            into.insert(name, item);
        }
    }
}

fn extend<T>(into: &mut IndexMap<Name, T>, from: IndexMap<Name, T>, parent: &str, faults: &mut Vec<String>) {
    for (name, item) in from {
        if into.contains_key(&name) {
            faults.push(format!("`{parent}.{name}` can only be defined once"));
        } else {
            into.insert(name, item);
        }
    }
}

fn description(node: Option<cst::Description>) -> Option<Name> {
    let text = String::from(&node?.string_value()?);
    Some(text.into())
}
