//! Who comes through Envoy, and what the service behind it learns of the caller.

use catalyst_examples::issuer::Token;
use catalyst_tests::{
    call::{Answer, Call},
    node::ORG,
    tokens::{ISSUER, SUBJECT, Tokens},
    topology::Topology,
};
use serde_json::{Value, json};

/// What a request that must not come through is told.
struct Denied {
    status: u16,
    /// RFC 6750, 3.1; none for a request that brought no token at all.
    error: Option<&'static str>,
}

const NO_TOKEN: Denied = Denied { status: 401, error: None };
const INVALID_TOKEN: Denied = Denied { status: 401, error: Some("invalid_token") };
const INVALID_REQUEST: Denied = Denied { status: 400, error: Some("invalid_request") };

/// Sends a request that has to be refused before it reaches the service.
async fn check_denied(topology: &Topology, what: &str, call: Call, expected: &Denied) {
    let before = topology.echo.received();
    let answer = topology.node.send(&call).await.unwrap_or_else(|error| panic!("{what}: {error:#}"));
    assert_eq!(answer.status, expected.status, "{what}: {answer:?}");
    let challenge =
        answer.header("www-authenticate").unwrap_or_else(|| panic!("{what}: no challenge: {answer:?}"));
    assert!(challenge.starts_with("Bearer "), "{what}: {challenge}");
    match expected.error {
        Some(error) => assert!(challenge.contains(&format!("error=\"{error}\"")), "{what}: {challenge}"),
        None => assert!(!challenge.contains("error="), "{what}: {challenge}"),
    }
    assert!(answer.header("x-catalyst-deny-id").is_some_and(|id| !id.is_empty()), "{what}: {answer:?}");
    assert_eq!(topology.echo.received(), before, "{what}: it reached the service");
}

#[tokio::test]
async fn a_request_without_a_good_token_is_refused_before_it_reaches_the_service() {
    let mut topology = Topology::plain().await;
    topology.start().await;
    let good = Tokens::good;
    let tokens = &topology.tokens;
    let unsigned = unsigned(&tokens.valid());
    let denied = [
        ("expired", tokens.sign(&Token { expires_in: -3600, ..good() })),
        ("a wrong signature", tokens.forged()),
        ("a wrong issuer", tokens.sign(&Token { issuer: "https://elsewhere.example".to_owned(), ..good() })),
        ("a wrong audience", tokens.sign(&Token { audience: vec!["elsewhere".to_owned()], ..good() })),
        ("no audience", tokens.sign(&Token { audience: Vec::new(), ..good() })),
        ("not yet valid", tokens.sign(&Token { claims: claim("nbf", json!(4_000_000_000_u64)), ..good() })),
        ("algorithm none", unsigned),
        ("no token at all", "not.a.token".to_owned()),
    ];
    for (what, token) in denied {
        check_denied(&topology, what, topology.to_echo("/").token(&token), &INVALID_TOKEN).await;
    }
    check_denied(&topology, "without a token", topology.to_echo("/"), &NO_TOKEN).await;
    let basic = topology.to_echo("/").header("authorization", "Basic YWxpY2U6c2VjcmV0");
    check_denied(&topology, "another scheme", basic, &NO_TOKEN).await;
    let valid = topology.tokens.valid();
    let twice = topology.to_echo("/").token(&valid).token(&topology.tokens.forged());
    check_denied(&topology, "two tokens", twice, &INVALID_REQUEST).await;
}

#[tokio::test]
async fn the_gateway_is_behind_the_same_check() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let forged = topology.tokens.forged();
    check_denied(&topology, "without a token", topology.joined_query(), &NO_TOKEN).await;
    check_denied(&topology, "a wrong signature", topology.joined_query().token(&forged), &INVALID_TOKEN)
        .await;
}

#[tokio::test]
async fn the_service_learns_the_verified_caller_and_nothing_that_the_client_made_up() {
    let mut topology = Topology::plain().await;
    topology.start().await;
    let token = topology.tokens.valid();
    let call = topology
        .to_echo("/path?query=1")
        .token(&token)
        .header("x-catalyst-subject", "root")
        .header("X-Catalyst-Subject", "root again")
        .header("x-catalyst-organisation", "evil.example")
        .header("x-catalyst-anything", "made up")
        .header("x-other", "kept");
    let seen =
        topology.node.send(&call).await.expect("an answer").expect_status(200).expect("allowed").json();
    let header = |name: &str| seen["headers"][name].clone();
    assert_eq!(header("x-catalyst-subject"), json!([SUBJECT]));
    assert_eq!(header("x-catalyst-issuer"), json!([ISSUER]));
    assert_eq!(header("x-catalyst-organisation"), json!([ORG]));
    assert_eq!(header("x-catalyst-anything"), Value::Null);
    assert_eq!(header("x-other"), json!(["kept"]));
    assert_eq!(header("authorization"), json!([format!("Bearer {token}")]), "the token travels unchanged");
    assert_eq!(seen["path"], "/path?query=1");
}

#[tokio::test]
async fn a_public_service_is_open_to_all_and_believes_no_made_up_caller() {
    let mut topology = Topology::plain().await;
    topology.node.config["services"][0]["access"] = json!("public");
    topology.start().await;
    let call = topology.to_echo("/").header("x-catalyst-subject", "root");
    let seen =
        topology.node.send(&call).await.expect("an answer").expect_status(200).expect("allowed").json();
    assert_eq!(seen["headers"]["x-catalyst-subject"], Value::Null);
}

#[tokio::test]
async fn an_unknown_service_is_refused_even_with_a_good_token() {
    let mut topology = Topology::plain().await;
    topology.start().await;
    let token = topology.tokens.valid();
    let unknown = Call::get("unknown.acme.example", "/").token(&token);
    let answer: Answer = topology.node.send(&unknown).await.expect("an answer");
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(topology.echo.received(), 1, "only the request that waited for the node came through");
}

fn claim(name: &str, value: Value) -> serde_json::Map<String, Value> {
    serde_json::Map::from_iter([(name.to_owned(), value)])
}

/// The same claims under `{"alg": "none"}` and without a signature (RFC 8725, 2.1).
fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("a token has claims");
    format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
}
