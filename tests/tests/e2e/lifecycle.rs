//! What dies, comes back, or goes on without the other.

use std::time::Duration;

use catalyst_tests::{
    call::Call,
    eventually,
    process::{self, took},
    topology::Topology,
};
use rustix::process::Signal;

/// The promise is that requests succeed again within 2 s of a dead Envoy; the limit here is for a machine whose two
/// cores are busy with something else.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// The Envoy processes of this test.
fn envoys(topology: &Topology) -> Vec<i32> {
    let named = |line: &str| line.split(' ').next().is_some_and(|program| program.ends_with("/envoy"));
    topology.run.processes().into_iter().filter(|(_, line)| named(line)).map(|(pid, _)| pid).collect()
}

fn the_envoy(topology: &Topology) -> i32 {
    let [pid] = envoys(topology)[..] else { panic!("not one Envoy: {:?}", topology.run.processes()) };
    pid
}

#[tokio::test]
async fn a_killed_envoy_is_started_again_and_requests_succeed_soon() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let first = the_envoy(&topology);
    let token = topology.tokens.valid();
    let call = topology.to_echo("/").token(&token);
    process::send(first, Signal::KILL);
    // Until the kernel has taken its sockets down, the dead one might still seem to answer.
    eventually("the first Envoy is gone", async || {
        if envoys(&topology).contains(&first) { Err("it is there") } else { Ok(()) }
    })
    .await;
    let (_, time) = took(topology.node.answers(200, &call)).await;
    println!("requests succeeded {} ms after Envoy had died", time.as_millis());
    assert!(time < BACK_WITHIN, "{time:?}");
    assert_ne!(the_envoy(&topology), first);
    topology.joined(&token).await;
    let answer = topology.node.send(&topology.to_echo("/")).await.expect("an answer");
    assert_eq!(answer.status, 401, "the new Envoy checks too: {answer:?}");
}

#[tokio::test]
async fn sigterm_drains_and_leaves_no_process() {
    let mut topology = Topology::plain().await;
    topology.start().await;
    the_envoy(&topology);
    let slow = topology.to_echo("/slow").header("x-delay-ms", "700").token(&topology.tokens.valid());
    let ingress = topology.node.ingress();
    let received = topology.echo.received();
    let under_way = tokio::spawn(async move { slow.send(ingress).await });
    eventually("the slow request is under way", async || {
        if topology.echo.received() > received { Ok(()) } else { Err("not yet") }
    })
    .await;
    let status = topology.node.stop_daemon().await;
    assert!(status.success(), "{status}");
    let answer = under_way.await.expect("no panic").expect("a request under way is finished");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(topology.run.processes(), []);
}

#[tokio::test]
async fn a_daemon_that_is_started_again_takes_over_the_running_envoy() {
    let mut topology = Topology::federated().await;
    topology.start().await;
    let envoy = the_envoy(&topology);
    topology.node.kill_daemon();
    check_plain_services_go_on(&topology).await;
    topology.node.start(&topology.run);
    topology.ready().await;
    assert_eq!(the_envoy(&topology), envoy);
    let status = topology.node.stop_daemon().await;
    assert!(status.success(), "{status}");
    eventually("nothing is left", async || match topology.run.processes() {
        left if left.iter().all(|(_, line)| line.contains("--listen")) => Ok(()),
        left => Err(format!("{left:?}")),
    })
    .await;
}

#[tokio::test]
async fn an_envoy_that_somebody_else_runs_goes_on_without_the_daemon() {
    let mut topology = Topology::federated().await;
    topology.node.start_apart(&topology.run).await;
    topology.ready().await;
    topology.node.kill_daemon();
    check_plain_services_go_on(&topology).await;
    topology.node.start(&topology.run);
    topology.ready().await;
    // Ending the daemon ends nothing that it has not started.
    let status = topology.node.stop_daemon().await;
    assert!(status.success(), "{status}");
    check_plain_services_go_on(&topology).await;
    topology.node.envoy().running().unwrap_or_else(|error| panic!("{error}"));
}

/// With nobody to ask, Envoy goes on: what was allowed is, and what was refused is.
async fn check_plain_services_go_on(topology: &Topology) {
    let valid = topology.tokens.valid();
    let status = async |call: Call| topology.node.send(&call).await.expect("an answer").status;
    assert_eq!(status(topology.to_echo("/").token(&valid)).await, 200);
    assert_eq!(status(topology.to_echo("/")).await, 401);
    assert_eq!(status(topology.to_echo("/").token(&topology.tokens.forged())).await, 401);
}
