//! Writing the response: the data of the subgraphs as the operation selects it, straight into bytes, with
//! nulls propagated to the nearest nullable position (GraphQL specification, section 6.4.4).

use crate::data::{Data, List, ObjectRef, Value};
use crate::error::{Code, GraphqlError, PathItem, push_bounded};
use crate::introspection::Introspection;
use crate::projection::{Composite, Field, Leaf, Selection, Source};
use crate::schema::{Schema, TypeId, TypeKind, TypeRef};

/// What a response is written from.
pub(crate) struct Projector<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) data: &'a Data,
    /// The values of the condition variables.
    pub(crate) flags: &'a [bool],
    pub(crate) introspection: Introspection<'a>,
    /// Bytes of `data` at most; more is an error instead of data.
    pub(crate) max_bytes: usize,
}

/// The response would exceed `max_bytes`.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl<'a> Projector<'a> {
    /// Appends the value of `data`. Faults of the data go to `errors`; a null where none may be is one of
    /// them only if no other error explains it.
    pub(crate) fn write(
        &'a self,
        selection: &'a Selection,
        root: TypeId,
        out: &mut Vec<u8>,
        errors: &mut Vec<GraphqlError>,
    ) -> Result<(), TooLarge> {
        let explained = !errors.is_empty();
        let start = out.len();
        let mut writer = Writer {
            from: self,
            out,
            limit: start.saturating_add(self.max_bytes),
            path: Vec::new(),
            errors,
            explained,
        };
        if !writer.object(Data::ROOT, root, selection) {
            writer.null(start);
        }
        if writer.out.len() > writer.limit {
            writer.out.truncate(start);
            return Err(TooLarge);
        }
        Ok(())
    }
}

struct Writer<'a, 'o> {
    from: &'a Projector<'a>,
    out: &'o mut Vec<u8>,
    limit: usize,
    path: Vec<Step<'a>>,
    errors: &'o mut Vec<GraphqlError>,
    explained: bool,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a Field),
    Index(usize),
}

impl<'a> Writer<'a, '_> {
    /// `false` if the object can't be written because a field that must not be null is; what was written of
    /// it is then left for the caller to take back.
    fn object(&mut self, object: ObjectRef, ty: TypeId, selection: &'a Selection) -> bool {
        self.out.push(b'{');
        let mut first = true;
        for field in &selection.fields {
            if field.condition.as_ref().is_some_and(|condition| !condition.holds(self.from.flags)) {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&field.key);
            match &field.source {
                Source::Data => {
                    self.path.push(Step::Field(field));
                    let value = self.from.data.field(object, field.symbol);
                    let written = self.value(&field.ty, value, field);
                    self.path.pop();
                    if !written {
                        return false;
                    }
                }
                Source::Typename => {
                    self.out.push(b'"');
                    self.out.extend_from_slice(self.from.schema.name(ty).as_bytes());
                    self.out.push(b'"');
                }
                Source::Introspection(arguments) => {
                    self.from.introspection.write_root(field, arguments, self.from.flags, self.out);
                }
            }
            if self.out.len() > self.limit {
                // Enough to be refused; the rest would only cost time.
                return true;
            }
        }
        self.out.push(b'}');
        true
    }

    /// `false` if the value is null and must not be.
    fn value(&mut self, ty: &TypeRef, value: Option<Value<'a>>, field: &'a Field) -> bool {
        let (ty, nullable) = match ty {
            TypeRef::NonNull(inner) => (&**inner, false),
            TypeRef::Named(_) | TypeRef::List(_) => (ty, true),
        };
        let start = self.out.len();
        let Some(value) = value else { return self.missing(start, nullable) };
        let written = match (value, ty, &field.leaf) {
            (Value::Null, _, _) => return self.missing(start, nullable),
            (Value::Raw(json), _, Leaf::Scalar) => {
                self.out.extend_from_slice(json);
                true
            }
            (Value::Raw(json), _, Leaf::GuardedEnum(id)) => self.guarded(json, *id, ty),
            (Value::List(list), TypeRef::List(item), _) => self.list(list, item, field),
            (Value::Object(object), TypeRef::Named(_), Leaf::Composite(composite)) => {
                self.composite(object, composite)
            }
            (Value::Raw(_) | Value::List(_) | Value::Object(_), _, _) => {
                self.fault("a subgraph's value is not of the shape that the schema says");
                false
            }
        };
        if !written {
            if !nullable {
                return false;
            }
            self.null(start);
        }
        true
    }

    fn missing(&mut self, start: usize, nullable: bool) -> bool {
        if nullable {
            self.null(start);
        } else if !self.explained {
            self.fault("null for a field that must not be null");
        }
        nullable
    }

    fn list(&mut self, list: List<'a>, item: &TypeRef, field: &'a Field) -> bool {
        self.out.push(b'[');
        for (index, value) in list.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.path.push(Step::Index(index));
            let written = self.value(item, Some(value), field);
            self.path.pop();
            if !written {
                return false;
            }
            if self.out.len() > self.limit {
                return true;
            }
        }
        self.out.push(b']');
        true
    }

    fn composite(&mut self, object: ObjectRef, composite: &'a Composite) -> bool {
        let told = self.from.data.object_type(object, self.from.schema);
        let Some(selection) = composite.selection(told) else {
            self.fault("a subgraph's value is of a type that is not possible here");
            return false;
        };
        self.object(object, told.unwrap_or(composite.declared), selection)
    }

    /// Values of an enum, or lists of them, checked against the values that clients may see.
    fn guarded(&mut self, json: &[u8], id: TypeId, ty: &TypeRef) -> bool {
        let Ok(value) = serde_json::from_slice(json) else { return false };
        let checked = self.guard(value, id, ty);
        let Some(checked) = checked else {
            self.fault("a subgraph's value is not among those of the enum");
            return false;
        };
        self.out.extend_from_slice(checked.to_string().as_bytes());
        true
    }

    /// The value with inaccessible enum values as nulls; `None` if that null propagates to the value itself.
    fn guard(&self, value: serde_json::Value, id: TypeId, ty: &TypeRef) -> Option<serde_json::Value> {
        match (value, ty) {
            (serde_json::Value::Null, TypeRef::NonNull(_)) => None,
            (value, TypeRef::NonNull(inner)) => self.guard(value, id, inner),
            (serde_json::Value::Null, _) => Some(serde_json::Value::Null),
            (serde_json::Value::Array(items), TypeRef::List(item)) => {
                let item_nullable = !matches!(**item, TypeRef::NonNull(_));
                let mut checked = Vec::with_capacity(items.len());
                for value in items {
                    match self.guard(value, id, item) {
                        Some(value) => checked.push(value),
                        None if item_nullable => checked.push(serde_json::Value::Null),
                        None => return None,
                    }
                }
                Some(serde_json::Value::Array(checked))
            }
            (serde_json::Value::String(name), TypeRef::Named(_)) => {
                let visible = match self.from.schema.definition(id).map(|definition| &definition.kind) {
                    Some(TypeKind::Enum { values }) => values.iter().any(|value| value.name == name),
                    _ => false,
                };
                visible.then_some(serde_json::Value::String(name))
            }
            (_, TypeRef::Named(_) | TypeRef::List(_)) => None,
        }
    }

    fn null(&mut self, start: usize) {
        self.out.truncate(start);
        self.out.extend_from_slice(b"null");
    }

    fn fault(&mut self, message: &str) {
        let path = self.path.iter().map(|step| match step {
            Step::Field(field) => PathItem::Field(response_key(field).into()),
            Step::Index(index) => PathItem::Index(*index),
        });
        let error = GraphqlError::new(Code::InvalidSubgraphData, message).with_path(path.collect());
        push_bounded(self.errors, error);
    }
}

fn response_key(field: &Field) -> &str {
    let quoted = &field.key[1..field.key.len() - 2];
    std::str::from_utf8(quoted).unwrap_or(&field.name)
}
