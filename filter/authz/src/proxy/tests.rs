use super::*;
use crate::config::{Access, FilterConfig, ForwardedClaim, RouteConfig, TokenSource};
use crate::{DenyReason, Timestamp};

fn route() -> Route {
    let forward_claims =
        vec![ForwardedClaim { claim: "email".to_owned(), header: "x-user-email".to_owned() }];
    Route::new(&RouteConfig { forward_claims, ..RouteConfig::new("books.acme.example") }).unwrap()
}

fn engine(config: FilterConfig) -> Engine {
    Engine::new(&config).unwrap()
}

#[test]
fn a_client_may_send_no_header_that_looks_like_ours() {
    let route = route();
    for (name, reserved) in [
        ("x-catalyst-subject", true),
        ("x-catalyst-", true),
        ("X-Catalyst-Subject", true),
        ("x_catalyst_subject", true),
        ("x-catalyst_subject", true),
        ("x-user-email", true),
        ("x_user_email", true),
        ("x-user-email2", false),
        ("x-user", false),
        ("x-catalyst", false),
        ("xx-catalyst-subject", false),
        ("", false),
    ] {
        assert_eq!(is_reserved(name.as_bytes(), Some(&route)), reserved, "{name}");
    }
    assert!(!is_reserved(b"x-user-email", None));
}

#[test]
fn one_walk_finds_credentials_context_and_reserved_headers() {
    let context_headers = vec!["x-tenant".to_owned(), "x-region".to_owned()];
    let engine = engine(FilterConfig { context_headers, ..FilterConfig::default() });
    let route = route();
    let mut headers = Headers::new(&engine, Some(&route));
    let sent: [(&[u8], &[u8]); 7] = [
        (b"authorization", b"Bearer a"),
        (b"x-tenant", b"t1"),
        (b"x-catalyst-subject", b"root"),
        (b"x-tenant", b"t2"),
        (b"authorization", b"Bearer b"),
        (b"x-catalyst-subject", b"root"),
        (b"x_user_email", b"a@b.c"),
    ];
    for (name, value) in sent {
        headers.visit(name, value);
    }
    assert_eq!(headers.reserved(), [&b"x-catalyst-subject"[..], b"x_user_email"]);
    let request =
        request(&headers, &Attributes { method: b"GET", path: b"/p", host: b"h", ..Attributes::default() });
    assert_eq!(request.credentials, [&b"Bearer a"[..], b"Bearer b"]);
    assert_eq!(request.headers, [("x-tenant", &b"t1"[..]), ("x-tenant", b"t2")]);
    assert_eq!((request.method, request.path, request.host), (&b"GET"[..], &b"/p"[..], &b"h"[..]));
    assert!(request.route.is_some());
}

#[test]
fn a_single_credential_comes_from_the_configured_header() {
    let token_source = TokenSource::Header("x-token".to_owned());
    let engine = engine(FilterConfig { token_source, ..FilterConfig::default() });
    let mut headers = Headers::new(&engine, None);
    headers.visit(b"authorization", b"Bearer a");
    assert_eq!(request(&headers, &Attributes::default()).credentials, [b""; 0]);
    headers.visit(b"x-token", b"b");
    assert_eq!(request(&headers, &Attributes::default()).credentials, [b"b"]);
}

#[test]
fn the_default_route_reserves_its_headers_too() {
    let forward_claims = vec![ForwardedClaim { claim: "email".to_owned(), header: "x-mail".to_owned() }];
    let default_route = Some(RouteConfig { forward_claims, ..RouteConfig::new("books.acme.example") });
    let engine = engine(FilterConfig { default_route, ..FilterConfig::default() });
    let mut headers = Headers::new(&engine, None);
    headers.visit(b"x-mail", b"a@b.c");
    assert_eq!(headers.reserved(), [b"x-mail"]);
}

#[test]
fn a_source_address_is_read_with_or_without_port() {
    for (text, address) in [
        ("192.0.2.1:99", Some("192.0.2.1")),
        ("192.0.2.1", Some("192.0.2.1")),
        ("[2001:db8::1]:99", Some("2001:db8::1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("/run/envoy.sock", None),
        ("192.0.2.1:", None),
        ("", None),
    ] {
        assert_eq!(source(text.as_bytes()), address.map(|address| address.parse().unwrap()), "{text}");
    }
}

#[test]
fn only_a_node_certificate_names_a_peer_organisation() {
    for (uri, organisation) in [
        ("spiffe://acme.example/node/edge-1", Some("acme.example")),
        ("spiffe://acme.example/node/", None),
        ("spiffe://acme.example/node/a/b", None),
        ("spiffe://acme.example/workload/x", None),
        ("spiffe:///node/edge-1", None),
        ("spiffe://acme.example", None),
        ("https://acme.example/node/edge-1", None),
        ("", None),
    ] {
        let certificate = Certificate { uri: uri.as_bytes(), ..Certificate::default() };
        assert_eq!(certificate.node_organisation(), organisation, "{uri}");
    }
}

#[test]
fn a_certificate_is_identified_by_its_first_name_that_is_text() {
    let certificate = Certificate { uri: b"", dns: b"\xff", subject: b"CN=x", sha256: b"" };
    assert_eq!(certificate.tls_peer(), TlsPeer { identity: "CN=x", certificate_sha256: None });
    let certificate = Certificate { uri: b"spiffe://a/b", dns: b"b.example", ..certificate };
    assert_eq!(certificate.tls_peer().identity, "spiffe://a/b");
    assert_eq!(Certificate::default().tls_peer().identity, "");
}

#[test]
fn a_digest_is_64_hexadecimal_digits() {
    let digits = "00ff".repeat(16);
    let expected: [u8; 32] = std::array::from_fn(|index| if index % 2 == 0 { 0 } else { 0xff });
    assert_eq!(sha256(digits.as_bytes()), Some(expected));
    assert_eq!(sha256(digits.to_uppercase().as_bytes()), Some(expected));
    for wrong in [String::new(), "0".repeat(63), "0".repeat(65), "0g".repeat(32), "+1".repeat(32)] {
        assert_eq!(sha256(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn a_denial_becomes_a_response_that_names_its_id_and_no_policy() {
    let engine = engine(FilterConfig::default());
    let route = route();
    let mut headers = Headers::new(&engine, Some(&route));
    headers.visit(b"authorization", b"Bearer x");
    let decision = engine.decide(&request(&headers, &Attributes::default()), Timestamp::from_unix_seconds(1));
    let Decision::Deny(deny) = &decision else { panic!("{decision:?}") };
    assert_eq!(deny.reason(), DenyReason::MalformedToken);
    let id = deny.id().to_string();
    let challenge =
        "Bearer realm=\"catalyst\", error=\"invalid_token\", error_description=\"the token is malformed\"";
    let expected = Response {
        status: 401,
        headers: vec![("x-catalyst-deny-id", id.clone()), ("www-authenticate", challenge.to_owned())],
        body: format!("the token is malformed (denied as {id})\n"),
        details: "catalyst_malformed_token".to_owned(),
    };
    assert_eq!(Response::from(deny), expected);
    let entries: Vec<_> =
        metadata(&decision).into_iter().map(|(key, value)| (key, value.into_owned())).collect();
    let entry = |key, value: &str| (key, value.to_owned());
    assert_eq!(
        entries,
        [entry("decision", "deny"), entry("reason", "malformed_token"), entry("deny_id", &id)]
    );
}

#[test]
fn an_anonymous_admission_says_only_that() {
    let engine = engine(FilterConfig::default());
    let route = Route::new(&RouteConfig { access: Access::Public, ..RouteConfig::new("books.acme.example") })
        .unwrap();
    let headers = Headers::new(&engine, Some(&route));
    let decision = engine.decide(&request(&headers, &Attributes::default()), Timestamp::from_unix_seconds(1));
    assert!(decision.is_allow());
    assert_eq!(metadata(&decision), [("decision", Cow::Borrowed("allow"))]);
}
