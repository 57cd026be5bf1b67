//! Lives through many seeds of the simulated network: `cargo run --release --example simulate -- COUNT [FIRST]`.
//!
//! Prints the first seed that breaks an invariant and fails; that seed alone is run again by `-- 1 SEED`.

#[allow(dead_code, reason = "the tests beside it use more of it")]
#[path = "../tests/network/names.rs"]
mod names;
#[allow(dead_code, reason = "the tests beside it use more of it")]
#[path = "../tests/network/sim.rs"]
mod sim;
#[allow(dead_code, reason = "the tests beside it use more of it")]
#[path = "../tests/network/world.rs"]
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Result<Vec<u64>, _> = std::env::args().skip(1).map(|a| a.parse()).collect();
    let (count, first) = match arguments.as_deref() {
        Ok([]) => (10_000, 0),
        Ok([count]) => (*count, 0),
        Ok([count, first]) => (*count, *first),
        Ok(_) | Err(_) => {
            eprintln!("usage: simulate [COUNT [FIRST]], both numbers");
            return ExitCode::FAILURE;
        }
    };
    for seed in first..first + count {
        if std::panic::catch_unwind(|| sim::live(seed)).is_err() {
            eprintln!("seed {seed} broke an invariant");
            return ExitCode::FAILURE;
        }
        if (seed - first) % 1000 == 999 {
            println!("{} seeds lived through", seed - first + 1);
        }
    }
    println!("all {count} seeds lived through");
    ExitCode::SUCCESS
}
