//! Envoy's messages from and to the engine's terms.

use catalyst_authz::proxy::{METADATA_NAMESPACE, metadata};
use catalyst_authz::{Allow, Decision};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use super::Line;

/// The lines of a header map, pseudo-headers included.
pub(super) fn lines(map: Option<&HeaderMap>) -> impl Iterator<Item = Line<'_>> {
    map.map_or(&[][..], |map| &map.headers).iter().map(|HeaderValue { key, value, raw_value }| {
        // Envoy sets one of the two, by its configuration and version.
        let value = if raw_value.is_empty() { value.as_bytes() } else { raw_value };
        (key.as_bytes(), value)
    })
}

/// The first value of a header; empty if there is none.
pub(super) fn first<'m>(map: Option<&'m HeaderMap>, name: &str) -> &'m [u8] {
    lines(map).find(|(key, _)| *key == name.as_bytes()).map_or(&[], |(_, value)| value)
}

/// Names of headers; they came as text.
pub(super) fn names(names: &[&[u8]]) -> Vec<String> {
    names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// A header to be set in place of all of its name, for `ext_proc`, which takes the bytes.
pub(super) fn set_bytes(name: &str, value: &str) -> HeaderValueOption {
    set(HeaderValue { key: name.to_owned(), raw_value: value.as_bytes().to_vec(), ..HeaderValue::default() })
}

/// The same for `ext_authz`, which takes the text and leaves a header that has bytes empty.
pub(super) fn set_text(name: &str, value: &str) -> HeaderValueOption {
    set(HeaderValue { key: name.to_owned(), value: value.to_owned(), ..HeaderValue::default() })
}

fn set(header: HeaderValue) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        // `sub` may be the empty string; the header must then replace the client's all the same.
        keep_empty_value: true,
        ..HeaderValueOption::default()
    }
}

/// What an admitted request gets: headers to set, and of `reserved` those to remove. A header that is set is not among
/// the removed ones, since Envoy's filters differ in what they do first.
pub(super) fn mutation(
    allow: &Allow,
    reserved: Vec<String>,
    set: impl Fn(&str, &str) -> HeaderValueOption,
) -> (Vec<HeaderValueOption>, Vec<String>) {
    let set_headers = allow.headers().map(|(name, value)| set(name, value)).collect();
    let is_set = |name: &String| allow.headers().any(|(set, _)| set == name);
    let remove = reserved.into_iter().filter(|name| !is_set(name)).collect();
    (set_headers, remove)
}

/// The decision for the access log, within its namespace.
pub(super) fn log_entries(decision: &Decision) -> Struct {
    let entries = metadata(decision).into_iter().map(|(key, value)| (key, text(value.into_owned())));
    structure([(METADATA_NAMESPACE, Value { kind: Some(Kind::StructValue(structure(entries))) })])
}

fn structure(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Struct {
    Struct { fields: entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
}

fn text(value: String) -> Value {
    Value { kind: Some(Kind::StringValue(value)) }
}
