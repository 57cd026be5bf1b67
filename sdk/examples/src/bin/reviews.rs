//! The `reviews` service: an Apollo Federation 2 subgraph.

use std::{net::SocketAddr, process::ExitCode};

use catalyst_examples::{reviews, server};
use clap::Parser;

/// The example service `reviews`, an Apollo Federation 2 subgraph.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 takes a free one. The address taken is printed.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4002")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    match server::serve("reviews", Args::parse().listen, server::router(reviews::schema())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reviews: {error:#}");
            ExitCode::FAILURE
        }
    }
}
