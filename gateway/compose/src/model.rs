//! The type system as composition sees it: one document with its definitions and extensions folded
//! together. Subgraphs are parsed into it and the supergraph is built in it, so one printer serves both.

use std::fmt;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

/// A GraphQL name, shared rather than copied.
pub(crate) type Name = Arc<str>;

/// Where something stands in its document: byte offset of its first character.
/// `crate::parse::LineIndex` turns it into line and column when an error is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pos(pub u32);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(Name),
    Float(Name),
    String(Name),
    Boolean(bool),
    Enum(Name),
    List(Vec<Value>),
    Object(Vec<(Name, Value)>),
}

impl Value {
    pub(crate) fn string(text: impl Into<Name>) -> Value {
        Value::String(text.into())
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TypeRef {
    Named(Name),
    List(Box<TypeRef>),
    NonNull(Box<TypeRef>),
}

impl TypeRef {
    /// The name inside all lists and non-nulls.
    pub(crate) fn base(&self) -> &Name {
        match self {
            TypeRef::Named(name) => name,
            TypeRef::List(inner) | TypeRef::NonNull(inner) => inner.base(),
        }
    }

    pub(crate) fn is_non_null(&self) -> bool {
        matches!(self, TypeRef::NonNull(_))
    }

    /// This type without its outermost `!`.
    pub(crate) fn nullable(&self) -> &TypeRef {
        match self {
            TypeRef::NonNull(inner) => inner,
            TypeRef::Named(_) | TypeRef::List(_) => self,
        }
    }
}

impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeRef::Named(name) => f.write_str(name),
            TypeRef::List(inner) => write!(f, "[{inner}]"),
            TypeRef::NonNull(inner) => write!(f, "{inner}!"),
        }
    }
}

/// What a directive means to composition, whatever the document calls it. Set by `crate::links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    Authenticated,
    CacheTag,
    ComposeDirective,
    Context,
    Cost,
    Deprecated,
    Extends,
    External,
    FromContext,
    Inaccessible,
    InterfaceObject,
    Key,
    Link,
    ListSize,
    Override,
    Policy,
    Provides,
    Requires,
    RequiresScopes,
    Shareable,
    SpecifiedBy,
    Tag,
    /// Anything composition gives no meaning to.
    Custom,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Directive {
    pub name: Name,
    pub role: Role,
    pub arguments: Vec<(Name, Value)>,
    pub block: Block,
    pub pos: Pos,
}

/// Which block of a type something is written in: its definition, or the n-th `extend …` block of the
/// document. A directive on a block speaks of the fields of that block only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block(pub u32);

impl Block {
    pub(crate) const DEFINITION: Block = Block(0);

    pub(crate) fn is_extension(self) -> bool {
        self != Block::DEFINITION
    }
}

impl Directive {
    pub(crate) fn new(name: &str, arguments: Vec<(&str, Value)>) -> Directive {
        Directive {
            name: name.into(),
            role: Role::Custom,
            arguments: arguments.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            block: Block::DEFINITION,
            pos: Pos::default(),
        }
    }

    /// One whose name composition chose, so that its role is known.
    pub(crate) fn with_role(mut self, role: Role) -> Directive {
        self.role = role;
        self
    }

    pub(crate) fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.iter().find(|(n, _)| &**n == name).map(|(_, value)| value)
    }
}

/// Look-ups shared by everything that carries directives.
pub(crate) trait Directives {
    fn directives(&self) -> &[Directive];

    fn with_role(&self, role: Role) -> impl Iterator<Item = &Directive> {
        self.directives().iter().filter(move |d| d.role == role)
    }

    fn first(&self, role: Role) -> Option<&Directive> {
        self.directives().iter().find(|d| d.role == role)
    }

    fn has(&self, role: Role) -> bool {
        self.first(role).is_some()
    }
}

macro_rules! carries_directives {
    ($($t:ty),*) => { $(impl Directives for $t {
        fn directives(&self) -> &[Directive] { &self.directives }
    })* };
}
carries_directives!(Schema, TypeDef, Field, InputValue, EnumValue);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub name: Name,
    pub description: Option<Name>,
    pub arguments: IndexMap<Name, InputValue>,
    pub ty: TypeRef,
    pub directives: Vec<Directive>,
    pub block: Block,
    pub pos: Pos,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InputValue {
    pub name: Name,
    pub description: Option<Name>,
    pub ty: TypeRef,
    pub default: Option<Value>,
    pub directives: Vec<Directive>,
    pub pos: Pos,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EnumValue {
    pub name: Name,
    pub description: Option<Name>,
    pub directives: Vec<Directive>,
    pub pos: Pos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Scalar,
    Object,
    Interface,
    Union,
    Enum,
    InputObject,
}

impl Kind {
    /// The keyword that defines this kind in SDL.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Kind::Scalar => "scalar",
            Kind::Object => "type",
            Kind::Interface => "interface",
            Kind::Union => "union",
            Kind::Enum => "enum",
            Kind::InputObject => "input",
        }
    }

    pub(crate) fn is_composite(self) -> bool {
        matches!(self, Kind::Object | Kind::Interface | Kind::Union)
    }

    pub(crate) fn is_abstract(self) -> bool {
        matches!(self, Kind::Interface | Kind::Union)
    }
}

/// A named type. Which collections are filled follows from `kind`; the others stay empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TypeDef {
    pub name: Name,
    pub kind: Kind,
    pub description: Option<Name>,
    pub directives: Vec<Directive>,
    /// Object and interface.
    pub interfaces: IndexSet<Name>,
    /// Object and interface.
    pub fields: IndexMap<Name, Field>,
    /// Input object.
    pub inputs: IndexMap<Name, InputValue>,
    /// Union.
    pub members: IndexSet<Name>,
    /// Enum.
    pub values: IndexMap<Name, EnumValue>,
    /// There is a plain definition, not only extensions.
    pub defined: bool,
    /// There is at least one `extend …` block.
    pub extended: bool,
    pub pos: Pos,
}

impl TypeDef {
    pub(crate) fn new(name: Name, kind: Kind) -> TypeDef {
        TypeDef {
            name,
            kind,
            description: None,
            directives: Vec::new(),
            interfaces: IndexSet::new(),
            fields: IndexMap::new(),
            inputs: IndexMap::new(),
            members: IndexSet::new(),
            values: IndexMap::new(),
            defined: true,
            extended: false,
            pos: Pos::default(),
        }
    }

    /// Written as an extension of a type of another subgraph: `extend type`, or `type … @extends`.
    pub(crate) fn is_federation_extension(&self) -> bool {
        !self.defined || self.has(Role::Extends)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DirectiveDef {
    pub name: Name,
    pub description: Option<Name>,
    pub arguments: IndexMap<Name, InputValue>,
    pub repeatable: bool,
    pub locations: IndexSet<Name>,
    pub pos: Pos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operation {
    Query,
    Mutation,
    Subscription,
}

impl Operation {
    pub(crate) const ALL: [Operation; 3] = [Operation::Query, Operation::Mutation, Operation::Subscription];

    /// The keyword in `schema { … }`.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Operation::Query => "query",
            Operation::Mutation => "mutation",
            Operation::Subscription => "subscription",
        }
    }

    /// The name its root type has when no `schema` block says otherwise, and always in a supergraph.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Operation::Query => "Query",
            Operation::Mutation => "Mutation",
            Operation::Subscription => "Subscription",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Schema {
    pub description: Option<Name>,
    pub directives: Vec<Directive>,
    /// Root types by operation, with where they were named.
    pub roots: IndexMap<Operation, Name>,
    pub types: IndexMap<Name, TypeDef>,
    pub directive_defs: IndexMap<Name, DirectiveDef>,
}

impl Schema {
    pub(crate) fn kind_of(&self, name: &str) -> Option<Kind> {
        self.types.get(name).map(|t| t.kind)
    }

    /// The object types a value of type `name` can have at run time, in document order.
    pub(crate) fn possible_types<'a>(&'a self, name: &str) -> Vec<&'a Name> {
        match self.types.get(name) {
            Some(t) => match t.kind {
                Kind::Object => vec![&t.name],
                Kind::Union => t.members.iter().collect(),
                Kind::Interface => self
                    .types
                    .values()
                    .filter(|o| o.kind == Kind::Object && o.interfaces.contains(name))
                    .map(|o| &o.name)
                    .collect(),
                Kind::Scalar | Kind::Enum | Kind::InputObject => Vec::new(),
            },
            None => Vec::new(),
        }
    }
}

/// The scalars every GraphQL service has.
pub(crate) const BUILT_IN_SCALARS: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

pub(crate) fn is_built_in_scalar(name: &str) -> bool {
    BUILT_IN_SCALARS.contains(&name)
}
