//! One node: `catalystd` and its Envoy.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    call::{Answer, Call},
    envoy::Admin,
    eventually,
    ports::Reserved,
    process::{Process, Run},
    programs,
    tokens::{AUDIENCE, ISSUER, Tokens},
};

/// The organisation of the tests' nodes.
pub const ORG: &str = "acme.example";

/// A node, started or not. Its ports are its own as long as this lives.
pub struct Node {
    /// The configuration that the next start uses; a test may change it before.
    pub config: Value,
    dir: PathBuf,
    ingress: Reserved,
    _egress: Reserved,
    admin: Reserved,
    daemon: Option<Process>,
    /// One that the daemon has not started itself.
    envoy: Option<Process>,
}

impl Node {
    /// A node that trusts the issuer and offers no service yet.
    ///
    /// # Panics
    /// Its folder cannot be made.
    #[must_use]
    pub fn new(run: &Run, id: &str, tokens: &Tokens) -> Self {
        let dir = run.dir().join(id);
        fs::create_dir(&dir).expect("a folder for the node");
        let (ingress, egress, admin) = (Reserved::new(), Reserved::new(), Reserved::new());
        let config = json!({
            "node": {"id": id, "org": ORG},
            "ingress": {"address": ingress.address().to_string()},
            "egress": {"address": egress.address().to_string()},
            "services": [],
            "auth": {"issuers": [{"issuer": ISSUER, "jwks": tokens.jwks(), "audiences": [AUDIENCE]}]},
            "envoy": {
                "bin": programs::envoy(),
                "filter": programs::filter(),
                "admin_address": admin.address().to_string(),
                "concurrency": 1,
                "drain_time": "1s",
            },
            "state_dir": dir.join("state"),
        });
        Self { config, dir, ingress, _egress: egress, admin, daemon: None, envoy: None }
    }

    /// Adds a service at an address of loopback.
    ///
    /// # Panics
    /// The configuration has been changed so that `services` is no list.
    pub fn offer(&mut self, name: &str, protocol: &str, address: SocketAddr) {
        let service = json!({"name": name, "protocol": protocol, "url": format!("http://{address}")});
        self.config["services"].as_array_mut().expect("a list of services").push(service);
    }

    /// Where the configuration file of the last start is.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("config.json")
    }

    /// The node's own folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the configuration, and returns the daemon's command line with it.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn command(&self) -> Command {
        let text = serde_json::to_string_pretty(&self.config).expect("a configuration is JSON");
        fs::write(self.config_file(), text).expect("the configuration file");
        let mut command = self.bare_command();
        command.arg("--config").arg(self.config_file());
        command
    }

    /// The daemon without any argument.
    #[must_use]
    pub fn bare_command(&self) -> Command {
        let mut command = Command::new(programs::program("catalystd"));
        command.current_dir(&self.dir);
        command
    }

    /// Starts the daemon from its configuration file; does not wait.
    pub fn start(&mut self, run: &Run) {
        let mut command = self.command();
        self.start_as(run, &mut command);
    }

    /// Starts the daemon with `envoy.manage: false`, and an Envoy with the bootstrap that it prints; does not wait until
    /// they serve.
    ///
    /// # Panics
    /// One of them does not start.
    pub async fn start_apart(&mut self, run: &Run) {
        self.config["envoy"] = json!({
            "manage": false,
            "filter": programs::filter(),
            "admin_address": self.admin.address().to_string(),
        });
        self.start(run);
        let printed = self.dir.join("state/run/bootstrap.json");
        let daemon = self.daemon();
        let bootstrap = eventually("the bootstrap is printed", async || {
            daemon.running().unwrap_or_else(|error| panic!("{error}"));
            fs::read_to_string(&printed).ok().filter(|text| daemon.log().contains(text)).ok_or("not yet")
        })
        .await;
        let config = self.dir.join("bootstrap.json");
        fs::write(&config, bootstrap).expect("the bootstrap");
        let mut command = Command::new(programs::envoy());
        command.args(["--use-dynamic-base-id", "--concurrency", "1", "--config-path"]).arg(config);
        self.envoy = Some(run.start("envoy", &mut command));
    }

    /// The Envoy of [`Node::start_apart`].
    ///
    /// # Panics
    /// There is none.
    pub fn envoy(&mut self) -> &mut Process {
        self.envoy.as_mut().expect("an Envoy of its own")
    }

    /// Starts the daemon by this command line; does not wait.
    ///
    /// # Panics
    /// It runs already.
    pub fn start_as(&mut self, run: &Run, command: &mut Command) {
        assert!(self.daemon.is_none(), "the daemon runs already");
        self.daemon = Some(run.start("catalystd", command));
    }

    /// The daemon.
    ///
    /// # Panics
    /// It is not started.
    pub fn daemon(&mut self) -> &mut Process {
        self.daemon.as_mut().expect("a started daemon")
    }

    /// `kill -9` of the daemon. Whatever it had started is left as it is.
    pub fn kill_daemon(&mut self) {
        self.daemon().kill();
        self.daemon = None;
    }

    /// SIGTERM to the daemon; waits until it has ended.
    pub async fn stop_daemon(&mut self) -> std::process::ExitStatus {
        self.daemon().terminate();
        let status = self.daemon().wait().await;
        self.daemon = None;
        status
    }

    /// Where clients enter.
    #[must_use]
    pub fn ingress(&self) -> SocketAddr {
        self.ingress.address()
    }

    /// Envoy's admin interface.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin(self.admin.address())
    }

    /// Sends a request to ingress.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send(&self, call: &Call) -> anyhow::Result<Answer> {
        call.send(self.ingress()).await
    }

    /// Sends a request until it is answered with this status; fails early if the daemon has ended.
    pub async fn answers(&mut self, status: u16, call: &Call) -> Answer {
        let ingress = self.ingress();
        eventually(&format!("{status} for {call:?}"), async || {
            if let Some(daemon) = &mut self.daemon {
                daemon.running().unwrap_or_else(|error| panic!("{error}"));
            }
            let answer = call.send(ingress).await.map_err(|error| format!("{error:#}"))?;
            answer.expect_status(status)
        })
        .await
    }
}
