//! A subgraph's answer, parsed once and never copied.
//!
//! [`Document`] keeps the bytes as they came and beside them the places of the objects and lists that the
//! fetch selected. Scalars stay the JSON text that they are, so projecting an answer is copying ranges. The
//! parser knows the keys to expect from the fetch's [`Shape`]; keys nobody asked for are checked and skipped.

mod scan;
mod shape;

use bytes::Bytes;

use crate::schema::{Schema, TypeId};
use scan::Scanner;
pub(crate) use scan::SyntaxError;
pub(crate) use shape::{Shape, ShapeBuilder};

/// A response key, numbered within one plan. [`TYPENAME`] is the same in all plans.
pub(crate) type Symbol = u32;

/// The symbol of `__typename`.
pub(crate) const TYPENAME: Symbol = 0;

/// How deep lists and objects may nest in a subgraph's answer; a deeper answer is refused as malformed.
const MAX_DEPTH: usize = 200;

/// A value within one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Null,
    /// A scalar as JSON text: a range of the document's bytes. Custom scalars may be objects and lists.
    Raw {
        start: u32,
        len: u32,
    },
    /// An index for [`Document::object`].
    Object(u32),
    /// A range for [`Document::items`].
    List {
        first: u32,
        len: u32,
    },
}

#[derive(Clone, Copy, Debug)]
struct Object {
    first: u32,
    len: u32,
    ty: Option<TypeId>,
}

/// One parsed answer.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    body: Bytes,
    fields: Vec<(Symbol, Node)>,
    items: Vec<Node>,
    objects: Vec<Object>,
    data: Node,
    errors: Option<(u32, u32)>,
}

impl Document {
    /// Parses a GraphQL response. `shape` says which keys of `data` are wanted.
    pub(crate) fn parse(body: Bytes, shape: &Shape, schema: &Schema) -> Result<Self, SyntaxError> {
        if u32::try_from(body.len()).is_err() {
            return Err(SyntaxError { at: 0, expected: "an answer below 4 GiB" });
        }
        if let Err(error) = std::str::from_utf8(&body) {
            return Err(SyntaxError { at: error.valid_up_to(), expected: "UTF-8" });
        }
        let mut parser = Parser {
            scanner: Scanner::new(&body),
            shape,
            schema,
            last_type: None,
            scratch: Vec::new(),
            list_scratch: Vec::new(),
            fields: Vec::new(),
            items: Vec::new(),
            objects: Vec::new(),
        };
        let (data, errors) = parser.response()?;
        let Parser { fields, items, objects, .. } = parser;
        Ok(Self { fields, items, objects, data, errors, body })
    }

    /// A document that is one empty object: where the data of an operation starts.
    pub(crate) fn empty() -> Self {
        Self {
            body: Bytes::new(),
            fields: Vec::new(),
            items: Vec::new(),
            objects: vec![Object { first: 0, len: 0, ty: None }],
            data: Node::Object(0),
            errors: None,
        }
    }

    pub(crate) fn data(&self) -> Node {
        self.data
    }

    /// The JSON text of `errors`, unless absent or null.
    pub(crate) fn errors(&self) -> Option<&[u8]> {
        self.errors.map(|(start, len)| self.raw(start, len))
    }

    pub(crate) fn size(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn object_count(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn raw(&self, start: u32, len: u32) -> &[u8] {
        &self.body[start as usize..(start + len) as usize]
    }

    pub(crate) fn items(&self, first: u32, len: u32) -> &[Node] {
        &self.items[first as usize..(first + len) as usize]
    }

    pub(crate) fn object(&self, object: u32) -> &[(Symbol, Node)] {
        let Object { first, len, .. } = self.objects[object as usize];
        &self.fields[first as usize..(first + len) as usize]
    }

    /// What the object's `__typename` says; `None` if absent or no type of the schema.
    pub(crate) fn object_type(&self, object: u32) -> Option<TypeId> {
        self.objects[object as usize].ty
    }

    pub(crate) fn field(&self, object: u32, symbol: Symbol) -> Option<Node> {
        self.object(object).iter().find(|(candidate, _)| *candidate == symbol).map(|(_, node)| *node)
    }

    /// Gives the field `from` of an object the key `to`.
    pub(crate) fn rename(&mut self, object: u32, from: Symbol, to: Symbol) {
        let Object { first, len, .. } = self.objects[object as usize];
        let fields = &mut self.fields[first as usize..(first + len) as usize];
        if let Some((symbol, _)) = fields.iter_mut().find(|(symbol, _)| *symbol == from) {
            *symbol = to;
        }
    }

    /// Sets what the object's `__typename` says.
    pub(crate) fn set_type(&mut self, object: u32, ty: Option<TypeId>) {
        self.objects[object as usize].ty = ty;
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    shape: &'a Shape,
    schema: &'a Schema,
    /// The last `__typename`, since neighbours in a list mostly share theirs.
    last_type: Option<(&'a [u8], Option<TypeId>)>,
    /// Fields of the objects that are still open.
    scratch: Vec<(Symbol, Node)>,
    /// Items of the lists that are still open.
    list_scratch: Vec<Node>,
    fields: Vec<(Symbol, Node)>,
    items: Vec<Node>,
    objects: Vec<Object>,
}

/// The two members of a response that matter: `data`, and the range of `errors`.
type Response = (Node, Option<(u32, u32)>);

impl<'a> Parser<'a> {
    fn response(&mut self) -> Result<Response, SyntaxError> {
        let mut data = Node::Null;
        let mut errors = None;
        self.scanner.open(b'{', "a GraphQL response: an object")?;
        let mut first = true;
        while self.scanner.next_member(&mut first, b'}')? {
            let key = self.scanner.key()?;
            match key {
                b"data" => data = self.value(Some(Shape::ROOT), 0)?,
                b"errors" => {
                    let (start, len) = self.scanner.skip_value(MAX_DEPTH)?;
                    errors = (self.scanner.text(start, len) != b"null").then_some((start, len));
                }
                _ => {
                    self.scanner.skip_value(MAX_DEPTH)?;
                }
            }
        }
        self.scanner.end()?;
        Ok((data, errors))
    }

    /// `level` is the level of the shape that describes the value, if it may have selected fields.
    fn value(&mut self, level: Option<u32>, depth: usize) -> Result<Node, SyntaxError> {
        if depth == MAX_DEPTH {
            return Err(self.scanner.error("less nesting"));
        }
        match (self.scanner.peek()?, level) {
            (b'{', Some(level)) => self.object(level, depth),
            (b'[', Some(_)) => self.list(level, depth),
            (b'n', _) => {
                self.scanner.skip_value(0)?;
                Ok(Node::Null)
            }
            _ => {
                let (start, len) = self.scanner.skip_value(MAX_DEPTH - depth)?;
                Ok(Node::Raw { start, len })
            }
        }
    }

    fn list(&mut self, level: Option<u32>, depth: usize) -> Result<Node, SyntaxError> {
        self.scanner.open(b'[', "a list")?;
        let open = self.list_scratch.len();
        let mut first = true;
        while self.scanner.next_member(&mut first, b']')? {
            let item = self.value(level, depth + 1)?;
            self.list_scratch.push(item);
        }
        let first = self.items.len() as u32;
        self.items.extend(self.list_scratch.drain(open..));
        Ok(Node::List { first, len: self.items.len() as u32 - first })
    }

    fn object(&mut self, level: u32, depth: usize) -> Result<Node, SyntaxError> {
        self.scanner.open(b'{', "an object")?;
        let keys = self.shape.keys(level);
        let open = self.scratch.len();
        let mut ty = None;
        let mut expected = 0;
        let mut first = true;
        while self.scanner.next_member(&mut first, b'}')? {
            let found = match keys.get(expected).filter(|key| self.scanner.accept(&key.quoted)) {
                Some(_) => Some(expected),
                None => {
                    let name = self.scanner.key_text()?;
                    keys.iter().position(|key| key.name.as_bytes() == name.as_ref())
                }
            };
            self.scanner.colon()?;
            let Some(position) = found else {
                self.scanner.skip_value(MAX_DEPTH - depth)?;
                continue;
            };
            expected = position + 1;
            let key = &keys[position];
            let node = self.value(key.child, depth + 1)?;
            if key.symbol == TYPENAME {
                ty = self.type_of(node);
            }
            self.scratch.push((key.symbol, node));
        }
        let first = self.fields.len() as u32;
        self.fields.extend(self.scratch.drain(open..));
        self.objects.push(Object { first, len: self.fields.len() as u32 - first, ty });
        Ok(Node::Object(self.objects.len() as u32 - 1))
    }

    fn type_of(&mut self, node: Node) -> Option<TypeId> {
        let Node::Raw { start, len } = node else { return None };
        let text: &'a [u8] = self.scanner.text(start, len);
        if let Some((last, ty)) = self.last_type
            && last == text
        {
            return ty;
        }
        let name = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let ty = std::str::from_utf8(name).ok().and_then(|name| self.schema.id(name));
        self.last_type = Some((text, ty));
        ty
    }
}

#[cfg(test)]
mod tests;
