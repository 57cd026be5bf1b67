//! The daemon of a Catalyst node.

use std::io;
use std::process::ExitCode;

use catalystd::cli::{self, Cli, Todo};
use clap::Parser;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.downcast_ref().map_or(1, cli::Failure::exit_code);
            eprintln!("{error:#}");
            ExitCode::from(code)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let around =
        cli::surroundings(std::env::current_dir()?, std::env::current_exe()?, std::env::var_os("PATH"));
    match cli::run(cli, &around, &mut io::stdout().lock())? {
        Todo::Nothing => Ok(()),
        Todo::RunNode(_) => anyhow::bail!("running a node is not part of this build"),
    }
}
