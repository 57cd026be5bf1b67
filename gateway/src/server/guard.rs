//! Telling apart what a web page of another site can make a browser send without asking.
//!
//! A POST must be JSON, which a browser sends for another site's page only after a CORS preflight that this
//! gateway never grants. A GET needs none unless it has a header of its own, so such a header is asked for
//! where a browser says, or may be hiding, that the request is another site's.

use axum::http::{HeaderMap, header};

/// Headers that make a browser ask first.
const PREFLIGHTED: [&str; 3] =
    ["graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name"];

/// Whether a GET may come from another site's page.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    if PREFLIGHTED.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        Some(b"same-origin" | b"none") => false,
        Some(_) => true,
        // Browsers without fetch metadata name the origin only of some requests, but they send cookies.
        None => headers.contains_key(header::ORIGIN) || headers.contains_key(header::COOKIE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expected: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        assert_eq!(is_cross_site(&map), expected, "{headers:?}");
    }

    #[test]
    fn programs_and_own_pages_are_not_cross_site() {
        check(&[], false);
        check(&[("authorization", "Bearer t")], false);
        check(&[("sec-fetch-site", "same-origin"), ("cookie", "a=b")], false);
        check(&[("sec-fetch-site", "none")], false);
    }

    #[test]
    fn pages_of_other_sites_are() {
        check(&[("sec-fetch-site", "cross-site")], true);
        check(&[("sec-fetch-site", "same-site")], true);
        check(&[("origin", "https://evil.example")], true);
        check(&[("cookie", "a=b")], true);
    }

    #[test]
    fn a_header_that_browsers_ask_about_is_proof() {
        check(&[("sec-fetch-site", "cross-site"), ("graphql-require-preflight", "1")], false);
    }
}
