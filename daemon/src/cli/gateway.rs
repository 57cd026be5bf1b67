//! `catalystd gateway`: the GraphQL gateway alone, in front of subgraphs that a file names.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use catalyst_gateway::standalone::{self, ServeError, SubgraphsError};
use catalyst_gateway::{Settings, Status, Subgraph, SubgraphState, SubgraphStatus};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Fault, Surroundings, read_bounded};

/// Largest file of subgraphs in bytes, which may hold their schemas; a larger one is refused.
const MAX_FILE: u64 = 64 << 20;

/// The gateway to run.
#[derive(Debug, Args)]
pub(super) struct GatewayArgs {
    /// The subgraphs, a JSON array: [{"name": "books", "url": "http://…"}, …]
    #[arg(long, value_name = "FILE")]
    subgraphs: PathBuf,
    /// Where to listen on 127.0.0.1; 0 takes a free port, which is then printed
    #[arg(long, value_name = "PORT", default_value_t = 4000)]
    port: u16,
    /// Whether a browser is given GraphiQL
    #[arg(long, value_name = "true|false", default_value_t = true, action = clap::ArgAction::Set)]
    graphiql: bool,
}

/// A gateway, ready to serve.
pub struct Alone {
    subgraphs: Vec<Subgraph>,
    settings: Settings,
    address: SocketAddr,
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.subgraphs.iter().map(|subgraph| subgraph.name.as_str()).collect();
        f.debug_struct("Alone")
            .field("address", &self.address)
            .field("subgraphs", &names)
            .finish_non_exhaustive()
    }
}

/// Why a file of subgraphs was refused.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// It cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: Fault,
    },
    /// It says something that cannot be served.
    #[error("{}: {source}", file.display())]
    Subgraphs {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: SubgraphsError,
    },
}

impl Alone {
    pub(super) fn new(args: GatewayArgs, around: &Surroundings) -> Result<Self, AloneError> {
        let GatewayArgs { subgraphs: file, port, graphiql } = args;
        let settings = Settings { graphiql, ..Settings::default() };
        let text = match read_bounded(&around.cwd.join(&file), MAX_FILE) {
            Ok(text) => text,
            Err(source) => return Err(AloneError::Read { file, source }),
        };
        match standalone::read_subgraphs(&text, &settings) {
            Ok(subgraphs) => {
                Ok(Self { subgraphs, settings, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
            }
            Err(source) => Err(AloneError::Subgraphs { file, source }),
        }
    }

    /// Serves until SIGTERM or SIGINT. Says on standard error where it serves, and which subgraphs.
    ///
    /// # Errors
    /// The port is taken, or serving fails.
    pub async fn serve(self) -> Result<(), ServeError> {
        let Self { subgraphs, settings, address } = self;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked_to_end = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        standalone::serve(
            subgraphs,
            settings,
            address,
            |address, status| eprint!("{}", told(address, status)),
            asked_to_end,
        )
        .await
    }
}

/// What an operator is told once the gateway serves.
fn told(address: SocketAddr, status: &Status) -> String {
    let line = |SubgraphStatus { name, state, .. }: &SubgraphStatus| match state {
        SubgraphState::Serving => format!("  {name}: federated\n"),
        SubgraphState::Stale { reason } => format!("  {name}: federated by its last schema: {reason}\n"),
        SubgraphState::Unreachable { reason } => {
            format!("  {name}: left out, as it does not answer: {reason}\n")
        }
        SubgraphState::Refused { reasons } => format!("  {name}: left out: {}\n", reasons.join("; ")),
    };
    let lines: String = status.subgraphs.iter().map(line).collect();
    format!("serving http://{address}/graphql\n{lines}")
}
