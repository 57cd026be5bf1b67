//! Two subgraphs, queried as one.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use catalyst_gateway::{Settings, SubgraphState};
use serde_json::{Value, json};

use crate::subgraphs::{books, reviews};
use crate::support::{Federation, Server, subgraph};

async fn check(query: &str, variables: Value, expected: Value) {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    let answer = federation.post(&json!({ "query": query, "variables": variables })).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), expected, "{query}");
}

#[tokio::test]
async fn joins_two_subgraphs() {
    check(
        "{ books(first: 2) { title author reviews { rating body } } }",
        json!({}),
        json!({ "data": { "books": [
            { "title": "Dune", "author": "Frank Herbert",
              "reviews": [{ "rating": 5, "body": "Spice." }, { "rating": 4, "body": "Sand." }] },
            { "title": "Emma", "author": "Jane Austen", "reviews": [{ "rating": 5, "body": "Wit." }] },
        ] } }),
    )
    .await;
}

#[tokio::test]
async fn goes_back_and_forth_between_subgraphs() {
    check(
        "{ latestReviews { id book { title reviews { id book { author } } } } }",
        json!({}),
        json!({ "data": { "latestReviews": [
            { "id": "r1", "book": { "title": "Dune", "reviews": [
                { "id": "r1", "book": { "author": "Frank Herbert" } },
                { "id": "r2", "book": { "author": "Frank Herbert" } } ] } },
            { "id": "r2", "book": { "title": "Dune", "reviews": [
                { "id": "r1", "book": { "author": "Frank Herbert" } },
                { "id": "r2", "book": { "author": "Frank Herbert" } } ] } },
            { "id": "r3", "book": { "title": "Emma", "reviews": [
                { "id": "r3", "book": { "author": "Jane Austen" } } ] } },
        ] } }),
    )
    .await;
}

#[tokio::test]
async fn writes_fields_in_the_order_of_the_query() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    let query = "{ b: book(id: 1) { reviews { body } __typename author t: title id } __typename }";
    let answer = federation.post(&json!({ "query": query })).await;
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        r#"{"data":{"b":{"reviews":[{"body":"Spice."},{"body":"Sand."}],"__typename":"Book","author":"Frank Herbert","t":"Dune","id":"1"},"__typename":"Query"}}"#
    );
}

#[tokio::test]
async fn passes_on_strings_as_they_are() {
    check(
        "{ book(id: 2) { subtitle } none: book(id: 9) { title } }",
        json!({}),
        json!({ "data": { "book": { "subtitle": "A \"novel\" – in three volumes" }, "none": null } }),
    )
    .await;
}

#[tokio::test]
async fn resolves_aliases_fragments_and_variables() {
    check(
        "query ($one: ID!, $two: ID = 2) {
           a: book(id: $one) { ...Named other: title }
           b: book(id: $two) { ... on Book { ...Named } ... { author } }
         }
         fragment Named on Book { title reviews { ...Rated } }
         fragment Rated on Review { rating }",
        json!({ "one": 1 }),
        json!({ "data": {
            "a": { "title": "Dune", "reviews": [{ "rating": 5 }, { "rating": 4 }], "other": "Dune" },
            "b": { "title": "Emma", "reviews": [{ "rating": 5 }], "author": "Jane Austen" },
        } }),
    )
    .await;
}

#[tokio::test]
async fn skips_and_includes() {
    let query = "query ($yes: Boolean!, $no: Boolean!) { book(id: 1) {
        a: title @include(if: $yes) b: title @include(if: $no) c: title @skip(if: $yes) d: title @skip(if: $no)
        e: title @include(if: true) f: title @skip(if: true)
        ... @include(if: $no) { reviews { id } }
        author @include(if: $yes) @skip(if: $yes)
    } }";
    let expected = json!({ "data": { "book": { "a": "Dune", "d": "Dune", "e": "Dune" } } });
    check(query, json!({ "yes": true, "no": false }), expected).await;
}

#[tokio::test]
async fn leaves_out_a_fetch_that_nothing_needs() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    let query = "query ($with: Boolean!) { book(id: 1) { title reviews @include(if: $with) { id } } }";
    for (with, fetches) in [(false, 0), (true, 1)] {
        let answer = federation.post(&json!({ "query": query, "variables": { "with": with } })).await.json();
        assert_eq!(answer["data"]["book"]["title"], "Dune");
        assert_eq!(answer["data"]["book"].get("reviews").is_some(), with);
        assert_eq!(reviews.take_seen().len(), fetches, "with: {with}");
    }
}

#[tokio::test]
async fn merges_a_field_that_is_selected_twice_under_different_conditions() {
    check(
        "query ($yes: Boolean!, $no: Boolean!) {
           book(id: 1) @include(if: $yes) { title }
           book(id: 1) @include(if: $no) { author }
         }",
        json!({ "yes": true, "no": false }),
        json!({ "data": { "book": { "title": "Dune" } } }),
    )
    .await;
}

#[tokio::test]
async fn asks_for_each_entity_once() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    federation.query("{ latestReviews { book { title } } }").await;
    let seen = books.take_seen();
    let [seen] = &seen[..] else { panic!("one request: {seen:#?}") };
    assert_eq!(
        seen.body["variables"]["representations"],
        json!([{ "__typename": "Book", "id": "1" }, { "__typename": "Book", "id": "2" }])
    );
}

#[tokio::test]
async fn runs_mutations() {
    check(
        "mutation { a: addReview(book: 1, rating: 1) { rating book { title } } b: addReview(book: 2, rating: 2) { rating } }",
        json!({}),
        json!({ "data": {
            "a": { "rating": 1, "book": { "title": "Dune" } },
            "b": { "rating": 2 },
        } }),
    )
    .await;
}

#[tokio::test]
async fn tells_an_error_of_an_entity_at_every_place_of_it() {
    let books = books().await;
    let reviews = Server::scripted(
        "reviews",
        r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
           type Query { latest: [Book!]! }
           type Book @key(fields: "id") { id: ID! stars: [Int] }"#,
        |request| match request["query"].as_str().unwrap().contains("latest") {
            true => json!({ "data": { "latest": [
                { "__typename": "Book", "id": "2" }, { "__typename": "Book", "id": "1" },
                { "__typename": "Book", "id": "2" },
            ] } }),
            false => json!({
                "data": { "_entities": [{ "stars": [1] }, { "stars": [null] }, null] },
                "errors": [
                    { "message": "lost", "path": ["_entities", 1, "stars", 0], "extensions": { "code": "LOST" } },
                    { "message": "all", "path": ["_entities"] },
                ],
            }),
        },
    )
    .await;
    let federation = Federation::of(&[&books, &reviews]).await;
    let answer = federation.query("{ all: books { id stars } }").await;
    assert_eq!(
        answer["data"]["all"],
        json!([{ "id": "1", "stars": [1] }, { "id": "2", "stars": [null] }, { "id": "3", "stars": null }])
    );
    assert_eq!(
        answer["errors"],
        json!([
            {
                "message": "lost",
                "path": ["all", 1, "stars", 0],
                "extensions": { "code": "LOST", "service": "reviews" },
            },
            { "message": "all", "extensions": { "code": "DOWNSTREAM_SERVICE_ERROR", "service": "reviews" } },
        ])
    );
}

#[tokio::test]
async fn propagates_a_null_to_the_nearest_nullable_field() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    let answer = federation.query("{ book(id: 3) { title reviews { id } } ok: book(id: 1) { title } }").await;
    assert_eq!(answer["data"], json!({ "book": null, "ok": { "title": "Dune" } }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "LOST");
    // A list of non-null items in a non-null field takes the whole of `data` with it.
    let answer = federation.query("{ books { reviews { id } } }").await;
    assert_eq!(answer["data"], Value::Null);
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn answers_in_part_while_a_subgraph_is_down() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    drop(reviews);
    let answer = federation.query("{ book(id: 1) { title reviewsIfAny { id } } }").await;
    assert_eq!(answer["data"], json!({ "book": { "title": "Dune", "reviewsIfAny": null } }));
    assert_eq!(
        answer["errors"][0]["extensions"],
        json!({ "code": "SUBGRAPH_REQUEST_FAILED", "service": "reviews" })
    );
}

#[tokio::test]
async fn refuses_what_does_not_fit_the_schema() {
    let cases: &[(&str, Value, &str)] = &[
        ("{ books { pages } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ books { title }", json!({}), "GRAPHQL_PARSE_FAILED"),
        ("{ book { title } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("query ($id: ID!) { book(id: $id) { title } }", json!({}), "BAD_USER_INPUT"),
        ("query ($id: ID!) { book(id: $id) { title } }", json!({ "id": true }), "BAD_USER_INPUT"),
        ("query ($n: Int) { books(first: $n) { title } }", json!({ "n": 1.5 }), "BAD_USER_INPUT"),
        ("query A { books { id } } query B { books { id } }", json!({}), "OPERATION_RESOLUTION_FAILURE"),
        ("fragment F on Book { id }", json!({}), "OPERATION_RESOLUTION_FAILURE"),
        ("{ _service { sdl } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ _entities(representations: []) { __typename } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { s }", json!({}), "OPERATION_NOT_SUPPORTED"),
        ("{ books(first: 99999999999999999999) { id } }", json!({}), "GRAPHQL_PARSE_FAILED"),
    ];
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    for (query, variables, code) in cases {
        let answer = federation.post(&json!({ "query": query, "variables": variables })).await.json();
        assert_eq!(answer["errors"][0]["extensions"]["code"], *code, "{query}: {answer}");
        assert_eq!(answer.get("data"), None, "{query}");
    }
    assert_eq!(books.take_seen().len() + reviews.take_seen().len(), 0);
}

#[tokio::test]
async fn passes_on_the_callers_token_and_trace_and_no_more() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, "Bearer token")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("cookie", "secret")
        .header("x-catalyst-subject", "mallory")
        .body(Body::from(json!({ "query": "{ book(id: 1) { reviews { id } } }" }).to_string()))
        .unwrap();
    assert_eq!(federation.send(request).await.status, StatusCode::OK);
    for server in [&books, &reviews] {
        let seen = server.take_seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].headers["authorization"], "Bearer token");
        assert!(seen[0].headers["traceparent"].to_str().unwrap().starts_with("00-0af7"));
        assert!(!seen[0].headers.contains_key("cookie"));
        assert!(!seen[0].headers.contains_key("x-catalyst-subject"));
    }
}

#[tokio::test]
async fn introspects_the_schema() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    let answer = federation
        .query(
            r#"{
              __schema { queryType { name } mutationType { name } subscriptionType { name } }
              book: __type(name: "Book") {
                kind name
                fields { name type { kind name ofType { kind name ofType { kind ofType { name } } } } args { name } }
              }
              none: __type(name: "_Service") { name }
              joined: __type(name: "join__Graph") { name }
              books { __typename }
            }"#,
        )
        .await;
    assert_eq!(
        answer["data"]["__schema"],
        json!({ "queryType": { "name": "Query" }, "mutationType": { "name": "Mutation" }, "subscriptionType": null })
    );
    let fields: Vec<&str> = answer["data"]["book"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    for name in ["id", "title", "author", "subtitle", "reviews", "reviewsIfAny"] {
        assert!(fields.contains(&name), "{name} in {fields:?}");
    }
    assert_eq!((&answer["data"]["none"], &answer["data"]["joined"]), (&Value::Null, &Value::Null));
    assert_eq!(answer["data"]["books"][0], json!({ "__typename": "Book" }));
}

#[tokio::test]
async fn serves_the_rest_without_an_unreachable_subgraph() {
    let books = books().await;
    let federation = Federation::new(Settings::default());
    let gone = subgraph("reviews", "http://127.0.0.1:1/graphql", &federation.settings);
    let status = federation.gateway.update(vec![books.subgraph(&federation.settings), gone]).await;
    assert_eq!(status.subgraphs[0].state, SubgraphState::Serving);
    assert!(
        matches!(&status.subgraphs[1].state, SubgraphState::Unreachable { reason } if reason.contains("refused"))
    );
    let answer = federation.query("{ book(id: 1) { title } }").await;
    assert_eq!(answer, json!({ "data": { "book": { "title": "Dune" } } }));
}

#[tokio::test]
async fn an_empty_set_of_subgraphs_is_an_empty_schema() {
    let books = books().await;
    let federation = Federation::of(&[&books]).await;
    assert_eq!(federation.query("{ book(id: 1) { title } }").await["data"]["book"]["title"], "Dune");
    federation.update(&[]).await;
    let answer = federation.post(&json!({ "query": "{ book(id: 1) { title } }" })).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json().get("data"), None);
    assert_eq!(federation.gateway.supergraph(), None);
}
