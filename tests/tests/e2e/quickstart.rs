//! `cargo xtask up`, as a first user runs it, but for the profile and the ports.

use std::{env, path::Path, process::Command};

use catalyst_tests::{
    eventually,
    process::{self, Process, Run},
    programs,
};
use rustix::process::Signal;

const OPTIONS: [&str; 4] = ["up", "--profile", "dev", "--free-ports"];
/// What it says when all is up.
const UP: &str = "ctrl-c stops everything.";

fn start(run: &Run) -> Process {
    run.start(
        "xtask",
        Command::new(programs::program("xtask")).args(OPTIONS).env("ENVOY_BIN", programs::envoy()),
    )
}

async fn is_up(xtask: &mut Process) {
    eventually("it is up", async || {
        xtask.running().unwrap_or_else(|error| panic!("{error}"));
        let log = xtask.log();
        if log.contains(UP) { Ok(()) } else { Err(log) }
    })
    .await;
}

/// The process of this test whose program has this name.
fn pid_of(run: &Run, program: &str) -> i32 {
    let named = |line: &str| {
        line.split(' ').next().and_then(|path| Path::new(path).file_name()?.to_str()) == Some(program)
    };
    let processes = run.processes();
    let found = processes.iter().find(|(_, line)| named(line));
    found.unwrap_or_else(|| panic!("there is no {program}: {processes:?}")).0
}

#[test]
fn one_command_shows_a_query_that_is_answered_and_one_that_is_refused() {
    let run = Run::new();
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo runs the tests"));
    cargo.arg("xtask").args(OPTIONS).arg("--once").current_dir(programs::checkout());
    let output = run.output(cargo.env("ENVOY_BIN", programs::envoy()));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let kindred = r#"{"title":"Kindred","author":"Octavia E. Butler","reviews":[{"rating":4,"body":"Could not put it down."}]}"#;
    for part in ["200 {\"data\":", kindred, "401 WWW-Authenticate: Bearer", "curl http://127.0.0.1:"] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert_eq!(run.processes(), []);
}

#[tokio::test]
async fn ctrl_c_stops_everything() {
    let run = Run::new();
    let mut xtask = start(&run);
    is_up(&mut xtask).await;
    for program in ["books", "reviews", "catalystd", "envoy"] {
        pid_of(&run, program);
    }
    process::send(xtask.pid(), Signal::INT);
    let status = xtask.wait().await;
    assert!(status.success(), "{status}: {}", xtask.log());
    assert_eq!(run.processes(), []);
}

#[tokio::test]
async fn a_part_that_dies_is_named_and_the_others_are_stopped() {
    let run = Run::new();
    let mut xtask = start(&run);
    is_up(&mut xtask).await;
    process::send(pid_of(&run, "reviews"), Signal::KILL);
    let status = xtask.wait().await;
    assert!(!status.success(), "{status}");
    let log = xtask.log();
    assert!(log.contains("reviews ended with signal: 9"), "{log}");
    assert_eq!(run.processes(), []);
}
