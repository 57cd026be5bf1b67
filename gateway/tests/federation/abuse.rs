//! What hostile clients send, and what they get: a refusal that costs little, and nothing about the inside.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use catalyst_gateway::{Limits, Persisted, Safelist, Settings};
use serde_json::{Value, json};

use crate::subgraphs::{books, reviews};
use crate::support::Federation;

/// Checks that a query is refused with that code before any subgraph is asked.
async fn refused(settings: Settings, query: &str, code: &str) {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::with(settings, &[&books, &reviews]).await;
    let answer = federation.post(&json!({ "query": query })).await;
    let told = answer.json();
    assert_eq!(told["errors"][0]["extensions"]["code"], code, "{told}");
    assert_eq!(told.get("data"), None);
    assert!(answer.body.len() < 4096, "{} bytes for a refusal", answer.body.len());
    assert_eq!(books.take_seen().len() + reviews.take_seen().len(), 0);
}

fn limited(limit: impl FnOnce(&mut Limits)) -> Settings {
    let mut settings = Settings::default();
    limit(&mut settings.limits);
    settings
}

#[tokio::test]
async fn too_many_tokens() {
    let query = format!("{{ {} }}", "__typename ".repeat(20_000));
    refused(Settings::default(), &query, "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn too_deep() {
    let query = format!("{{ latestReviews {}id{} }}", "{ book { reviews ".repeat(100), " } }".repeat(100));
    refused(Settings::default(), &query, "LIMIT_EXCEEDED").await;
    let query = "{ latestReviews { book { reviews { id } } } }";
    refused(limited(|limits| limits.depth = 3), query, "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn deep_by_fragments() {
    let mut query = "{ latestReviews { ...F0 } }".to_owned();
    for index in 0..1_000 {
        query += &format!("fragment F{index} on Review {{ book {{ reviews {{ ...F{} }} }} }} ", index + 1);
    }
    query += "fragment F1000 on Review { id }";
    refused(Settings::default(), &query, "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn inline_fragments_without_end() {
    let nested = format!("{}id{}", "... { ".repeat(40), " }".repeat(40));
    let mut query = "{ latestReviews { ...F0 } }".to_owned();
    for index in 0..60 {
        query += &format!(
            "fragment F{index} on Review {{ {} }} ",
            nested.replace("id", &format!("...F{}", index + 1))
        );
    }
    query += "fragment F60 on Review { id }";
    refused(Settings::default(), &query, "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn a_small_query_that_unfolds_to_a_huge_one() {
    let mut query = "{ latestReviews { ...F0 } }".to_owned();
    for index in 0..30 {
        query += &format!("fragment F{index} on Review {{ ...F{0} ...F{0} a{index}: id }} ", index + 1);
    }
    query += "fragment F30 on Review { id }";
    refused(Settings::default(), &query, "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn fragments_in_a_circle() {
    let query =
        "{ latestReviews { ...A } } fragment A on Review { id ...B } fragment B on Review { id ...A }";
    refused(Settings::default(), query, "GRAPHQL_VALIDATION_FAILED").await;
}

#[tokio::test]
async fn aliases_without_number() {
    let aliases: String = (0..600).map(|index| format!("a{index}: title ")).collect();
    refused(Settings::default(), &format!("{{ books {{ {aliases} }} }}"), "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn directives_without_number() {
    let query = format!("{{ books {{ title {} }} }}", "@include(if: true) ".repeat(600));
    refused(Settings::default(), &query, "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn fields_of_the_root_without_number() {
    let query: String = (0..101).map(|index| format!("a{index}: books {{ id }} ")).collect();
    refused(Settings::default(), &format!("{{ {query} }}"), "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn more_fetches_than_allowed() {
    let query = "{ books { reviews { id } } }";
    refused(limited(|limits| limits.fetches = 1), query, "LIMIT_EXCEEDED").await;
}

#[tokio::test]
async fn fields_that_overlap_many_times() {
    // Comparing each with each is what naive validators do.
    let query = format!("{{ {} }}", "books { id title } ".repeat(90));
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::with(Settings::default(), &[&books, &reviews]).await;
    assert_eq!(federation.query(&query).await["data"]["books"][0]["title"], "Dune");
}

#[tokio::test]
async fn a_schema_many_times_over() {
    let all = "types { name fields { name type { name } } }";
    let aliases: String = (0..100).map(|index| format!("a{index}: {all} ")).collect();
    let (books, reviews) = (books().await, reviews().await);
    let mut settings = Settings::development();
    settings.limits.response_bytes = 100_000;
    let federation = Federation::with(settings, &[&books, &reviews]).await;
    let whole = federation.query(&format!("{{ __schema {{ {all} }} }}")).await;
    assert!(whole.get("errors").is_none());
    let answer = federation.query(&format!("{{ __schema {{ {aliases} }} }}")).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "RESPONSE_TOO_LARGE");
    assert_eq!(answer["data"], Value::Null);
}

#[tokio::test]
async fn a_response_beyond_the_limit() {
    let (books, reviews) = (books().await, reviews().await);
    let federation =
        Federation::with(limited(|limits| limits.response_bytes = 60), &[&books, &reviews]).await;
    assert_eq!(federation.query("{ book(id: 1) { title } }").await["data"]["book"]["title"], "Dune");
    let answer = federation.query("{ books { title author } }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "RESPONSE_TOO_LARGE");
}

#[tokio::test]
async fn an_answer_of_a_subgraph_beyond_the_limit() {
    let (books, reviews) = (books().await, reviews().await);
    let mut settings = Settings::development();
    settings.limits.subgraph_response_bytes = 200;
    let federation = Federation::new(settings);
    let status = federation.update(&[&books, &reviews]).await;
    assert!(
        status
            .subgraphs
            .iter()
            .any(|subgraph| format!("{:?}", subgraph.state).contains("larger than 200 bytes"))
    );
}

#[tokio::test]
async fn more_entities_than_allowed() {
    let (books, reviews) = (books().await, reviews().await);
    let mut settings = Settings::default();
    settings.limits.representations = 2;
    let federation = Federation::with(settings, &[&books, &reviews]).await;
    let answer = federation.query("{ books { title reviewsIfAny { id } } }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    assert_eq!(answer["data"]["books"][0], json!({ "title": "Dune", "reviewsIfAny": null }));
    assert_eq!(reviews.take_seen().len(), 0);
}

#[tokio::test]
async fn variables_of_great_depth() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::with(Settings::default(), &[&books, &reviews]).await;
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let body =
        format!(r#"{{"query":"query ($id: ID!) {{ book(id: $id) {{ id }} }}","variables":{{"id":{deep}}}}}"#);
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap();
    let answer = federation.send(request).await.json();
    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap();
    assert!(["BAD_USER_INPUT", "BAD_REQUEST"].contains(&code), "{answer}");
}

#[tokio::test]
async fn asking_for_the_schema() {
    for query in ["{ __schema { types { name } } }", r#"{ ... { a: __type(name: "Book") { name } } }"#] {
        refused(Settings::default(), query, "INTROSPECTION_DISABLED").await;
    }
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::with(Settings::default(), &[&books, &reviews]).await;
    assert_eq!(federation.query("{ __typename }").await, json!({ "data": { "__typename": "Query" } }));
    let misspelt = federation.query("{ books { titel } }").await.to_string();
    assert!(!misspelt.contains("title"), "no suggestions: {misspelt}");
}

#[tokio::test]
async fn provoking_errors_to_learn_of_the_inside() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::with(Settings::default(), &[&books, &reviews]).await;
    let answer = federation.query("{ book(id: 3) { reviews { id } } }").await;
    assert_eq!(answer["errors"][0]["message"], "a service reported an error");
    assert_eq!(answer["errors"][0]["extensions"], json!({ "code": "DOWNSTREAM_SERVICE_ERROR" }));
    drop(reviews);
    let answer = federation.query("{ book(id: 1) { reviewsIfAny { id } } }").await;
    assert_eq!(
        answer["errors"],
        json!([{ "message": "a service did not answer", "extensions": { "code": "SUBGRAPH_REQUEST_FAILED" } }])
    );
}

#[tokio::test]
async fn a_query_from_another_sites_page() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::with(Settings::default(), &[&books, &reviews]).await;
    let get = |site: &str| {
        let request = Request::get("/graphql?query=%7Bbooks%7Bid%7D%7D").header("sec-fetch-site", site);
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(federation.send(get("cross-site")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(federation.send(get("same-origin")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn operations_that_nobody_listed() {
    let listed = "{ book(id: 1) { title } }";
    let hash = "6f2ee8a1e2e0b0b5a1d3c5a4a8f0e2f0c3d8d8f0b1a2c3d4e5f60718293a4b5c";
    assert!(Safelist::read(&json!({ hash: listed }).to_string()).is_err());
    let hash = sha256(listed);
    let list = Safelist::read(&json!({ hash.clone(): listed }).to_string()).unwrap();
    let settings = Settings { persisted: Persisted::Only(list.into()), ..Settings::default() };
    refused(settings.clone(), "{ books { title } }", "OPERATION_NOT_LISTED").await;
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::with(settings, &[&books, &reviews]).await;
    let by_hash = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } });
    for body in [json!({ "query": listed }), by_hash] {
        assert_eq!(federation.post(&body).await.json()["data"]["book"]["title"], "Dune", "{body}");
    }
}

#[tokio::test]
async fn a_query_is_known_by_its_hash_once_it_was_sent() {
    let (books, reviews) = (books().await, reviews().await);
    let settings = Settings { persisted: Persisted::Automatic, ..Settings::default() };
    let federation = Federation::with(settings, &[&books, &reviews]).await;
    let query = "{ book(id: 1) { title } }";
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": sha256(query) } });
    let by_hash = json!({ "extensions": extensions });
    let answer = federation.post(&by_hash).await;
    assert_eq!(
        (answer.status, &answer.json()["errors"][0]["message"]),
        (StatusCode::OK, &json!("PersistedQueryNotFound"))
    );
    federation.post(&json!({ "query": query, "extensions": extensions })).await;
    assert_eq!(federation.post(&by_hash).await.json()["data"]["book"]["title"], "Dune");
}

fn sha256(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
