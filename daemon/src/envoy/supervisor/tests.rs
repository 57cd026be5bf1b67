//! A shell script stands in for Envoy: what is tested here is who starts and ends it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

fn settings(dir: &Path, script: &str) -> Settings {
    let bin = dir.join("envoy");
    std::fs::write(&bin, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&bin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = Command {
        bin,
        bootstrap: "{}".into(),
        dir: dir.join("run"),
        log: Some(dir.join("log")),
        concurrency: None,
    };
    // Nobody listens there: draining is then given up at once.
    let admin = Admin::new("127.0.0.1:1".parse().unwrap()).unwrap();
    Settings { command, admin, drain_time: Duration::from_secs(1) }
}

struct Supervised {
    stop: watch::Sender<bool>,
    state: watch::Receiver<State>,
    task: tokio::task::JoinHandle<()>,
}

impl Supervised {
    fn start(settings: Settings) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (sender, state) = watch::channel(State::Down { reason: "not started".into() });
        Self { stop, state, task: tokio::spawn(supervise(settings, stopped, sender)) }
    }

    /// Waits for an Envoy other than `not`.
    async fn up(&mut self, not: i32) -> i32 {
        let other = |state: &State| matches!(state, State::Up { pid } if *pid != not);
        let state = tokio::time::timeout(LIMIT, self.state.wait_for(other)).await.unwrap().unwrap().clone();
        let State::Up { pid } = state else { unreachable!("waited for") };
        pid
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(LIMIT, self.task).await.expect("stopped in time").unwrap();
    }
}

fn runs(pid: i32) -> bool {
    // A child that has ended but was not reaped still has a directory, but no memory.
    std::fs::read_to_string(format!("/proc/{pid}/statm")).is_ok_and(|statm| !statm.starts_with("0 "))
}

fn kill(pid: i32) {
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
}

const SLEEPER: &str = "exec sleep 1000";

/// `exec` replaces the script's name; this one keeps it, as Envoy does.
const KEEPS_ITS_NAME: &str = "trap 'exit 0' TERM\nwhile :; do sleep 0.05; done";

#[tokio::test]
async fn an_envoy_that_dies_is_started_again_and_ended_when_the_node_stops() {
    let dir = tempfile::tempdir().unwrap();
    let mut supervised = Supervised::start(settings(dir.path(), SLEEPER));
    let first = supervised.up(0).await;
    kill(first);
    let second = supervised.up(first).await;
    supervised.stop().await;
    assert!(!runs(first) && !runs(second));
}

#[tokio::test]
async fn an_envoy_that_will_not_end_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut supervised =
        Supervised::start(settings(dir.path(), "trap '' TERM\nwhile :; do sleep 0.05; done"));
    let pid = supervised.up(0).await;
    supervised.stop().await;
    assert!(!runs(pid));
}

#[tokio::test]
async fn a_binary_that_cannot_run_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), SLEEPER);
    settings.command.bin = dir.path().join("missing");
    let mut supervised = Supervised::start(settings);
    let down = |state: &State| matches!(state, State::Down { reason } if reason.contains("missing"));
    tokio::time::timeout(LIMIT, supervised.state.wait_for(down)).await.expect("reported").unwrap();
    supervised.stop().await;
}

/// A script is run as `sh SCRIPT -c …`, so that the interpreter is the program; `find` is told so.
fn as_found(mut settings: Settings) -> Settings {
    settings.command.bin = "/bin/sh".into();
    settings
}

#[tokio::test]
async fn the_next_daemon_takes_over_an_envoy_with_the_same_bootstrap_and_replaces_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), KEEPS_ITS_NAME);
    let left = settings.command.start().unwrap();
    let found = as_found(settings.clone());
    assert!(matches!(found.command.find().unwrap(), Found::Same(process) if process.pid == left.pid));

    let mut changed = found.clone();
    changed.command.bootstrap = "{\"changed\": true}".into();
    assert!(matches!(changed.command.find().unwrap(), Found::Other(process) if process.pid == left.pid));
    assert!(take_over(&changed).await.is_none());
    assert!(!runs(left.pid), "ended before another takes its ports");
}

#[tokio::test]
async fn a_process_that_only_has_the_number_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), SLEEPER);
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    std::fs::create_dir_all(&settings.command.dir).unwrap();
    std::fs::write(settings.command.dir.join("envoy.pid"), stranger.id().to_string()).unwrap();
    assert!(matches!(settings.command.find().unwrap(), Found::None));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn the_first_restart_is_at_once_and_later_ones_wait_longer() {
    let mut backoff = Backoff::default();
    let waits: Vec<_> = (0..10).map(|_| backoff.after(Duration::ZERO).as_millis()).collect();
    assert_eq!(waits, [0, 250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    assert_eq!(backoff.after(STABLE), Duration::ZERO);
}
