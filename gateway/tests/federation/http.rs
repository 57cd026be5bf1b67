//! GraphQL over HTTP.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use catalyst_gateway::Settings;
use serde_json::{Value, json};

use crate::subgraphs::{books, reviews};
use crate::support::{Answer, Federation};

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

struct Case {
    method: Method,
    uri: &'static str,
    content_type: Option<&'static str>,
    accept: &'static str,
    body: Body,
}

impl Case {
    fn get(uri: &'static str) -> Self {
        Self { method: Method::GET, uri, content_type: None, accept: GRAPHQL, body: Body::empty() }
    }

    fn post(body: impl Into<Body>) -> Self {
        Self {
            method: Method::POST,
            uri: "/graphql",
            content_type: Some(JSON),
            accept: GRAPHQL,
            body: body.into(),
        }
    }

    fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    fn content_type(self, content_type: Option<&'static str>) -> Self {
        Self { content_type, ..self }
    }
}

async fn send(case: Case, settings: Settings) -> Answer {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::new(settings);
    federation.update(&[&books, &reviews]).await;
    let mut request =
        Request::builder().method(case.method).uri(case.uri).header(header::ACCEPT, case.accept);
    if let Some(content_type) = case.content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    federation.send(request.body(case.body).unwrap()).await
}

/// Checks status, type and the code of the first error, or the data if there is no error.
async fn check(case: Case, status: u16, expected: Value) {
    let accept = case.accept;
    let answer = send(case, Settings::default()).await;
    assert_eq!(answer.status.as_u16(), status, "{}", String::from_utf8_lossy(&answer.body));
    let content_type = answer.headers[header::CONTENT_TYPE].to_str().unwrap();
    assert_eq!(content_type, format!("{}; charset=utf-8", if accept == GRAPHQL { GRAPHQL } else { JSON }));
    let json = answer.json();
    let found = match json.get("errors") {
        Some(errors) => &errors[0]["extensions"]["code"],
        None => &json["data"],
    };
    assert_eq!(*found, expected, "{json}");
}

fn query(query: &str) -> String {
    json!({ "query": query }).to_string()
}

#[tokio::test]
async fn answers_a_query_by_post() {
    let dune = json!({ "book": { "title": "Dune" } });
    check(Case::post(query("{ book(id: 1) { title } }")), 200, dune.clone()).await;
    check(Case::post(query("{ book(id: 1) { title } }")).accept("*/*"), 200, dune.clone()).await;
    let charset =
        Case::post(query("{ book(id: 1) { title } }")).content_type(Some("application/json; charset=utf-8"));
    check(charset, 200, dune.clone()).await;
    let nulls =
        r#"{"query":"{ book(id: 1) { title } }","variables":null,"operationName":null,"extensions":null}"#;
    check(Case::post(nulls), 200, dune).await;
}

#[tokio::test]
async fn answers_a_query_by_get() {
    let dune = json!({ "book": { "title": "Dune" } });
    check(Case::get("/graphql?query=%7B%20book(id:%201)%20%7B%20title%20%7D%20%7D"), 200, dune.clone()).await;
    let full = "/graphql?query=query+A($id:ID!)%7Bbook(id:$id)%7Btitle%7D%7D+query+B%7B__typename%7D&operationName=A&variables=%7B%22id%22:1%7D";
    check(Case::get(full), 200, dune).await;
}

#[tokio::test]
async fn does_not_run_mutations_by_get() {
    let uri = "/graphql?query=mutation%7BaddReview(book:1,rating:1)%7Bid%7D%7D";
    check(Case::get(uri), 405, json!("BAD_REQUEST")).await;
}

#[tokio::test]
async fn refuses_what_is_no_graphql_request() {
    let bad = json!("BAD_REQUEST");
    check(Case::post("{"), 400, bad.clone()).await;
    check(Case::post("{").accept(JSON), 400, bad.clone()).await;
    check(Case::post(""), 400, bad.clone()).await;
    check(Case::post("{}"), 400, bad.clone()).await;
    check(Case::post(r#"{"query":1}"#), 400, bad.clone()).await;
    check(Case::post(r#"{"query":"{__typename}","variables":[]}"#), 400, bad.clone()).await;
    check(Case::post(r#"{"query":"{__typename}","variables":"x"}"#), 400, bad.clone()).await;
    check(Case::post(r#"{"query":"{__typename}","operationName":{}}"#), 400, bad.clone()).await;
    check(Case::post(r#"{"query":"{__typename}","extensions":1}"#), 400, bad.clone()).await;
    check(Case::post(format!("[{}]", query("{ __typename }"))), 400, bad.clone()).await;
    check(Case::get("/graphql"), 400, bad.clone()).await;
    check(Case::get("/graphql?query=%7B__typename%7D&variables=%7B"), 400, bad.clone()).await;
    check(Case::post(query("{ __typename }")).content_type(None), 415, bad.clone()).await;
    check(Case::post(query("{ __typename }")).content_type(Some("text/plain")), 415, bad).await;
}

#[tokio::test]
async fn a_query_that_is_refused_has_a_status_only_by_the_new_type() {
    for (text, code) in [("{ nope }", "GRAPHQL_VALIDATION_FAILED"), ("{", "GRAPHQL_PARSE_FAILED")] {
        check(Case::post(query(text)), 400, json!(code)).await;
        check(Case::post(query(text)).accept(JSON), 200, json!(code)).await;
    }
}

#[tokio::test]
async fn refuses_a_body_beyond_the_limit() {
    let body = query(&format!("{{ __typename }} #{}", "x".repeat(1 << 20)));
    check(Case::post(body), 413, json!("LIMIT_EXCEEDED")).await;
}

#[tokio::test]
async fn refuses_a_type_that_it_does_not_have() {
    let answer = send(Case::post(query("{ __typename }")).accept("text/html"), Settings::default()).await;
    assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn shows_graphiql_to_browsers_if_it_is_on() {
    let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    let settings = Settings { graphiql: true, ..Settings::default() };
    let answer = send(Case::get("/graphql").accept(accept), settings).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    assert!(String::from_utf8_lossy(&answer.body).to_lowercase().contains("graphiql"));
    let answer = send(Case::get("/graphql").accept(accept), Settings::default()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn health_tells_whether_a_schema_is_served() {
    let books = books().await;
    let federation = Federation::new(Settings::default());
    let get = || Request::get("/health").body(Body::empty()).unwrap();
    assert_eq!(federation.send(get()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    federation.update(&[&books]).await;
    let answer = federation.send(get()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["subgraphs"][0]["state"], "serving");
}
