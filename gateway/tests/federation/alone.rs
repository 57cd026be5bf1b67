//! The gateway by itself.

use catalyst_gateway::{HttpClient, Protocol, Settings, standalone};
use serde_json::{Value, json};

use crate::subgraphs::{books, reviews};

#[tokio::test]
async fn serves_the_subgraphs_of_a_file() {
    let (books, reviews) = (books().await, reviews().await);
    let file = json!([
        { "name": "books", "url": books.url },
        { "name": "reviews", "url": reviews.url },
    ]);
    let settings = Settings::default();
    let subgraphs = standalone::read_subgraphs(&file.to_string(), &settings).unwrap();
    let (told, ready) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(standalone::serve(
        subgraphs,
        settings.clone(),
        "127.0.0.1:0".parse().unwrap(),
        |address, status| told.send((address, status.subgraphs.len())).unwrap(),
        async { drop(stopped.await) },
    ));
    let (address, count) = ready.await.unwrap();
    assert_eq!(count, 2);
    let url = format!("http://{address}/graphql");
    let fetch = catalyst_gateway::HttpFetch::new(HttpClient::direct(Protocol::Http1), &url, &settings.limits)
        .unwrap();
    let body = json!({ "query": "{ book(id: 1) { title reviews { rating } } }" }).to_string();
    let request = catalyst_gateway::FetchRequest { body: body.into(), headers: Default::default() };
    let answer = catalyst_gateway::Fetch::fetch(&fetch, request).await.unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&answer.body).unwrap(),
        json!({ "data": { "book": { "title": "Dune", "reviews": [{ "rating": 5 }, { "rating": 4 }] } } })
    );
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn says_that_a_port_is_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let served =
        standalone::serve(Vec::new(), Settings::default(), address, |_, _| {}, std::future::pending()).await;
    let error = served.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()) && error.contains("choose another port"), "{error}");
}
