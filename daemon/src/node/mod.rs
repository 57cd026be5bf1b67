//! A running node: the tasks that join the parts, and their start and end.
//!
//! ```text
//! files ──► keys ──┐
//!                  ├──► publisher ──(watch)──► xds server ──► Envoy ◄── supervisor
//! services ────────┘                                            ▲
//!     └───────► federation ──► gateway ◄── /graphql ────────────┘
//! ```
//!
//! - [`run`] makes the directories and sockets, then starts everything; if something is in the way, nothing has started.
//! - `keys` keeps what the filter's configuration is made of current: files that it watches, and the key sets that
//!   `followed` fetches.
//! - `federation` keeps the gateway's subgraphs as the services are.
//! - `sockets` binds Unix sockets that only this user can open.
//!
//! The end goes backwards: Envoy drains while everything it needs still runs, then the servers stop.

mod federation;
mod followed;
mod keys;
mod sockets;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalyst_gateway::Gateway;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tracing::{info, warn};

use crate::config::{Config, EnvoyProcess, Files, Listen, Loaded, filter_config};
use crate::durable;
use crate::envoy::admin::Admin;
use crate::envoy::process::Command;
use crate::envoy::{self, Bootstrap, State, bootstrap, supervise};
use crate::xds::{self, AdsService, Clients, NodeSettings, Published, Table};

/// Where Debian, Fedora and their like keep the certificates of public authorities; the first that exists is used when a
/// service is called over TLS.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A directory, socket or file of the node itself cannot be made.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What it is for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The xDS server's address cannot be listened at.
    #[error("xds.listen {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The HTTP library cannot start.
    #[error("the client of Envoy's admin interface cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// Signals cannot be listened for.
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    /// A server ended although nobody asked it to.
    #[error("the {what} server ended: {reason}")]
    Server {
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// Runs the node until it is asked to end by SIGTERM or SIGINT. `files` is what `loaded` names, as it was read.
///
/// # Errors
/// See [`RunError`]; whatever had been started is ended.
pub async fn run(loaded: Loaded, files: Files) -> Result<(), RunError> {
    let config = loaded.config.clone();
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;

    let prepared = Prepared::new(&config)?;
    let settings = prepared.node_settings(&config, &files);
    let gateway = Arc::new(Gateway::new(gateway_settings(&config)));
    let (publisher, snapshots) = Publisher::new(Table::new(&config.services), settings);
    let Prepared { xds, gateway_socket, admin, .. } = prepared;

    let mut servers = Servers::default();
    servers.xds(xds, AdsService::new(snapshots, Clients::default()), stopped.clone());
    if let Some(socket) = gateway_socket {
        servers.gateway(socket, Arc::clone(&gateway), stopped.clone());
        tokio::spawn(federation::keep(Arc::clone(&gateway), federation::subgraphs(&config), stopped.clone()));
    }
    let followed = followed::start(&config)?;
    tokio::spawn(keys::keep(loaded, followed, publisher, stopped.clone()));
    let envoy = start_envoy(&config, admin, stopped)?;
    info!(node = %config.node.id, org = %config.node.org, ingress = %config.ingress.address, "node started");

    let failure = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        failure = servers.failed() => Some(failure),
    };
    info!("ending");
    if let Some(Supervised { end, supervisor }) = envoy {
        end.send_replace(true);
        if let Err(error) = supervisor.await {
            warn!(%error, "the supervisor of Envoy did not end well");
        }
    }
    stop.send_replace(true);
    servers.ended().await;
    failure.map_or(Ok(()), Err)
}

/// What can fail before anything runs.
struct Prepared {
    xds: Listener,
    gateway_socket: Option<tokio::net::UnixListener>,
    module: PathBuf,
    admin: Admin,
}

enum Listener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

impl Prepared {
    fn new(config: &Config) -> Result<Self, RunError> {
        for (what, dir) in [("state_dir", &config.state_dir), ("run_dir", &config.run_dir)] {
            durable::private_dir(dir).map_err(|source| file_error(what, dir, source))?;
        }
        let module = match &config.envoy.process {
            EnvoyProcess::Managed { .. } => {
                envoy::module::install(&config.envoy.filter, &config.state_dir.join("modules"))
                    .map_err(|source| file_error("envoy.filter", &config.envoy.filter, source))?
            }
            // It is looked up where that Envoy runs, which may see other files than we do.
            EnvoyProcess::External => config.envoy.filter.clone(),
        };
        let xds = match &config.xds.listen {
            Listen::Unix(path) => {
                Listener::Unix(sockets::bind(path).map_err(|source| file_error("xds.listen", path, source))?)
            }
            Listen::Tcp(address) => {
                let listener = sockets::bind_tcp(*address)
                    .map_err(|source| RunError::Listen { address: *address, source })?;
                Listener::Tcp(listener)
            }
        };
        let socket = &config.gateway.socket;
        let gateway_socket = config
            .gateway
            .enabled
            .then(|| sockets::bind(socket).map_err(|source| file_error("gateway.socket", socket, source)))
            .transpose()?;
        Ok(Self { xds, gateway_socket, module, admin: Admin::new(config.envoy.admin_address)? })
    }

    fn node_settings(&self, config: &Config, files: &Files) -> NodeSettings {
        let gateway = config.gateway.enabled.then(|| xds::build::Gateway {
            socket: config.gateway.socket.clone(),
            graphiql: config.gateway.graphiql,
        });
        NodeSettings {
            org: config.node.org.clone(),
            ingress: config.ingress.address,
            egress: config.egress.address,
            node_socket: config.egress.node_socket.clone(),
            gateway,
            filter: xds::build::Filter { module: self.module.clone(), config: filter_json(config, files) },
            trusted_ca: SYSTEM_AUTHORITIES.into_iter().map(PathBuf::from).find(|file| file.is_file()),
        }
    }
}

fn file_error(what: &'static str, path: &Path, source: io::Error) -> RunError {
    RunError::File { what, path: path.to_owned(), source }
}

/// The filter's configuration as it is sent to Envoy. Equal inputs give equal text.
fn filter_json(config: &Config, files: &Files) -> String {
    serde_json::to_string(&filter_config(&config.auth, files))
        .expect("the filter's configuration is plain JSON")
}

fn gateway_settings(config: &Config) -> catalyst_gateway::Settings {
    catalyst_gateway::Settings {
        limits: config.gateway.limits.clone(),
        graphiql: config.gateway.graphiql,
        ..catalyst_gateway::Settings::default()
    }
}

/// The one place where snapshots are made.
struct Publisher {
    table: Table,
    settings: NodeSettings,
    snapshots: watch::Sender<Published>,
}

impl Publisher {
    fn new(table: Table, settings: NodeSettings) -> (Self, watch::Receiver<Published>) {
        let first = Published { generation: 1, snapshot: Arc::new(xds::build(&table, &settings)) };
        let (snapshots, receiver) = watch::channel(first);
        (Self { table, settings, snapshots }, receiver)
    }

    /// Sends another configuration of the filter, unless it is the one that was sent last.
    fn set_filter(&mut self, config: String) -> bool {
        if self.settings.filter.config == config {
            return false;
        }
        self.settings.filter.config = config;
        let snapshot = Arc::new(xds::build(&self.table, &self.settings));
        self.snapshots.send_modify(|published| {
            *published = Published { generation: published.generation + 1, snapshot };
        });
        true
    }
}

/// The supervisor of our own Envoy, and how it is told to end.
struct Supervised {
    end: watch::Sender<bool>,
    supervisor: JoinHandle<()>,
}

/// Starts Envoy, or tells whoever does what to start it with.
fn start_envoy(
    config: &Config,
    admin: Admin,
    stopped: watch::Receiver<bool>,
) -> Result<Option<Supervised>, RunError> {
    let bootstrap = bootstrap(&Bootstrap {
        node: config.node.id.as_str(),
        cluster: config.node.org.as_str(),
        admin: config.envoy.admin_address,
        xds: &config.xds.listen,
    });
    let text = format!("{bootstrap:#}");
    let EnvoyProcess::Managed { bin, log, concurrency } = &config.envoy.process else {
        let path = config.run_dir.join("bootstrap.json");
        durable::replace(&path, text.as_bytes())
            .map_err(|source| file_error("the bootstrap", &path, source))?;
        println!("{text}");
        info!(bootstrap = %path.display(), "Envoy is run by somebody else, with the bootstrap printed");
        return Ok(None);
    };
    let command = Command {
        bin: bin.clone(),
        bootstrap: text,
        dir: config.run_dir.clone(),
        log: log.clone(),
        concurrency: concurrency.map(std::num::NonZeroU32::get),
    };
    let settings = envoy::Settings { command, admin: admin.clone(), drain_time: config.envoy.drain_time };
    let (end, ended) = watch::channel(false);
    let (state, states) = watch::channel(State::Down { reason: "not started yet".into() });
    tokio::spawn(tell_state(states, admin, stopped));
    Ok(Some(Supervised { end, supervisor: tokio::spawn(supervise(settings, ended, state)) }))
}

/// Says when Envoy runs, and when it serves.
async fn tell_state(mut states: watch::Receiver<State>, admin: Admin, mut stopped: watch::Receiver<bool>) {
    /// How often a starting Envoy is asked whether it serves.
    const POLL: std::time::Duration = std::time::Duration::from_millis(50);
    loop {
        let state = states.borrow_and_update().clone();
        if let State::Up { pid } = state {
            info!(pid, "Envoy runs");
            while !admin.is_ready().await && !states.has_changed().unwrap_or(true) {
                tokio::time::sleep(POLL).await;
            }
            if !states.has_changed().unwrap_or(true) {
                info!(pid, "Envoy serves");
            }
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return },
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// The servers that Envoy talks to.
#[derive(Default)]
struct Servers(Vec<(&'static str, JoinHandle<Result<(), String>>)>);

impl Servers {
    fn xds(&mut self, listener: Listener, service: AdsService, stopped: watch::Receiver<bool>) {
        let router = service.into_router();
        self.0.push((
            "xDS",
            tokio::spawn(async move {
                let end = ended(stopped);
                let served = match listener {
                    Listener::Unix(listener) => {
                        router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), end).await
                    }
                    Listener::Tcp(listener) => {
                        router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), end).await
                    }
                };
                served.map_err(|error| error.to_string())
            }),
        ));
    }

    fn gateway(
        &mut self,
        socket: tokio::net::UnixListener,
        gateway: Arc<Gateway>,
        stopped: watch::Receiver<bool>,
    ) {
        let router = catalyst_gateway::router(gateway);
        self.0.push((
            "gateway",
            tokio::spawn(async move {
                let serve = axum::serve(socket, router).with_graceful_shutdown(ended(stopped));
                serve.await.map_err(|error| error.to_string())
            }),
        ));
    }

    /// Waits until one of them ends, which none should.
    async fn failed(&mut self) -> RunError {
        loop {
            for (what, server) in &mut self.0 {
                if server.is_finished() {
                    let reason = match server.await {
                        Ok(Ok(())) => "nobody asked it to".to_owned(),
                        Ok(Err(reason)) => reason,
                        Err(error) => error.to_string(),
                    };
                    return RunError::Server { what, reason };
                }
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    /// Waits a moment for them to end by themselves: a client that holds a stream open must not hold up the end.
    async fn ended(self) {
        const LIMIT: std::time::Duration = std::time::Duration::from_secs(1);
        for (_, mut server) in self.0 {
            if !server.is_finished() && tokio::time::timeout(LIMIT, &mut server).await.is_err() {
                server.abort();
            }
        }
    }
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    drop(stopped.wait_for(|stopped| *stopped).await);
}
