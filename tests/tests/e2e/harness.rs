//! What the other tests rely on.

use std::{fs, net::SocketAddr, process::Command};

use catalyst_tests::{
    call::Call,
    envoy::Admin,
    eventually,
    ports::Reserved,
    process::{self, Run},
    programs,
    tokens::Tokens,
};
use rustix::net;
use serde_json::json;

#[tokio::test]
async fn a_reserved_port_is_free_for_envoy_and_given_to_nobody_else() {
    let run = Run::new();
    let (admin, listener) = (Reserved::new(), Reserved::new());
    let address = |port: &Reserved| json!({"socket_address": {"address": "127.0.0.1", "port_value": port.address().port()}});
    let config = run.dir().join("envoy.json");
    let bootstrap = json!({
        "admin": {"address": address(&admin)},
        "static_resources": {"listeners": [{"address": address(&listener), "filter_chains": [{}]}]},
    });
    fs::write(&config, bootstrap.to_string()).expect("written");
    let mut command = Command::new(programs::envoy());
    command.args(["--use-dynamic-base-id", "--concurrency", "2", "--config-path"]).arg(&config);
    let mut envoy = run.start("envoy", &mut command);
    eventually("Envoy is ready", async || {
        envoy.running().unwrap_or_else(|error| panic!("{error}"));
        Admin(admin.address()).get("/ready").await.map_err(|error| format!("{error:#}"))
    })
    .await;
    let dump = Admin(admin.address()).config_dump().await.expect("a dump");
    assert!(dump.contains_key("BootstrapConfigDump"), "{dump:?}");
    // The kernel gives a socket that asks for any port none that it could not bind by name.
    let unused = Reserved::new();
    let SocketAddr::V4(taken) = unused.address() else { panic!("loopback is IPv4") };
    let stranger = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).expect("a socket");
    assert_eq!(net::bind(&stranger, &taken), Err(rustix::io::Errno::ADDRINUSE));
    drop(unused);
    net::bind(&stranger, &taken).expect("free again");
}

#[tokio::test]
async fn a_subgraph_says_where_it_listens_and_answers_there() {
    let run = Run::new();
    let mut books =
        run.start("books", Command::new(programs::program("books")).args(["--listen", "127.0.0.1:0"]));
    let address = process::listening(&mut books).await;
    let answer = Call::graphql("books", "{ books { title author } }").send(address).await.expect("an answer");
    assert_eq!(answer.json()["data"]["books"][2], json!({"title": "Kindred", "author": "Octavia E. Butler"}));
}

#[test]
fn what_a_test_leaves_behind_is_found_and_ended() {
    let run = Run::new();
    let mut shell =
        run.start("shell", Command::new("sh").args(["-c", "setsid sleep 1000 & exec sleep 1001"]));
    let found =
        || run.processes().into_iter().filter(|(_, line)| line.starts_with("sleep 10")).collect::<Vec<_>>();
    let both = wait(|| Some(found()).filter(|found| found.len() == 2));
    shell.kill();
    let left = found();
    assert_eq!(left.len(), 1, "{both:?}");
    drop(run);
    wait(|| (!fs::exists(format!("/proc/{}/exe", left[0].0)).unwrap_or(false)).then_some(()));
}

#[test]
fn tokens_differ_in_what_their_names_say() {
    let run = Run::new();
    let tokens = Tokens::new(&run.dir().join("issuer"));
    let parts = |token: String| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (valid, forged) = (parts(tokens.valid()), parts(tokens.forged()));
    assert_eq!(valid[0], forged[0], "the header names the same key");
    assert_ne!(valid[2], forged[2]);
}

fn wait<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(eventually("a process", async || probe().ok_or("not yet")))
}
