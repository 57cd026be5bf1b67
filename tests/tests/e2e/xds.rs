//! What Envoy is told, and what it is not told again.

use std::collections::BTreeMap;

use catalyst_tests::{eventually, topology::Topology};
use serde_json::{Value, json};

type Dump = BTreeMap<String, Value>;

/// The names below `section` in a part of the dump, in order.
fn names(dump: &Dump, part: &str, section: &str, name: &str) -> Vec<String> {
    let listed = dump[part][section].as_array().cloned().unwrap_or_default();
    let name_of =
        |entry: &Value| entry.pointer(name).and_then(Value::as_str).unwrap_or("(no name)").to_owned();
    let mut names: Vec<String> = listed.iter().map(name_of).collect();
    names.sort();
    names
}

#[tokio::test]
async fn envoy_has_the_module_and_nothing_static_but_the_bootstrap() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let dump = topology.node.admin().config_dump().await.expect("a dump");

    // What the bootstrap holds: the way to the daemon, and no listener, no route, no service.
    let bootstrap = &dump["BootstrapConfigDump"]["bootstrap"];
    let static_resources = bootstrap["static_resources"].as_object().expect("an object");
    assert_eq!(static_resources.keys().collect::<Vec<_>>(), ["clusters"]);
    assert_eq!(names(&dump, "ClustersConfigDump", "static_clusters", "/cluster/name"), ["catalystd"]);
    assert_eq!(names(&dump, "ListenersConfigDump", "static_listeners", "/listener/name"), [""; 0]);
    assert_eq!(names(&dump, "RoutesConfigDump", "static_route_configs", "/route_config/name"), [""; 0]);

    // What came by xDS.
    let clusters = names(&dump, "ClustersConfigDump", "dynamic_active_clusters", "/cluster/name").join(" ");
    for service in ["books.acme.example", "echo.acme.example", "reviews.acme.example"] {
        assert!(clusters.contains(service), "{service} is not among {clusters}");
    }
    let listeners = names(&dump, "ListenersConfigDump", "dynamic_listeners", "/name");
    assert_eq!(listeners, ["egress", "ingress", "node"]);
    let routes = names(&dump, "RoutesConfigDump", "dynamic_route_configs", "/route_config/name");
    assert!(!routes.is_empty());

    // The module, delivered as a resource of its own.
    let filters = dump["EcdsConfigDump"]["ecds_filters"].as_array().expect("extension configurations");
    let modules: Vec<&Value> = filters
        .iter()
        .map(|filter| &filter["ecds_filter"])
        .filter(|filter| filter["name"] == "catalyst.authz")
        .map(|filter| &filter["typed_config"])
        .collect();
    assert!(!modules.is_empty(), "{filters:?}");
    for module in modules {
        let type_ = module["@type"].as_str().unwrap_or_default();
        assert!(type_.ends_with(".dynamic_modules.v3.DynamicModuleFilter"), "{module}");
        assert_eq!(module["filter_name"], "authz", "{module}");
    }
}

/// Counters that move when Envoy is told something. Those of the connection itself are not among them.
fn told(stats: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    const ENDS: [&str; 8] = [
        ".update_success",
        ".update_rejected",
        ".config_reload",
        ".listener_added",
        ".listener_modified",
        ".cluster_added",
        ".cluster_modified",
        ".cluster_removed",
    ];
    let told = stats.iter().filter(|(name, _)| ENDS.iter().any(|end| name.ends_with(end)));
    told.map(|(name, value)| (name.clone(), *value)).collect()
}

#[tokio::test]
async fn a_restarted_daemon_sends_nothing_again_that_has_not_changed() {
    let mut topology = Topology::federated().await;
    topology.node.start_apart(&topology.run).await;
    topology.ready().await;
    let admin = topology.node.admin();
    let before = admin.stats().await.expect("stats");
    assert!(told(&before)["cluster_manager.cds.update_success"] > 0, "{:?}", told(&before));

    topology.node.kill_daemon();
    let connected = async |expected: u64| {
        eventually(&format!("control_plane.connected_state is {expected}"), async || {
            let stats = admin.stats().await.map_err(|error| format!("{error:#}"))?;
            let found = stats.get("control_plane.connected_state").copied();
            if found == Some(expected) { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    };
    connected(0).await;
    // A service more: when Envoy knows it, it has been told all that the daemon had to tell.
    topology.node.offer("again", "http", topology.echo.address());
    topology.node.start(&topology.run);
    connected(1).await;
    let token = topology.tokens.valid();
    let again = catalyst_tests::call::Call::get("again.acme.example", "/").token(&token);
    topology.node.answers(200, &again).await;

    let after = told(&admin.stats().await.expect("stats"));
    let grown = |name: &str| after[name] - before.get(name).copied().unwrap_or(0);
    assert_eq!(grown("cluster_manager.cluster_added"), 1);
    // One push of clusters and at most one of each route table, for the new service; what concerns it alone is its own.
    let for_the_new = |name: &str| {
        name.starts_with("cluster.again.acme.example.")
            || name.starts_with("cluster_manager.c")
            || name.contains(".rds.")
    };
    let changed: Vec<(&str, u64)> =
        after.keys().map(|name| (name.as_str(), grown(name))).filter(|(_, more)| *more > 0).collect();
    let unexpected: Vec<_> = changed.iter().filter(|(name, more)| !for_the_new(name) || *more > 1).collect();
    assert!(unexpected.is_empty(), "{unexpected:?} of {changed:?}");
}

#[tokio::test]
async fn rotated_keys_reach_envoy_without_a_restart() {
    let mut topology = Topology::plain().await;
    topology.start().await;
    let old = topology.tokens.valid();
    std::fs::remove_file(topology.tokens.jwks().with_file_name("key.pem")).expect("the old key");
    let new = catalyst_tests::tokens::Tokens::new(topology.tokens.jwks().parent().expect("a folder"));
    let with = |token: &str| topology.to_echo("/").token(token);
    let (with_old, with_new) = (with(&old), with(&new.valid()));
    topology.node.answers(200, &with_new).await;
    topology.node.answers(401, &with_old).await;
    // A file that is no key set changes nothing: the last good one stays.
    std::fs::write(topology.tokens.jwks(), json!({"keys": "none"}).to_string()).expect("written");
    let log = eventually("the daemon says that the file is wrong", async || {
        let log = topology.node.daemon().log();
        if log.matches("jwks.json").count() > 0 { Ok(log) } else { Err(log) }
    })
    .await;
    let answer = topology.node.send(&with_new).await.expect("an answer");
    assert_eq!(answer.status, 200, "{log}");
}
