use super::*;
use crate::transport::{FetchError, FetchRequest, FetchResponse};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// A subgraph that nobody asks anything.
struct Silent;

impl Fetch for Silent {
    fn fetch(&self, _: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        std::future::ready(Err(FetchError::Connect("silent".to_owned()))).boxed()
    }
}

fn given(name: &str, sdl: &str) -> Subgraph {
    Subgraph {
        name: name.to_owned(),
        url: format!("http://{name}.acme.example/graphql"),
        fetch: Arc::new(Silent),
        sdl: SdlSource::Given(sdl.to_owned()),
    }
}

const BOOKS: &str = r#"
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
    type Query { books: [Book!]! }
    type Book @key(fields: "id") { id: ID! title: String! }
"#;

const REVIEWS: &str = r#"
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
    type Query { latest: [Review!]! }
    type Book @key(fields: "id") { id: ID! reviews: [Review!]! }
    type Review { id: ID! }
"#;

/// Which subgraphs are served after updating to each of `updates` in turn.
async fn served(updates: &[&[(&str, &str)]]) -> Vec<String> {
    let gateway = Gateway::new(Settings::default());
    let mut status = gateway.status();
    for update in updates {
        status = gateway.update(update.iter().map(|(name, sdl)| given(name, sdl)).collect()).await;
    }
    let served = status.subgraphs.iter().filter(|subgraph| subgraph.state.is_served());
    served.map(|subgraph| subgraph.name.clone()).collect()
}

#[tokio::test]
async fn serves_all_that_fit_together() {
    assert_eq!(served(&[&[("books", BOOKS), ("reviews", REVIEWS)]]).await, ["books", "reviews"]);
}

#[tokio::test]
async fn leaves_out_a_subgraph_whose_schema_is_no_schema() {
    let updates: &[&[_]] = &[&[("books", BOOKS), ("broken", "type Query {"), ("reviews", REVIEWS)]];
    assert_eq!(served(updates).await, ["books", "reviews"]);
}

#[tokio::test]
async fn leaves_out_the_second_of_a_name() {
    let gateway = Gateway::new(Settings::default());
    let status = gateway.update(vec![given("books", BOOKS), given("books", REVIEWS)]).await;
    let states: Vec<_> = status.subgraphs.iter().map(|subgraph| subgraph.state.is_served()).collect();
    assert_eq!(states.iter().filter(|served| **served).count(), 1, "{status:#?}");
}

#[tokio::test]
async fn forgets_a_subgraph_that_is_gone() {
    let updates: &[&[_]] = &[&[("books", BOOKS), ("reviews", REVIEWS)], &[("reviews", REVIEWS)], &[]];
    assert_eq!(served(&updates[..2]).await, ["reviews"]);
    assert_eq!(served(updates).await, Vec::<String>::new());
}

#[tokio::test]
async fn counts_revisions() {
    let gateway = Gateway::new(Settings::default());
    assert_eq!(gateway.status().revision, 0);
    gateway.update(vec![given("books", BOOKS)]).await;
    assert_eq!(gateway.update(Vec::new()).await.revision, 2);
}

#[tokio::test]
async fn keeps_the_engine_while_nothing_changes() {
    let gateway = Gateway::new(Settings::default());
    let subgraphs = vec![given("books", BOOKS), given("broken", "type Query {")];
    let first = gateway.update(subgraphs.clone()).await;
    let engine = gateway.engine().unwrap();
    assert_eq!(gateway.update(subgraphs).await, first);
    assert!(Arc::ptr_eq(&engine, &gateway.engine().unwrap()));
    gateway.update(vec![given("books", BOOKS)]).await;
    assert!(!Arc::ptr_eq(&engine, &gateway.engine().unwrap()), "another way to a subgraph is another engine");
}
