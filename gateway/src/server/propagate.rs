//! Which headers of a client's request go on to subgraphs.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};

use crate::execute::Caller;

/// Headers of the connection and of the body, which would contradict those of the new request.
const NEVER: [HeaderName; 14] = [
    header::HOST,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
];

/// Headers of tracing: they differ from request to request, and no answer depends on them.
const TRACING: [&str; 9] = [
    "traceparent",
    "tracestate",
    "x-request-id",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
];

/// The caller of a request, by the headers `names`.
pub(super) fn caller(headers: &HeaderMap, names: &[HeaderName]) -> Caller {
    let mut passed_on = HeaderMap::new();
    let mut identity = Vec::new();
    for name in names.iter().filter(|name| may_propagate(name)) {
        for value in headers.get_all(name) {
            passed_on.append(name, value.clone());
            if !TRACING.contains(&name.as_str()) {
                identity.extend_from_slice(name.as_str().as_bytes());
                identity.push(b':');
                identity.extend_from_slice(value.as_bytes());
                // Neither a name nor a value can contain a line break.
                identity.push(b'\n');
            }
        }
    }
    Caller { headers: Arc::new(passed_on), identity: Arc::from(identity) }
}

/// What the node says of a caller (`x-catalyst-…`) is said to one service only.
fn may_propagate(name: &HeaderName) -> bool {
    !NEVER.contains(name) && !name.as_str().starts_with("x-catalyst-") && name.as_str() != "keep-alive"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], passed_on: &[&str], identity: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let names: Vec<HeaderName> = map.keys().cloned().collect();
        let caller = caller(&map, &names);
        let mut found: Vec<&str> = caller.headers.keys().map(HeaderName::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, passed_on);
        assert_eq!(String::from_utf8_lossy(&caller.identity), identity);
    }

    #[test]
    fn a_callers_identity_is_all_but_tracing() {
        check(
            &[("authorization", "Bearer a"), ("traceparent", "00-1"), ("accept-language", "de")],
            &["accept-language", "authorization", "traceparent"],
            "authorization:Bearer a\naccept-language:de\n",
        );
    }

    #[test]
    fn headers_of_connection_body_and_node_stay_even_if_named() {
        check(
            &[
                ("host", "h"),
                ("content-length", "1"),
                ("x-catalyst-subject", "s"),
                ("keep-alive", "1"),
                ("x-a", "1"),
            ],
            &["x-a"],
            "x-a:1\n",
        );
    }
}
