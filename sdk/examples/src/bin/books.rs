//! The `books` service: an Apollo Federation 2 subgraph.

use std::{net::SocketAddr, process::ExitCode};

use catalyst_examples::{books, server};
use clap::Parser;

/// The example service `books`, an Apollo Federation 2 subgraph.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 takes a free one. The address taken is printed.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4001")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    match server::serve("books", Args::parse().listen, server::router(books::schema())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("books: {error:#}");
            ExitCode::FAILURE
        }
    }
}
