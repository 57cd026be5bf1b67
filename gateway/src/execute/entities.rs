//! Requests to subgraphs and the entities in them: collected from the data, each asked for once, and joined
//! to every place that stands for it.

use bytes::Bytes;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::data::{Data, ObjectRef, Sharing};
use crate::error::PathItem;
use crate::json::{Document, Node};
use crate::plan::{Entities, Fetch, Segment, Spread, Target};
use crate::schema::Schema;
use crate::variables::Variables;

/// A request to a subgraph.
pub(super) struct Request {
    pub(super) body: Bytes,
    pub(super) places: Places,
}

/// Where the entities of a request belong.
#[derive(Default)]
pub(super) struct Places {
    /// By `_entities` field of the fetch, by path: the objects at the path and which entity each stands for.
    groups: Vec<Vec<Vec<Place>>>,
    /// How many entities are asked for.
    pub(super) count: usize,
}

struct Place {
    object: ObjectRef,
    /// Index of the representation; `None` if the object has no key to be asked by.
    entity: Option<u32>,
}

/// Builds a fetch's request; `None` if it would ask for no entity.
pub(super) fn request(fetch: &Fetch, data: &Data, schema: &Schema, variables: &Variables) -> Option<Request> {
    let mut body = Vec::with_capacity(fetch.head.len() + 256);
    body.extend_from_slice(&fetch.head);
    let mut separator: &[u8] = b",\"variables\":{";
    let mut begin = |body: &mut Vec<u8>, name: &str| {
        body.extend_from_slice(std::mem::replace(&mut separator, b","));
        body.push(b'"');
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
    };
    let mut places = Places::default();
    match &fetch.target {
        Target::Root | Target::Objects(_) => {}
        Target::Entities(groups) => {
            for entities in groups {
                begin(&mut body, &entities.variable);
                places.collect(entities, data, schema, &mut body);
            }
            if places.count == 0 {
                return None;
            }
        }
    }
    for name in &fetch.variables {
        if let Some(value) = variables.get(name) {
            begin(&mut body, name);
            body.extend_from_slice(value.get().as_bytes());
        }
    }
    if separator == b"," {
        body.push(b'}');
    }
    body.push(b'}');
    Some(Request { body: Bytes::from(body), places })
}

impl Places {
    /// Appends the list of representations for one `_entities` field.
    fn collect(&mut self, entities: &Entities, data: &Data, schema: &Schema, body: &mut Vec<u8>) {
        let hasher = DefaultHashBuilder::default();
        let mut known: HashTable<(usize, usize, u32)> = HashTable::new();
        let mut count = 0;
        body.push(b'[');
        let mut group = Vec::with_capacity(entities.paths.len());
        for path in &entities.paths {
            let mut places = Vec::new();
            path.objects(data, schema, &mut |object| {
                let before = body.len();
                if count > 0 {
                    body.push(b',');
                }
                let start = body.len();
                if !entities.write_representation(data, schema, object, body) {
                    body.truncate(before);
                    places.push(Place { object, entity: None });
                    return;
                }
                let written = &body[start..];
                let entry = known.entry(
                    hasher.hash_one(written),
                    |(from, to, _)| body[*from..*to] == *written,
                    |(from, to, _)| hasher.hash_one(&body[*from..*to]),
                );
                let entity = match entry {
                    Entry::Occupied(known) => {
                        let entity = known.get().2;
                        body.truncate(before);
                        entity
                    }
                    Entry::Vacant(vacant) => {
                        let entity = count;
                        vacant.insert((start, body.len(), entity));
                        count += 1;
                        entity
                    }
                };
                places.push(Place { object, entity: Some(entity) });
            });
            group.push(places);
        }
        body.push(b']');
        self.groups.push(group);
        self.count += count as usize;
    }
}

/// Applies the rewrites of each `_entities` field.
pub(super) fn rewrite(target: &Target, document: &mut Document) {
    let Target::Entities(groups) = target else { return };
    for entities in groups.iter().filter(|entities| !entities.output_rewrites.is_empty()) {
        let Some(list) = answered(entities, document) else { continue };
        for rewrite in &entities.output_rewrites {
            rewrite.apply(document, list);
        }
    }
}

/// The list that answers an `_entities` field.
fn answered(entities: &Entities, document: &Document) -> Option<Node> {
    match document.data() {
        Node::Object(object) => document.field(object, entities.symbol),
        Node::Null | Node::Raw { .. } | Node::List { .. } => None,
    }
}

/// Joins the entities of an answer to the objects that stand for them.
pub(super) fn join(groups: &[Entities], document: &Arc<Document>, places: &Places, data: &mut Data) {
    for (entities, group) in groups.iter().zip(&places.groups) {
        let Some(Node::List { first, len }) = answered(entities, document) else { continue };
        let list = document.items(first, len);
        let mut overlay = None;
        for places in group {
            if entities.spread == Spread::Path {
                overlay = None;
            }
            for place in places {
                let Some(node) = place.entity.and_then(|entity| list.get(entity as usize)) else { continue };
                let overlay = match entities.spread {
                    Spread::Place => data.add(Arc::clone(document), Sharing::Single),
                    Spread::All | Spread::Path => {
                        *overlay.get_or_insert_with(|| data.add(Arc::clone(document), Sharing::Alike))
                    }
                };
                data.link(place.object, overlay, *node);
            }
        }
    }
}

/// The response paths of the objects that an error of an `_entities` field is about, and the rest of the
/// error's path below them; `None` if it is about no object of the response.
pub(super) fn error_places<'p>(
    groups: &[Entities],
    path: &'p [PathItem],
    places: &Places,
    data: &Data,
    schema: &Schema,
) -> Option<(Vec<Vec<Segment>>, &'p [PathItem])> {
    let [PathItem::Field(key), PathItem::Index(index), rest @ ..] = path else { return None };
    let (entities, group) = groups.iter().zip(&places.groups).find(|(entities, _)| entities.key == *key)?;
    let mut found = Vec::new();
    for (path, places) in entities.paths.iter().zip(group) {
        let mut places = places.iter();
        path.objects_with_paths(data, schema, &mut |_, at| {
            let entity = places.next().and_then(|place| place.entity);
            if entity.is_some_and(|entity| entity as usize == *index)
                && found.len() <= crate::error::MAX_ERRORS
            {
                found.push(at.to_vec());
            }
        });
    }
    (!found.is_empty()).then_some((found, rest))
}
