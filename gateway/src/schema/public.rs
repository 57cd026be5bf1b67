//! The part of the schema that clients may see, read from the planner's API schema.

use std::collections::HashMap;

use graphql_tools::static_graphql::schema as ast;

use super::TypeId;

/// A reference to a type, with its wrappers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TypeRef {
    Named(TypeId),
    List(Box<TypeRef>),
    NonNull(Box<TypeRef>),
}

impl TypeRef {
    pub(crate) fn named(&self) -> TypeId {
        match self {
            Self::Named(id) => *id,
            Self::List(inner) | Self::NonNull(inner) => inner.named(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct TypeDef {
    pub(crate) description: Option<String>,
    pub(crate) kind: TypeKind,
}

#[derive(Debug)]
pub(crate) enum TypeKind {
    Scalar { specified_by: Option<String> },
    Object { interfaces: Vec<TypeId>, fields: Vec<FieldDef> },
    Interface { interfaces: Vec<TypeId>, fields: Vec<FieldDef> },
    Union { members: Vec<TypeId> },
    Enum { values: Vec<EnumValueDef> },
    InputObject { fields: Vec<InputValueDef>, one_of: bool },
}

impl TypeDef {
    /// The output field of that name, of an object or interface.
    pub(crate) fn field(&self, name: &str) -> Option<&FieldDef> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// The output fields of an object or interface; none of any other type.
    pub(crate) fn fields(&self) -> &[FieldDef] {
        match &self.kind {
            TypeKind::Object { fields, .. } | TypeKind::Interface { fields, .. } => fields,
            TypeKind::Scalar { .. }
            | TypeKind::Union { .. }
            | TypeKind::Enum { .. }
            | TypeKind::InputObject { .. } => &[],
        }
    }
}

#[derive(Debug)]
pub(crate) struct FieldDef {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) arguments: Vec<InputValueDef>,
    pub(crate) ty: TypeRef,
    pub(crate) deprecated: Option<String>,
}

#[derive(Debug)]
pub(crate) struct InputValueDef {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) ty: TypeRef,
    /// As a GraphQL literal.
    pub(crate) default: Option<String>,
    pub(crate) deprecated: Option<String>,
}

#[derive(Debug)]
pub(crate) struct EnumValueDef {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) deprecated: Option<String>,
}

#[derive(Debug)]
pub(crate) struct DirectiveDef {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) locations: Vec<&'static str>,
    pub(crate) arguments: Vec<InputValueDef>,
    pub(crate) repeatable: bool,
}

/// What [`read`] found: types by number, and the directives.
pub(crate) struct Visible {
    pub(crate) types: Vec<Option<TypeDef>>,
    pub(crate) directives: Vec<DirectiveDef>,
}

pub(super) fn read(document: &ast::Document, index: &HashMap<Box<str>, TypeId>) -> Visible {
    let reader = Reader { index };
    let mut types: Vec<Option<TypeDef>> = Vec::new();
    types.resize_with(index.len(), || None);
    let mut directives = Vec::new();
    for definition in &document.definitions {
        match definition {
            ast::Definition::TypeDefinition(definition) => {
                let id = index[definition.name()];
                types[id.0 as usize] = Some(reader.type_definition(definition));
            }
            ast::Definition::DirectiveDefinition(directive) => directives.push(reader.directive(directive)),
            ast::Definition::SchemaDefinition(_) | ast::Definition::TypeExtension(_) => {}
        }
    }
    Visible { types, directives }
}

struct Reader<'a> {
    index: &'a HashMap<Box<str>, TypeId>,
}

impl Reader<'_> {
    fn type_definition(&self, definition: &ast::TypeDefinition) -> TypeDef {
        let (description, kind) = match definition {
            ast::TypeDefinition::Scalar(scalar) => (
                &scalar.description,
                TypeKind::Scalar { specified_by: argument(&scalar.directives, "specifiedBy", "url") },
            ),
            ast::TypeDefinition::Object(object) => (
                &object.description,
                TypeKind::Object {
                    interfaces: self.ids(&object.implements_interfaces),
                    fields: self.fields(&object.fields),
                },
            ),
            ast::TypeDefinition::Interface(interface) => (
                &interface.description,
                TypeKind::Interface {
                    interfaces: self.ids(&interface.implements_interfaces),
                    fields: self.fields(&interface.fields),
                },
            ),
            ast::TypeDefinition::Union(union) => {
                (&union.description, TypeKind::Union { members: self.ids(&union.types) })
            }
            ast::TypeDefinition::Enum(r#enum) => (
                &r#enum.description,
                TypeKind::Enum { values: r#enum.values.iter().map(enum_value).collect() },
            ),
            ast::TypeDefinition::InputObject(input) => (
                &input.description,
                TypeKind::InputObject {
                    fields: self.inputs(&input.fields),
                    one_of: input.directives.iter().any(|directive| directive.name == "oneOf"),
                },
            ),
        };
        TypeDef { description: description.clone(), kind }
    }

    /// Ids of the names that clients may see; a name the schema does not define is no type.
    fn ids(&self, names: &[String]) -> Vec<TypeId> {
        names.iter().filter_map(|name| self.index.get(name.as_str()).copied()).collect()
    }

    fn fields(&self, fields: &[ast::Field]) -> Vec<FieldDef> {
        let mut read: Vec<FieldDef> = Vec::with_capacity(fields.len());
        for field in fields {
            let Some(ty) = self.type_ref(&field.field_type) else { continue };
            read.push(FieldDef {
                name: field.name.clone(),
                description: field.description.clone(),
                arguments: self.inputs(&field.arguments),
                ty,
                deprecated: deprecation(&field.directives),
            });
        }
        read
    }

    fn inputs(&self, inputs: &[ast::InputValue]) -> Vec<InputValueDef> {
        inputs
            .iter()
            .filter_map(|input| {
                Some(InputValueDef {
                    name: input.name.clone(),
                    description: input.description.clone(),
                    ty: self.type_ref(&input.value_type)?,
                    default: input.default_value.as_ref().map(ToString::to_string),
                    deprecated: deprecation(&input.directives),
                })
            })
            .collect()
    }

    fn type_ref(&self, ty: &ast::Type) -> Option<TypeRef> {
        Some(match ty {
            ast::Type::NamedType(name) => TypeRef::Named(*self.index.get(name.as_str())?),
            ast::Type::ListType(inner) => TypeRef::List(Box::new(self.type_ref(inner)?)),
            ast::Type::NonNullType(inner) => TypeRef::NonNull(Box::new(self.type_ref(inner)?)),
        })
    }

    fn directive(&self, directive: &ast::DirectiveDefinition) -> DirectiveDef {
        DirectiveDef {
            name: directive.name.clone(),
            description: directive.description.clone(),
            locations: directive.locations.iter().map(|location| location.as_str()).collect(),
            arguments: self.inputs(&directive.arguments),
            repeatable: directive.repeatable,
        }
    }
}

fn enum_value(value: &ast::EnumValue) -> EnumValueDef {
    EnumValueDef {
        name: value.name.clone(),
        description: value.description.clone(),
        deprecated: deprecation(&value.directives),
    }
}

/// The reason of `@deprecated`, with the specification's default when none is given.
fn deprecation(directives: &[ast::Directive]) -> Option<String> {
    directives.iter().any(|directive| directive.name == "deprecated").then(|| {
        argument(directives, "deprecated", "reason").unwrap_or_else(|| "No longer supported".to_owned())
    })
}

fn argument(directives: &[ast::Directive], directive: &str, argument: &str) -> Option<String> {
    let directive = directives.iter().find(|candidate| candidate.name == directive)?;
    directive.arguments.iter().find(|(name, _)| name == argument).and_then(|(_, value)| match value {
        ast::Value::String(text) => Some(text.clone()),
        _ => None,
    })
}
