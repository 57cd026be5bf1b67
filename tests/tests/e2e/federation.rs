//! Two services, one graph, all of it through Envoy.

use catalyst_tests::{call::Call, node::ORG, tokens::SUBJECT, topology::Topology};
use serde_json::{Value, json};

async fn ask(topology: &mut Topology, query: &str) -> Value {
    let call = Call::graphql(&topology.node.ingress().to_string(), query).token(&topology.tokens.valid());
    topology.node.send(&call).await.expect("an answer").expect_status(200).expect("allowed").json()
}

#[tokio::test]
async fn a_query_joins_across_both_services() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let answer = topology.joined(&topology.tokens.valid()).await;
    let review = |rating: u8, body: &str| json!({"rating": rating, "body": body});
    let expected = json!({"data": {"books": [
        {"title": "A Wizard of Earthsea", "author": "Ursula K. Le Guin", "reviews": [
            review(5, "A true name is worth more than a spell."),
            review(4, "The sea is the best character."),
        ]},
        {"title": "Roadside Picnic", "author": "Arkady and Boris Strugatsky", "reviews": [
            review(5, "Happiness for everybody, and let nobody go away unhappy."),
        ]},
        {"title": "Kindred", "author": "Octavia E. Butler", "reviews": [review(4, "Could not put it down.")]},
        {"title": "The Invention of Morel", "author": "Adolfo Bioy Casares", "reviews": []},
    ]}});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_join_goes_the_other_way_too_and_entities_may_be_missing() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let answer = ask(&mut topology, "{ latestReviews(first: 2) { id book { id title } } }").await;
    let expected = json!({"data": {"latestReviews": [
        {"id": "r4", "book": {"id": "3", "title": "Kindred"}},
        {"id": "r3", "book": {"id": "2", "title": "Roadside Picnic"}},
    ]}});
    assert_eq!(answer, expected);
    let answer = ask(&mut topology, r#"{ book(id: "none") { title reviews { id } } }"#).await;
    assert_eq!(answer, json!({"data": {"book": null}}));
}

#[tokio::test]
async fn the_callers_identity_reaches_the_subgraphs() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let answer = ask(&mut topology, "{ whoami { subject organisation } }").await;
    assert_eq!(answer, json!({"data": {"whoami": {"subject": SUBJECT, "organisation": ORG}}}));
    let mutation =
        r#"mutation { addReview(bookId: "4", rating: 5, body: "Again!") { author book { title } } }"#;
    let answer = ask(&mut topology, mutation).await;
    let added = json!({"author": SUBJECT, "book": {"title": "The Invention of Morel"}});
    assert_eq!(answer, json!({"data": {"addReview": added}}));
}

#[tokio::test]
async fn subgraph_requests_go_through_envoy() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let admin = topology.node.admin();
    let before = egress_requests(&admin.stats().await.expect("stats"));
    ask(&mut topology, "{ books { title reviews { id } } }").await;
    let after = egress_requests(&admin.stats().await.expect("stats"));
    assert!(after >= before + 2, "a query to two services made {} requests through egress", after - before);
}

/// Requests that Envoy has taken on egress.
fn egress_requests(stats: &std::collections::BTreeMap<String, u64>) -> u64 {
    let found: Vec<u64> = stats
        .iter()
        .filter(|(name, _)| name.starts_with("http.egress") && name.ends_with(".downstream_rq_total"))
        .map(|(_, value)| *value)
        .collect();
    assert!(!found.is_empty(), "there is no egress among {:?}", stats.keys());
    found.iter().sum()
}

#[tokio::test]
async fn a_service_can_be_asked_by_its_own_name() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let call = Call::graphql(&format!("reviews.{ORG}"), "{ latestReviews(first: 1) { author } }");
    let answer = topology.node.send(&call.token(&topology.tokens.valid())).await.expect("an answer");
    assert_eq!(answer.json(), json!({"data": {"latestReviews": [{"author": "dave"}]}}));
}

#[tokio::test]
async fn a_browser_is_given_graphiql() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let call = Call::get(&topology.node.ingress().to_string(), "/graphql").header("accept", "text/html");
    let answer = topology.node.send(&call).await.expect("an answer");
    let with_token = topology.node.send(&call.token(&topology.tokens.valid())).await.expect("an answer");
    assert_eq!(with_token.status, 200, "{with_token:?}");
    assert!(with_token.body.contains("GraphiQL"), "{}", with_token.body);
    assert!(answer.status == 200 || answer.status == 401, "{answer:?}");
}

#[tokio::test]
async fn a_subgraph_that_is_down_costs_its_own_fields_only() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    topology.subgraphs[1].kill();
    let answer = ask(&mut topology, "{ books { title } }").await;
    assert_eq!(answer["data"]["books"][2], json!({"title": "Kindred"}));
    assert!(answer.get("errors").is_none(), "{answer}");
    let answer = ask(&mut topology, "{ latestReviews { id } }").await;
    assert!(answer["errors"][0]["message"].is_string(), "{answer}");
}
