//! The daemon of a Catalyst node.

use std::io;
use std::process::ExitCode;

use catalystd::cli::{self, Cli, Todo};
use catalystd::node;
use clap::Parser;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the answer has had enough of it.
        Err(error) if error.root_cause().downcast_ref().is_some_and(is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.downcast_ref().map_or(1, cli::Failure::exit_code))
        }
    }
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let around =
        cli::surroundings(std::env::current_dir()?, std::env::current_exe()?, std::env::var_os("PATH"));
    match cli::run(cli, &around, &mut io::stdout().lock())? {
        Todo::Nothing => Ok(()),
        Todo::RunGateway(gateway) => {
            runtime()?.block_on(gateway.serve()).map_err(|error| anyhow::anyhow!("error: {error}"))
        }
        Todo::RunNode(node) => {
            let (loaded, files) = *node;
            cli::start_log(&loaded.config.log);
            runtime()?.block_on(node::run(loaded, files)).map_err(|error| anyhow::anyhow!("error: {error}"))
        }
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
