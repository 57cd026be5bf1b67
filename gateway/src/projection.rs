//! What the client asked for, made ready to be written: for each composite field the fields to write of an
//! object of each possible type, fragments resolved and fields merged (GraphQL specification, section 6.3,
//! CollectFields and MergeSelectionSets, done once per operation instead of once per object).

mod compile;

use std::sync::Arc;

use graphql_tools::static_graphql::query as ast;

use crate::json::Symbol;
use crate::schema::{TypeId, TypeRef};

pub(crate) use compile::{ProjectionError, compile};

/// The fields to write of an object.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) fields: Vec<Field>,
}

/// One field to write.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) symbol: Symbol,
    /// `"key":`.
    pub(crate) key: Box<[u8]>,
    /// The field's name in the schema.
    pub(crate) name: Box<str>,
    /// When to write it; `None` is always.
    pub(crate) condition: Option<Condition>,
    pub(crate) source: Source,
    pub(crate) ty: TypeRef,
    pub(crate) leaf: Leaf,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// What subgraphs answered.
    Data,
    /// The object's type.
    Typename,
    /// The schema itself, by a meta-field of the query type or below one.
    Introspection(Vec<(String, ast::Value)>),
}

/// What is at the bottom of a field's lists.
#[derive(Debug)]
pub(crate) enum Leaf {
    /// A scalar, or an enum all of whose values clients may see.
    Scalar,
    /// An enum some of whose values clients may not see.
    GuardedEnum(TypeId),
    Composite(Composite),
}

/// The selections of a composite field, by the type that an object turns out to have.
#[derive(Debug)]
pub(crate) struct Composite {
    /// The field's own type, which the object is taken to have if no answer told its type.
    pub(crate) declared: TypeId,
    /// For an object known by the declared type alone.
    pub(crate) untold: Arc<Selection>,
    /// By object type, sorted.
    pub(crate) told: Vec<(TypeId, Arc<Selection>)>,
}

impl Composite {
    /// What to write of an object of type `ty`; `None` if clients may not see that type.
    pub(crate) fn selection(&self, ty: Option<TypeId>) -> Option<&Arc<Selection>> {
        let Some(ty) = ty.filter(|ty| *ty != self.declared) else { return Some(&self.untold) };
        match self.told.binary_search_by_key(&ty, |(told, _)| *told) {
            Ok(index) => Some(&self.told[index].1),
            Err(_) => None,
        }
    }
}

/// Any of some sets of flags, each of which must hold as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition(pub(crate) Vec<Vec<Flag>>);

/// The value that a condition variable must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag {
    /// As [`crate::plan::Symbols::condition`] numbers them.
    pub(crate) variable: usize,
    pub(crate) expected: bool,
}

impl Condition {
    /// `flags` holds the values of the condition variables.
    pub(crate) fn holds(&self, flags: &[bool]) -> bool {
        self.0.iter().any(|all| all.iter().all(|flag| flags[flag.variable] == flag.expected))
    }
}
