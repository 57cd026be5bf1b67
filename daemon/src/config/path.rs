//! Places in the configuration's document, written as `services[1].url`.

use std::fmt;

use serde_json::Value;

/// A place in a JSON document. The empty path is the document itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonPath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// The field `key` of the object here.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.child(Segment::Key(key.to_owned()))
    }

    /// The item `index` of the array here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.child(Segment::Index(index))
    }

    fn child(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// This path and all above it, the longest first; the last is the document.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = Self> {
        (0..=self.0.len()).rev().map(|length| Self(self.0[..length].to_vec()))
    }

    pub(super) fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The value here, if the document has one.
    pub(super) fn get<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(document, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        })
    }

    /// Puts a value here and makes the objects and arrays that lead to it. An index past the end of an array appends.
    pub(super) fn set(&self, document: &mut Value, new: Value) {
        let mut place = document;
        for segment in &self.0 {
            place = match segment {
                Segment::Key(key) => {
                    if !place.is_object() {
                        *place = Value::Object(serde_json::Map::new());
                    }
                    let object = place.as_object_mut().expect("made an object above");
                    object.entry(key.as_str()).or_insert(Value::Null)
                }
                Segment::Index(index) => {
                    if !place.is_array() {
                        *place = Value::Array(vec![]);
                    }
                    let array = place.as_array_mut().expect("made an array above");
                    let index = (*index).min(array.len());
                    if index == array.len() {
                        array.push(Value::Null);
                    }
                    &mut array[index]
                }
            };
        }
        *place = new;
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if place == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_found_where_it_was_set() {
        let path = JsonPath::default().key("auth").key("issuers").index(0).key("jwks");
        assert_eq!(path.to_string(), "auth.issuers[0].jwks");
        let mut document = json!({"auth": {"leeway": "1s"}});
        assert_eq!(path.get(&document), None);
        path.set(&mut document, json!("keys.json"));
        assert_eq!(document, json!({"auth": {"leeway": "1s", "issuers": [{"jwks": "keys.json"}]}}));
        assert_eq!(path.get(&document), Some(&json!("keys.json")));
    }

    #[test]
    fn ancestors_go_from_the_path_to_the_document() {
        let path = JsonPath::default().key("a").index(1);
        let texts: Vec<String> = path.ancestors().map(|p| p.to_string()).collect();
        assert_eq!(texts, ["a[1]", "a", ""]);
    }
}
