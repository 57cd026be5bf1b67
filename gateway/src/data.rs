//! The data of one operation while it is being put together from the answers of subgraphs.
//!
//! Answers are never copied or changed. What a fetch adds to an object that an earlier one found is *linked*
//! to it: the object is then looked up in its own document first, in those linked to it next, the oldest first. Several places
//! can link to one entity; each place where they may come to differ has its own [`Overlay`] of links, over
//! the same shared document.

use std::collections::HashMap;
use std::sync::Arc;

use crate::json::{Document, Node, Symbol};
use crate::schema::{Schema, TypeId};

/// An object of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectRef {
    overlay: u32,
    object: u32,
}

/// A value of the data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    /// JSON text.
    Raw(&'a [u8]),
    Object(ObjectRef),
    List(List<'a>),
}

/// A list of the data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'a> {
    overlay: u32,
    document: &'a Document,
    items: &'a [Node],
}

impl<'a> List<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = Value<'a>> {
        self.items.iter().map(move |node| value(self.overlay, self.document, *node))
    }
}

/// How an overlay keeps the heads of its chains of links.
#[derive(Debug)]
enum Heads {
    /// By object; empty until the first link. For overlays whose every object is likely to be linked.
    Dense(Vec<u32>),
    /// For the many overlays of a fetch that needs one for each place.
    Sparse(HashMap<u32, u32>),
}

/// A document as one place or several that stay alike see it.
#[derive(Debug)]
struct Overlay {
    document: Arc<Document>,
    heads: Heads,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    to: ObjectRef,
    /// One more than the index of the next link; 0 at the end.
    next: u32,
}

/// The data of one operation.
#[derive(Debug)]
pub(crate) struct Data {
    overlays: Vec<Overlay>,
    links: Vec<Link>,
}

/// How many places will see a document added to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Any number that stay alike.
    Alike,
    /// One of many that may come to differ.
    Single,
}

impl Data {
    /// The root object, to which root fetches link theirs.
    pub(crate) const ROOT: ObjectRef = ObjectRef { overlay: 0, object: 0 };

    pub(crate) fn new() -> Self {
        let mut data = Self { overlays: Vec::with_capacity(8), links: Vec::new() };
        data.add(Arc::new(Document::empty()), Sharing::Alike);
        data
    }

    /// Adds a document, for [`Data::link`] to link to; the number of its overlay.
    pub(crate) fn add(&mut self, document: Arc<Document>, sharing: Sharing) -> u32 {
        let heads = match sharing {
            Sharing::Alike => Heads::Dense(Vec::new()),
            Sharing::Single => Heads::Sparse(HashMap::new()),
        };
        self.overlays.push(Overlay { document, heads });
        self.overlays.len() as u32 - 1
    }

    pub(crate) fn document(&self, overlay: u32) -> &Arc<Document> {
        &self.overlays[overlay as usize].document
    }

    /// About how many bytes a response with all of the data has.
    pub(crate) fn size_hint(&self) -> usize {
        let mut size = 64;
        let mut last: Option<&Arc<Document>> = None;
        for Overlay { document, .. } in &self.overlays {
            // Overlays of one document follow one another.
            if !last.is_some_and(|last| Arc::ptr_eq(last, document)) {
                size += document.size();
            }
            last = Some(document);
        }
        size
    }

    /// The value of a field; `None` if no answer had it.
    pub(crate) fn field(&self, object: ObjectRef, symbol: Symbol) -> Option<Value<'_>> {
        let (overlay, node) = self.node(object, symbol)?;
        Some(value(overlay, &self.overlays[overlay as usize].document, node))
    }

    /// Where the value of a field is. The newest answer that is not null counts: a plan may fetch something
    /// for its own use by a key that the client then gives to something else. Of objects and lists it is the
    /// oldest, to whose members those of the newer ones are joined.
    fn node(&self, object: ObjectRef, symbol: Symbol) -> Option<(u32, Node)> {
        let mut found = None;
        for part in self.parts(object) {
            let document = &*self.overlays[part.overlay as usize].document;
            let Some(node) = document.field(part.object, symbol) else { continue };
            let replaces = match (found, node) {
                (None, _) => true,
                (Some(_), Node::Null)
                | (Some((_, Node::Object(_))), Node::Object(_))
                | (Some((_, Node::List { .. })), Node::List { .. }) => false,
                (Some(_), Node::Raw { .. } | Node::Object(_) | Node::List { .. }) => true,
            };
            if replaces {
                found = Some((part.overlay, node));
            }
        }
        found
    }

    /// The type of an object as its answers tell it: an object type if any of them names one.
    pub(crate) fn object_type(&self, object: ObjectRef, schema: &Schema) -> Option<TypeId> {
        let mut told = None;
        for part in self.parts(object) {
            if let Some(ty) = self.overlays[part.overlay as usize].document.object_type(part.object) {
                if schema.is_object(ty) {
                    return Some(ty);
                }
                told = told.or(Some(ty));
            }
        }
        told
    }

    /// Adds the fields of `source` in `overlay` to those of `target`. Objects and lists that both have are
    /// joined member by member.
    pub(crate) fn link(&mut self, target: ObjectRef, overlay: u32, source: Node) {
        let Node::Object(object) = source else { return };
        let to = ObjectRef { overlay, object };
        if target == to || self.parts(target).any(|part| part == to) {
            return;
        }
        let document = self.document(overlay).clone();
        for (symbol, node) in document.object(object) {
            if matches!(node, Node::Object(_) | Node::List { .. }) {
                self.join_field(target, *symbol, overlay, &document, *node);
            }
        }
        self.append(target, to);
    }

    /// The newest goes last: what joins members looks for the oldest, and so must who reads them.
    fn append(&mut self, target: ObjectRef, to: ObjectRef) {
        self.links.push(Link { to, next: 0 });
        let added = self.links.len() as u32;
        let mut last = self.head(target);
        if last == 0 {
            return self.set_head(target, added);
        }
        while let Some(next) = self.next(last) {
            last = next;
        }
        self.links[last as usize - 1].next = added;
    }

    /// The link after a link, both one more than their index.
    fn next(&self, link: u32) -> Option<u32> {
        let next = self.links[link as usize - 1].next;
        (next != 0).then_some(next)
    }

    fn join_field(
        &mut self,
        target: ObjectRef,
        symbol: Symbol,
        overlay: u32,
        document: &Arc<Document>,
        source: Node,
    ) {
        if let Some((at, node)) = self.node(target, symbol) {
            let holder = self.document(at).clone();
            self.join(at, &holder, node, overlay, document, source);
        }
    }

    fn join(
        &mut self,
        at: u32,
        holder: &Arc<Document>,
        target: Node,
        overlay: u32,
        document: &Arc<Document>,
        source: Node,
    ) {
        match (target, source) {
            (Node::Object(object), Node::Object(_)) => {
                self.link(ObjectRef { overlay: at, object }, overlay, source);
            }
            (Node::List { first, len }, Node::List { first: other, len: count }) => {
                for (target, source) in holder.items(first, len).iter().zip(document.items(other, count)) {
                    self.join(at, holder, *target, overlay, document, *source);
                }
            }
            (Node::Null | Node::Raw { .. } | Node::Object(_) | Node::List { .. }, _) => {}
        }
    }

    /// The object itself and what is linked to it, the oldest first.
    fn parts(&self, object: ObjectRef) -> impl Iterator<Item = ObjectRef> + '_ {
        let mut next = self.head(object);
        std::iter::once(object).chain(std::iter::from_fn(move || {
            let link = self.links.get((next as usize).checked_sub(1)?)?;
            next = link.next;
            Some(link.to)
        }))
    }

    fn head(&self, object: ObjectRef) -> u32 {
        match &self.overlays[object.overlay as usize].heads {
            Heads::Dense(heads) => heads.get(object.object as usize).copied().unwrap_or(0),
            Heads::Sparse(heads) => heads.get(&object.object).copied().unwrap_or(0),
        }
    }

    fn set_head(&mut self, object: ObjectRef, head: u32) {
        let Overlay { document, heads } = &mut self.overlays[object.overlay as usize];
        match heads {
            Heads::Dense(heads) => {
                if heads.is_empty() {
                    heads.resize(document.object_count(), 0);
                }
                heads[object.object as usize] = head;
            }
            Heads::Sparse(heads) => {
                heads.insert(object.object, head);
            }
        }
    }
}

fn value(overlay: u32, document: &Document, node: Node) -> Value<'_> {
    match node {
        Node::Null => Value::Null,
        Node::Raw { start, len } => Value::Raw(document.raw(start, len)),
        Node::Object(object) => Value::Object(ObjectRef { overlay, object }),
        Node::List { first, len } => {
            Value::List(List { overlay, document, items: document.items(first, len) })
        }
    }
}
