//! A query plan made ready to run: names are symbols, type conditions are sets, and what every request to a
//! subgraph has in common is already JSON.

mod compile;
mod representation;
mod rewrite;

use std::sync::Arc;

use bytes::Bytes;

use crate::data::{Data, ObjectRef, Value};
use crate::json::{Shape, Symbol};
use crate::schema::{Schema, TypeSet};

pub(crate) use compile::{Symbols, compile};
pub(crate) use representation::Requires;
pub(crate) use rewrite::{InputRewrite, OutputRewrite};

/// What to fetch, in which order.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `None` if nothing needs a subgraph.
    pub(crate) root: Option<Step>,
    pub(crate) fetches: Vec<Arc<Fetch>>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Sequence(Vec<Step>),
    Parallel(Vec<Step>),
    /// `condition` is an index into [`Symbols::conditions`].
    Condition {
        condition: usize,
        then: Option<Box<Step>>,
        otherwise: Option<Box<Step>>,
    },
    /// An index into [`Plan::fetches`].
    Fetch(usize),
}

/// One request to a subgraph.
#[derive(Debug)]
pub(crate) struct Fetch {
    /// Unique in this process, so that a parsed answer can be shared between requests of the same fetch.
    pub(crate) id: u64,
    /// The subgraph's name as it was composed.
    pub(crate) subgraph: Box<str>,
    /// Whether it may be repeated, and shared with others that ask the same at the same time.
    pub(crate) is_query: bool,
    /// `{"query":"…"`, which the variables and a brace complete.
    pub(crate) head: Bytes,
    /// The client's variables that the fetch uses.
    pub(crate) variables: Vec<Box<str>>,
    pub(crate) shape: Shape,
    pub(crate) target: Target,
    /// Applied to `data` of the answer.
    pub(crate) rewrites: Vec<OutputRewrite>,
}

/// Where a fetch's answer belongs.
#[derive(Debug)]
pub(crate) enum Target {
    Root,
    /// The query type reached again below the root: every object at the path gets the whole answer.
    Objects(Path),
    Entities(Vec<Entities>),
}

/// One `_entities` field of a fetch.
#[derive(Debug)]
pub(crate) struct Entities {
    /// The response key of the field.
    pub(crate) symbol: Symbol,
    /// The response key in words, which error paths of the subgraph start with.
    pub(crate) key: Box<str>,
    /// The variable that takes the representations.
    pub(crate) variable: Box<str>,
    pub(crate) paths: Vec<Path>,
    pub(crate) requires: Vec<Requires>,
    pub(crate) input_rewrites: Vec<InputRewrite>,
    /// Applied to each entity.
    pub(crate) output_rewrites: Vec<OutputRewrite>,
    pub(crate) spread: Spread,
}

/// How far the places that get the same entity stay alike in what later fetches do below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// All of them.
    All,
    /// Those of one path.
    Path,
    /// Each is its own: a later fetch goes on below some of them by a type condition.
    Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathStep {
    Field(Symbol),
    List,
    Type(TypeSet),
}

/// The way from the root to the objects that a fetch extends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) steps: Vec<PathStep>,
}

/// A segment of a GraphQL response path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Field(Symbol),
    Index(usize),
}

impl Path {
    /// Calls `visit` for each object at the path, in order. Nulls on the way lead nowhere.
    pub(crate) fn objects(&self, data: &Data, schema: &Schema, visit: &mut dyn FnMut(ObjectRef)) {
        let mut trail = Trail { data, schema, at: None, visit: &mut |object, _| visit(object) };
        trail.walk(Value::Object(Data::ROOT), &self.steps);
    }

    /// The same with the response path of each object.
    pub(crate) fn objects_with_paths(
        &self,
        data: &Data,
        schema: &Schema,
        visit: &mut dyn FnMut(ObjectRef, &[Segment]),
    ) {
        let mut trail = Trail { data, schema, at: Some(Vec::new()), visit };
        trail.walk(Value::Object(Data::ROOT), &self.steps);
    }
}

struct Trail<'a> {
    data: &'a Data,
    schema: &'a Schema,
    /// The response path so far, if anybody wants it.
    at: Option<Vec<Segment>>,
    visit: &'a mut dyn FnMut(ObjectRef, &[Segment]),
}

impl Trail<'_> {
    fn walk(&mut self, value: Value<'_>, steps: &[PathStep]) {
        match (value, steps.split_first()) {
            (Value::Object(object), None) => (self.visit)(object, self.at.as_deref().unwrap_or(&[])),
            (Value::Object(object), Some((PathStep::Field(symbol), rest))) => {
                if let Some(value) = self.data.field(object, *symbol) {
                    self.step(Segment::Field(*symbol), value, rest);
                }
            }
            (Value::Object(object), Some((PathStep::Type(types), rest))) => {
                if self.data.object_type(object, self.schema).is_none_or(|ty| types.contains(ty)) {
                    self.walk(value, rest);
                }
            }
            (Value::List(list), Some((PathStep::List, rest))) => {
                for (index, item) in list.iter().enumerate() {
                    self.step(Segment::Index(index), item, rest);
                }
            }
            (Value::List(list), None | Some((PathStep::Type(_), _))) => {
                for (index, item) in list.iter().enumerate() {
                    self.step(Segment::Index(index), item, steps);
                }
            }
            (Value::Null | Value::Raw(_), _)
            | (Value::Object(_), Some((PathStep::List, _)))
            | (Value::List(_), Some((PathStep::Field(_), _))) => {}
        }
    }

    fn step(&mut self, segment: Segment, value: Value<'_>, rest: &[PathStep]) {
        if let Some(at) = &mut self.at {
            at.push(segment);
        }
        self.walk(value, rest);
        if let Some(at) = &mut self.at {
            at.pop();
        }
    }
}
