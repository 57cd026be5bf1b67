//! The command line: what was asked, and everything that can be answered without starting anything.

mod gateway;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use gateway::{Alone, AloneError};

use crate::config::{self, EnvoyProcess, Files, Flags, Listen, Loaded, Problems, Surroundings};

/// What the command line asks for.
#[derive(Debug, Parser)]
#[command(
    name = "catalystd",
    version,
    about = "The daemon of a Catalyst node: runs Envoy, tells it what is routed, and federates the GraphQL services.",
    max_term_width = 80,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = EXAMPLE
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    node: NodeArgs,
}

const EXAMPLE: &str = "\
Every flag is a field of the file, and the other way round; a flag overrides the
file. A path in the file is relative to the file. Example:

  catalystd --node-id edge-1 --org acme.example \\
    --service name=books,protocol=graphql,url=http://127.0.0.1:4001 \\
    --issuer https://id.acme.example --jwks keys.json

Exit codes: 0 done, 1 failed while running, 2 the configuration is wrong.";

#[derive(Debug, Args)]
struct NodeArgs {
    /// Configuration file, in JSON
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    config: Option<PathBuf>,
    /// Check the configuration, its files and addresses; start nothing
    #[arg(long, help_heading = "Configuration", conflicts_with = "print_config")]
    check: bool,
    /// Print the effective configuration and where each value came from
    #[arg(long, help_heading = "Configuration")]
    print_config: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Run the GraphQL gateway alone, without Envoy and without a node
    Gateway(gateway::GatewayArgs),
}

/// What is left to do once the command line is read.
#[derive(Debug)]
pub enum Todo {
    /// Everything is done.
    Nothing,
    /// Run the gateway alone.
    RunGateway(Box<Alone>),
    /// Run this node. Its files are right and its addresses were free.
    RunNode(Box<(Loaded, Files)>),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The file of subgraphs is wrong.
    #[error("error: {0}")]
    Gateway(#[from] AloneError),
    /// The answer could not be written.
    #[error("error: cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The exit code that tells it to a script: 2 for a wrong configuration, as for a wrong command line; else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Gateway(_) => 2,
            Self::Output(_) => 1,
        }
    }
}

/// What the surroundings are, given the working directory, the path of this program and the value of `PATH`: Envoy and
/// the filter are looked for beside this program, and Envoy then in `PATH`.
pub fn surroundings(cwd: PathBuf, program: PathBuf, search_path: Option<OsString>) -> Surroundings {
    let beside = program.parent().unwrap_or(&cwd).to_owned();
    let search_path = search_path.unwrap_or_default();
    let in_path = std::env::split_paths(&search_path).filter(|dir| !dir.as_os_str().is_empty());
    let mut candidates =
        std::iter::once(beside.clone()).chain(in_path).map(|dir| cwd.join(dir).join("envoy"));
    Surroundings {
        // Named all the same if it is nowhere: what is missing is told together with all else that is.
        envoy: candidates.find(|file| file.is_file()).unwrap_or_else(|| beside.join("envoy")),
        filter: beside.join("libcatalyst_filter.so"),
        cwd,
    }
}

/// Does what the command line asks for, short of running a node.
///
/// # Errors
/// The configuration is wrong, or `out` cannot be written.
pub fn run(cli: Cli, around: &Surroundings, out: &mut impl Write) -> Result<Todo, Failure> {
    match cli.command {
        Some(Command::Schema) => {
            writeln!(out, "{:#}", config::schema())?;
            Ok(Todo::Nothing)
        }
        Some(Command::Gateway(args)) => Ok(Todo::RunGateway(Box::new(Alone::new(args, around)?))),
        None => node(cli.node, around, out),
    }
}

fn node(args: NodeArgs, around: &Surroundings, out: &mut impl Write) -> Result<Todo, Failure> {
    let NodeArgs { config: file, check, print_config, flags } = args;
    let loaded = config::load(file.as_deref(), &flags, around)?;
    if print_config {
        writeln!(out, "{:#}", loaded.describe())?;
        return Ok(Todo::Nothing);
    }
    let files = match (loaded.read_files(), loaded.check_addresses()) {
        (Ok(files), Ok(())) => files,
        (Err(files), Err(addresses)) => return Err(files.and(addresses).into()),
        (Err(problems), Ok(())) | (Ok(_), Err(problems)) => return Err(problems.into()),
    };
    if check {
        tell_what_was_checked(&loaded, out)?;
        return Ok(Todo::Nothing);
    }
    Ok(Todo::RunNode(Box::new((loaded, files))))
}

fn tell_what_was_checked(loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    let config = &loaded.config;
    let auth = &config.auth;
    writeln!(out, "node       {} of {}", config.node.id, config.node.org)?;
    for service in &config.services {
        writeln!(out, "service    {} ({}) at {}", service.name, service.protocol, service.url)?;
    }
    for issuer in &auth.issuers {
        writeln!(out, "issuer     {}, keys in {}", issuer.issuer, issuer.jwks)?;
    }
    for policy in &auth.policies {
        writeln!(out, "policy     {}", policy.display())?;
    }
    match &config.envoy.process {
        EnvoyProcess::Managed { bin, .. } => {
            writeln!(out, "envoy      {}", bin.display())?;
            writeln!(out, "filter     {}", config.envoy.filter.display())?;
            let (ingress, egress) = (config.ingress.address, config.egress.address);
            writeln!(out, "addresses  {ingress}, {egress}, {}", config.envoy.admin_address)?;
        }
        EnvoyProcess::External => writeln!(out, "envoy      run by somebody else; not looked at")?,
    }
    match &config.xds.listen {
        Listen::Unix(path) => writeln!(out, "xds        {}", path.display())?,
        Listen::Tcp(address) => writeln!(out, "xds        {address}")?,
    }
    writeln!(out, "state      {}", config.state_dir.display())?;
    writeln!(out, "All of it is right; nothing was started.")
}

/// Starts the daemon's log on standard error, for the rest of the process. Colours are for a terminal alone.
pub fn start_log(log: &config::Log) {
    let filter = tracing_subscriber::EnvFilter::new(&log.level);
    let log_to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.format {
        config::LogFormat::Text => log_to.with_ansi(io::stderr().is_terminal()).init(),
        config::LogFormat::Json => log_to.json().init(),
    }
}

#[cfg(test)]
mod tests;
