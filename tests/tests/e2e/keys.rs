//! Key sets that the node fetches from the issuer.

use catalyst_tests::{call::Call, eventually, keys::KeyPage, topology::Topology};
use serde_json::json;

/// A node that reads its issuer's keys from a page instead of the file.
async fn topology() -> (Topology, KeyPage) {
    let mut topology = Topology::plain().await;
    let jwks = std::fs::read_to_string(topology.tokens.jwks()).expect("the key set");
    let page = KeyPage::start(jwks).await;
    let issuer = &mut topology.node.config["auth"]["issuers"][0];
    issuer["jwks"] = json!(page.url());
    issuer["jwks_private"] = json!(true);
    (topology, page)
}

fn with_token(topology: &Topology) -> Call {
    topology.to_echo("/").token(&topology.tokens.valid())
}

#[tokio::test]
async fn keys_are_fetched_and_serve_from_disk_while_the_issuer_is_down() {
    let (mut topology, page) = topology().await;
    topology.start().await;
    let forged = topology.to_echo("/").token(&topology.tokens.forged());
    assert_eq!(topology.node.send(&forged).await.expect("an answer").status, 401);
    page.fail();
    let status = topology.node.stop_daemon().await;
    assert!(status.success(), "{status}");
    topology.node.start(&topology.run);
    topology.ready().await;
    let log = topology.node.daemon().log();
    assert!(log.contains("key set read from disk"), "{log}");
    assert_eq!(topology.node.send(&forged).await.expect("an answer").status, 401);
}

#[tokio::test]
async fn keys_that_the_issuer_does_not_confirm_serve_until_they_are_too_old() {
    let (mut topology, page) = topology().await;
    topology.node.config["auth"]["issuers"][0]["jwks_max_stale"] = json!("5s");
    topology.start().await;
    page.fail();
    // Made before, so that the token itself is no older than it was.
    let call = with_token(&topology);
    let answer = topology.node.answers(503, &call).await;
    assert!(answer.body.contains("out of date"), "{answer:?}");
}

#[tokio::test]
async fn a_key_set_inside_the_own_network_is_fetched_only_where_that_is_allowed() {
    let (mut topology, page) = topology().await;
    let issuer = &mut topology.node.config["auth"]["issuers"][0];
    issuer["jwks"] = json!(page.url().replace("http:", "https:"));
    issuer["jwks_private"] = json!(false);
    topology.node.start(&topology.run);
    eventually("the daemon says why there are no keys", async || {
        let log = topology.node.daemon().log();
        if log.contains("is not a public address") { Ok(()) } else { Err(log) }
    })
    .await;
    let answer = topology.node.answers(503, &with_token(&topology)).await;
    assert!(answer.body.contains("not available"), "{answer:?}");
}
