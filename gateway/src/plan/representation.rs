//! Entity representations: what a subgraph is told of an entity, so that it finds the entity again.

use hive_router_query_planner::ast::selection_item::SelectionItem;
use hive_router_query_planner::ast::selection_set::SelectionSet;
use smallvec::SmallVec;

use super::compile::{CompileError, Symbols};
use super::{Entities, InputRewrite};
use crate::data::{Data, ObjectRef, Value};
use crate::json::Symbol;
use crate::schema::{Schema, TypeId};

/// A selection of a representation.
#[derive(Debug)]
pub(crate) enum Requires {
    Field {
        /// Where the value is in the data, which for a field that was aliased on the way in is the alias.
        symbol: Symbol,
        /// Where it is if it is not there.
        alternative: Symbol,
        /// `"key":`, the name of the field in the representation.
        key: Box<[u8]>,
        fields: Vec<Requires>,
    },
    On {
        condition: TypeId,
        fields: Vec<Requires>,
    },
}

impl Requires {
    pub(super) fn compile(
        selections: &SelectionSet,
        symbols: &mut Symbols<'_>,
    ) -> Result<Vec<Self>, CompileError> {
        let mut compiled = Vec::with_capacity(selections.items.len());
        for item in &selections.items {
            compiled.push(match item {
                SelectionItem::Field(field) if field.selection_identifier() == "__typename" => continue,
                SelectionItem::Field(field) => Self::Field {
                    symbol: symbols.intern(&field.name),
                    alternative: symbols.intern(field.selection_identifier()),
                    key: format!("\"{}\":", field.selection_identifier()).into_bytes().into(),
                    fields: Self::compile(&field.selections, symbols)?,
                },
                SelectionItem::InlineFragment(fragment) => Self::On {
                    condition: symbols.ty(&fragment.type_condition)?,
                    fields: Self::compile(&fragment.selections, symbols)?,
                },
                SelectionItem::FragmentSpread(_) => {
                    return Err(CompileError::Unsupported("a named fragment in a representation"));
                }
            });
        }
        Ok(compiled)
    }
}

impl Entities {
    /// Writes the representation of an object. `false`, and nothing written, if the data has nothing of what
    /// a representation needs.
    pub(crate) fn write_representation(
        &self,
        data: &Data,
        schema: &Schema,
        object: ObjectRef,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut name = data.object_type(object, schema);
        for InputRewrite { types, name: rewritten } in &self.input_rewrites {
            if name.is_none_or(|name| types.contains(name)) {
                name = Some(*rewritten);
            }
        }
        Writer { data, schema, out }.object(object, name, &self.requires)
    }
}

fn is_typename_only(requires: &[Requires]) -> bool {
    requires.iter().all(|selection| match selection {
        Requires::Field { .. } => false,
        Requires::On { fields, .. } => is_typename_only(fields),
    })
}

struct Writer<'a> {
    data: &'a Data,
    schema: &'a Schema,
    out: &'a mut Vec<u8>,
}

/// The fields of the object that is being written which are there already.
type Written = SmallVec<[Symbol; 8]>;

impl Writer<'_> {
    /// `name` is the type that the object goes by in the representation.
    fn object(&mut self, object: ObjectRef, name: Option<TypeId>, requires: &[Requires]) -> bool {
        let start = self.out.len();
        self.out.push(b'{');
        if let Some(name) = name {
            self.out.extend_from_slice(b"\"__typename\":\"");
            self.out.extend_from_slice(self.schema.name(name).as_bytes());
            self.out.push(b'"');
        }
        let with_type = self.out.len();
        self.fields(object, name, requires, &mut Written::new());
        // `__typename` alone can be a key, but an object whose fields are all missing is none.
        let complete =
            if is_typename_only(requires) { with_type > start + 1 } else { self.out.len() > with_type };
        if complete {
            self.out.push(b'}');
        } else {
            self.out.truncate(start);
        }
        complete
    }

    fn fields(
        &mut self,
        object: ObjectRef,
        name: Option<TypeId>,
        requires: &[Requires],
        written: &mut Written,
    ) {
        for selection in requires {
            match selection {
                Requires::Field { symbol, alternative, key, fields } => {
                    if written.contains(alternative) {
                        continue;
                    }
                    let data = self.data;
                    let value = data.field(object, *symbol).or_else(|| data.field(object, *alternative));
                    let Some(value) = value else { continue };
                    let before = self.out.len();
                    if self.out.last() != Some(&b'{') {
                        self.out.push(b',');
                    }
                    self.out.extend_from_slice(key);
                    if self.value(value, fields) {
                        written.push(*alternative);
                    } else {
                        self.out.truncate(before);
                    }
                }
                Requires::On { condition, fields } => {
                    // An object that goes by an interface's name may be of any type that implements it, and
                    // the planner may name just one of those.
                    let applies = name.is_none_or(|name| {
                        self.schema.members(*condition).contains(name)
                            || self.schema.members(name).contains(*condition)
                    });
                    if applies {
                        self.fields(object, name, fields, written);
                    }
                }
            }
        }
    }

    fn value(&mut self, value: Value<'_>, fields: &[Requires]) -> bool {
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Raw(json) => self.out.extend_from_slice(json),
            Value::List(list) => {
                self.out.push(b'[');
                let mut first = true;
                for item in list.iter() {
                    let before = self.out.len();
                    if !first {
                        self.out.push(b',');
                    }
                    if self.value(item, fields) {
                        first = false;
                    } else {
                        self.out.truncate(before);
                    }
                }
                self.out.push(b']');
            }
            Value::Object(object) => {
                let ty = self.data.object_type(object, self.schema);
                return self.object(object, ty, fields);
            }
        }
        true
    }
}
