//! Developer and first-user commands, run as `cargo xtask COMMAND`.
//!
//! - [`up`]: builds, starts the two example services and a node, queries it, and stays until ctrl-c.
//! - [`bench`]: builds and runs a benchmark.
//! - [`check`]: `test`: formatting, lints, one build, every test; what CI runs.
//! - [`envoy`]: gets the pinned Envoy into the target folder.
//! - [`schema`]: writes the JSON Schema of the configuration.
//! - [`walls`]: which crate may depend on what; a test over `cargo tree`.
//! - [`process`], [`http`], [`workspace`]: children and signals, requests, where things are.
//!
//! Deliberately absent: an async runtime and anything that takes long to build, since this is the first thing that a
//! new user compiles.

mod bench;
mod check;
mod envoy;
mod http;
mod process;
mod schema;
mod up;
#[cfg(test)]
mod walls;
mod workspace;

use std::process::ExitCode;

use anyhow::bail;

use crate::{process::Interrupt, workspace::Workspace};

const USAGE: &str = "\
cargo xtask COMMAND

  up [--once] [--free-ports] [--profile release|dev]
            build, get Envoy, start two example services and a node, and query it;
            stays until ctrl-c. --once: stop after the queries.
            --free-ports: listen on free ports instead of those of envoy/quickstart.json.
  test      formatting, lints, build, all tests; installs what they need
  bench NAME|all [--quick]
            build and run a benchmark; results go to bench/results
  schema    write envoy/config.schema.json from the daemon's types
  envoy     get Envoy into the target folder and print where it is

environment
  ENVOY_BIN  an Envoy of your own, instead of the one that is downloaded
";

enum Command {
    Help,
    Up(up::Options),
    Bench(bench::Options),
    Test,
    Schema,
    Envoy,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = match parse(&arguments) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let interrupt = Interrupt::install()?;
    let workspace = Workspace::find()?;
    match command {
        Command::Help => print!("{USAGE}"),
        Command::Up(options) => up::up(&workspace, &interrupt, &options)?,
        Command::Bench(options) => bench::bench(&workspace, &interrupt, &options)?,
        Command::Test => check::test(&workspace, &interrupt)?,
        Command::Schema => schema::schema(&workspace, &interrupt)?,
        Command::Envoy => println!("{}", envoy::ensure(&workspace, &interrupt)?.display()),
    }
    Ok(())
}

fn parse(arguments: &[String]) -> anyhow::Result<Command> {
    let mut words = arguments.iter().map(String::as_str);
    let command = match words.next() {
        None | Some("help" | "--help" | "-h") => Command::Help,
        Some("test") => Command::Test,
        Some("schema") => Command::Schema,
        Some("envoy") => Command::Envoy,
        Some("bench") => return bench::Options::parse(words).map(Command::Bench),
        Some("up") => return up::Options::parse(words).map(Command::Up),
        Some(other) => bail!("there is no command `{other}`"),
    };
    match words.next() {
        Some(word) => bail!("`{word}` is not an option of this command"),
        None => Ok(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<(), &str>) {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match (parse(&arguments), expected) {
            (Ok(_), Ok(())) => {}
            (Err(found), Err(word)) => assert!(found.to_string().contains(word), "{line}: {found}"),
            (Ok(_), Err(_)) => panic!("`{line}` is accepted"),
            (Err(found), Ok(())) => panic!("`{line}`: {found}"),
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        check("", Ok(()));
        check("test", Ok(()));
        check("up --once --profile dev --free-ports", Ok(()));
        check("tset", Err("`tset`"));
        check("test --fast", Err("`--fast`"));
        check("up --twice", Err("`--twice`"));
        check("up --profile fast", Err("`fast`"));
        check("up --profile", Err("--profile"));
        check("bench filter --quick", Ok(()));
        check("bench", Err("`all`"));
        check("bench one two", Err("`two`"));
    }
}
