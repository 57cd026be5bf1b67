//! One configuration, whichever way it comes; and what is said when it is wrong.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use catalyst_tests::{node::Node, process::Run, programs, tokens::Tokens, topology::Topology};
use serde_json::{Value, json};

/// A node that is never started, with a service in each protocol.
struct Configured {
    node: Node,
    run: Run,
}

fn configured() -> Configured {
    let run = Run::new();
    let tokens = Tokens::new(&run.dir().join("issuer"));
    let mut node = Node::new(&run, "edge-1", &tokens);
    node.offer("books", "graphql", "127.0.0.1:4001".parse().expect("an address"));
    node.offer("files", "http", "127.0.0.1:4003".parse().expect("an address"));
    Configured { node, run }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The command ends with exit code 2, and says each of these words on standard error.
fn check_refused(output: &Output, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

/// Everything of [`Node`]'s configuration, as flags.
fn as_flags(config: &Value) -> Vec<String> {
    let mut flags = Vec::new();
    let mut flag = |name: &str, value: &Value| {
        flags.push(format!("--{name}"));
        flags.push(value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string()));
    };
    flag("node-id", &config["node"]["id"]);
    flag("org", &config["node"]["org"]);
    flag("ingress-address", &config["ingress"]["address"]);
    flag("egress-address", &config["egress"]["address"]);
    for service in config["services"].as_array().expect("services") {
        let part = |key: &str| format!("{key}={}", service[key].as_str().expect("a text"));
        flag("service", &json!(["name", "protocol", "url"].map(part).join(",")));
    }
    let issuer = &config["auth"]["issuers"][0];
    flag("issuer", &issuer["issuer"]);
    flag("jwks", &issuer["jwks"]);
    flag("audience", &issuer["audiences"][0]);
    flag("envoy-bin", &config["envoy"]["bin"]);
    flag("envoy-filter", &config["envoy"]["filter"]);
    flag("envoy-admin-address", &config["envoy"]["admin_address"]);
    flag("envoy-concurrency", &config["envoy"]["concurrency"]);
    flag("envoy-drain-time", &config["envoy"]["drain_time"]);
    flag("state-dir", &config["state_dir"]);
    flags
}

/// The effective configuration that the command prints.
fn effective(run: &Run, command: &mut Command) -> Value {
    let output = run.output(command.arg("--print-config"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    printed["config"].clone()
}

#[test]
fn a_file_and_flags_make_the_same_node() {
    let Configured { node, run } = configured();
    let from_file = effective(&run, &mut node.command());
    let from_flags = effective(&run, node.bare_command().args(as_flags(&node.config)));
    assert_eq!(from_file["services"][1]["name"], "files.acme.example", "{from_file}");
    assert_eq!(from_file, from_flags);
}

#[tokio::test]
async fn a_node_of_flags_alone_serves() {
    let mut topology = Topology::plain().await;
    let flags = as_flags(&topology.node.config);
    let mut command = topology.node.bare_command();
    topology.node.start_as(&topology.run, command.args(flags));
    topology.ready().await;
    assert!(!topology.node.config_file().exists());
}

#[test]
fn a_right_configuration_is_checked_without_starting_anything() {
    let Configured { node, run } = configured();
    let output = run.output(node.command().arg("--check"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("nothing was started"), "{}", text(&output.stdout));
    assert!(!node.dir().join("state").exists());
    assert_eq!(run.processes(), []);
}

/// One change to a right configuration is refused with these words, among them the file.
fn check_wrong(change: impl FnOnce(&mut Value), words: &[&str]) {
    let Configured { mut node, run } = configured();
    change(&mut node.config);
    let output = run.output(&mut node.command());
    check_refused(&output, &[node.config_file().to_str().expect("text"), "nothing was started"]);
    check_refused(&output, words);
    assert!(!node.dir().join("state").exists(), "something was started");
}

#[test]
fn what_is_wrong_is_named_with_place_value_and_remedy() {
    check_wrong(|config| config["ingres"] = json!({}), &["`ingres`", "did you mean `ingress`"]);
    check_wrong(
        |config| config["services"][0]["url"] = json!("htp://a"),
        &["services[0].url", "`htp://a`", "http://"],
    );
    check_wrong(|config| config["services"][1]["name"] = json!("books"), &["services[1].name", "books"]);
    check_wrong(
        |config| config["auth"]["issuers"][0]["jwks"] = json!("nowhere.json"),
        &["auth.issuers[0].jwks", "nowhere.json"],
    );
    check_wrong(
        |config| {
            config["node"]["org"] = json!("Acme");
            config["envoy"]["drain_time"] = json!("soon");
        },
        &["node.org", "`Acme`", "envoy.drain_time", "`soon`", "2 errors"],
    );
}

#[test]
fn a_file_that_is_no_json_is_named_with_the_line() {
    let Configured { node, run } = configured();
    let mut command = node.command();
    fs::write(node.config_file(), "{\n  \"node\": }\n").expect("written");
    check_refused(&run.output(&mut command), &["config.json", "2"]);
}

#[test]
fn a_taken_port_is_named_and_nothing_is_half_started() {
    let Configured { node, run } = configured();
    let taken = TcpListener::bind(node.ingress()).expect("the port was reserved for this");
    for option in [None, Some("--check")] {
        let output = run.output(node.command().args(option));
        check_refused(
            &output,
            &["ingress.address", &taken.local_addr().expect("bound").to_string(), "nothing was started"],
        );
    }
    assert_eq!(run.processes(), []);
}

#[test]
fn the_quickstart_is_a_right_configuration() {
    let run = Run::new();
    let file = programs::checkout().join("envoy/quickstart.json");
    let mut command = Command::new(programs::program("catalystd"));
    command.arg("--config").arg(&file).arg("--envoy-bin").arg(programs::envoy());
    let quickstart = effective(&run, &mut command);
    assert_eq!(quickstart["services"][0]["name"], "books.acme.example");
    assert!(Path::new(quickstart["state_dir"].as_str().expect("a path")).is_absolute());
}
