//! Subgraphs that come, go, fail and change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use catalyst_gateway::{
    Fetch, FetchError, FetchRequest, FetchResponse, SdlSource, Settings, Subgraph, SubgraphState,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::subgraphs::{books, reviews, weather};
use crate::support::Federation;

/// Fails a number of times before it answers.
struct Flaky {
    failures: AtomicUsize,
    asked: AtomicUsize,
    failure: fn() -> Result<FetchResponse, FetchError>,
}

impl Fetch for Flaky {
    fn fetch(&self, _: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let failed =
            self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let answer = match failed {
            Ok(_) => (self.failure)(),
            Err(_) => Ok(response(200, r#"{"data":{"n":1,"set":2}}"#)),
        };
        std::future::ready(answer).boxed()
    }
}

fn response(status: u16, body: &'static str) -> FetchResponse {
    FetchResponse { status: StatusCode::from_u16(status).unwrap(), body: body.into() }
}

/// How often a subgraph is asked that fails once, and whether the client gets data.
async fn asked(query: &str, failure: fn() -> Result<FetchResponse, FetchError>) -> (usize, bool) {
    let flaky = Arc::new(Flaky { failures: AtomicUsize::new(1), asked: AtomicUsize::new(0), failure });
    let federation = Federation::new(Settings { retries: 2, ..Settings::default() });
    let subgraph = Subgraph {
        name: "flaky".to_owned(),
        url: "http://flaky/".to_owned(),
        fetch: flaky.clone(),
        sdl: SdlSource::Given("type Query { n: Int } type Mutation { set: Int }".to_owned()),
    };
    federation.gateway.update(vec![subgraph]).await;
    let answer = federation.query(query).await;
    (flaky.asked.load(Ordering::Relaxed), answer.get("errors").is_none())
}

#[tokio::test]
async fn sends_a_query_again_that_found_no_subgraph() {
    assert_eq!(asked("{ n }", || Err(FetchError::Connect("refused".to_owned()))).await, (2, true));
    assert_eq!(asked("{ n }", || Err(FetchError::Request("reset".to_owned()))).await, (2, true));
    assert_eq!(asked("{ n }", || Ok(response(503, "no healthy upstream"))).await, (2, true));
}

#[tokio::test]
async fn does_not_send_a_query_again_that_was_answered() {
    assert_eq!(asked("{ n }", || Ok(response(500, "oops"))).await, (1, false));
    assert_eq!(asked("{ n }", || Ok(response(200, "oops"))).await, (1, false));
    assert_eq!(asked("{ n }", || Err(FetchError::TimedOut(std::time::Duration::ZERO))).await, (1, false));
}

#[tokio::test]
async fn does_not_send_a_mutation_again() {
    assert_eq!(asked("mutation { set }", || Ok(response(503, "no healthy upstream"))).await, (1, false));
}

#[tokio::test]
async fn a_service_without_federation_joins_by_introspection() {
    let (books, weather) = (books().await, weather().await);
    let federation = Federation::of(&[&books, &weather]).await;
    let answer = federation
        .query(r#"{ temperature(day: 2) book(id: 1) { title } __type(name: "Query") { fields { name description } } }"#)
        .await;
    assert_eq!(answer["data"]["temperature"], 22.5);
    assert_eq!(answer["data"]["book"]["title"], "Dune");
    let fields = &answer["data"]["__type"]["fields"];
    assert!(
        fields
            .as_array()
            .unwrap()
            .contains(&json!({ "name": "temperature", "description": "How warm it is." }))
    );
}

#[tokio::test]
async fn a_subgraph_whose_schema_is_known_stays_while_it_is_away() {
    let (books, reviews) = (books().await, reviews().await);
    let federation = Federation::of(&[&books, &reviews]).await;
    let subgraphs = vec![books.subgraph(&federation.settings), reviews.subgraph(&federation.settings)];
    drop(reviews);
    let status = federation.gateway.update(subgraphs).await;
    assert!(matches!(status.subgraphs[1].state, SubgraphState::Stale { .. }), "{status:?}");
    let answer = federation.query("{ book(id: 1) { title reviewsIfAny { id } } }").await;
    assert_eq!(answer["data"]["book"]["title"], "Dune");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "SUBGRAPH_REQUEST_FAILED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_fails_while_the_schema_is_swapped_a_thousand_times() {
    const SWAPS: usize = 1_000;
    let (books, reviews) = (books().await, reviews().await);
    let federation = Arc::new(Federation::of(&[&books, &reviews]).await);
    let swaps = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (federation, swaps) = (Arc::clone(&federation), Arc::clone(&swaps));
            tokio::spawn(async move {
                let mut answered = 0;
                while swaps.load(Ordering::Relaxed) < SWAPS {
                    let answer = federation.query("{ book(id: 1) { title } }").await;
                    assert_eq!(answer, json!({ "data": { "book": { "title": "Dune" } } }));
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let given = |name: &str, server: &crate::support::Server, sdl: &str| Subgraph {
        sdl: SdlSource::Given(sdl.to_owned()),
        name: name.to_owned(),
        ..server.subgraph(&federation.settings)
    };
    let own = r#"type Query { book(id: ID!): Book } type Book @key(fields: "id") { id: ID! title: String! }"#;
    let other = "type Query { temperature: Float }";
    for swap in 0..SWAPS {
        let mut subgraphs = vec![given("books", &books, own)];
        if swap % 2 == 0 {
            subgraphs.push(given("reviews", &reviews, other));
        }
        let status = federation.gateway.update(subgraphs).await;
        assert!(status.subgraphs.iter().all(|subgraph| subgraph.state.is_served()), "{status:?}");
        swaps.fetch_add(1, Ordering::Relaxed);
    }
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}
