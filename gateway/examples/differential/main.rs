//! The gateway against a single server that knows the whole schema, over random queries on a corpus of
//! subgraphs: `cargo run -p catalyst-gateway --example differential -- CORPUS.jsonl.gz [QUERIES] [NAME]`.
//!
//! The corpus has one JSON object per line with `test` and `services` (`name` and `sdl` each). Printed are
//! the cases where the two differ, with the query, and a summary. Exit code 1 if there are any.

#[path = "../../tests/federation/world/mod.rs"]
mod world;

use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;
use world::{World, generate};

#[derive(Deserialize)]
struct Case {
    test: Option<String>,
    services: Vec<Service>,
    ok: bool,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    sdl: String,
}

#[derive(Default, Debug)]
struct Tally {
    cases: usize,
    not_served: usize,
    queries: usize,
    refused: usize,
    different: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("usage: differential CORPUS.jsonl.gz [QUERIES] [NAME]")?;
    let queries: u64 = arguments.next().map_or(Ok(10), |count| count.parse())?;
    let wanted = arguments.next();
    let file = std::fs::File::open(&path).with_context(|| path.clone())?;
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    let mut tally = Tally::default();
    for line in lines {
        let case: Case = serde_json::from_str(&line?)?;
        if !case.ok || (wanted.is_some() && wanted != case.test) {
            continue;
        }
        tally.cases += 1;
        run(&case, queries, wanted.is_some(), &mut tally).await?;
    }
    println!("{tally:?}");
    Ok(if tally.different > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn run(case: &Case, queries: u64, is_verbose: bool, tally: &mut Tally) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let subgraphs: Vec<_> = case.services.iter().map(|it| (it.name.clone(), it.sdl.clone())).collect();
    let world = match World::of(&subgraphs).await {
        Ok(world) => world,
        Err(reason) => {
            tally.not_served += 1;
            writeln!(out, "NOT SERVED {:?}: {reason}", case.test)?;
            return Ok(());
        }
    };
    for seed in 0..queries {
        let mut random = fastrand::Rng::with_seed(seed);
        let Some(query) = generate(&world.whole.schema, &world.whole.facts, &mut random) else { continue };
        let expected = world.whole.answer(&query, &json!({}));
        if expected.get("errors").is_some() {
            continue;
        }
        tally.queries += 1;
        let answer = world.ask(&query).await;
        let code = &answer["errors"][0]["extensions"]["code"];
        if matches!(code.as_str(), Some("GRAPHQL_VALIDATION_FAILED")) {
            tally.refused += 1;
            if is_verbose {
                writeln!(out, "REFUSED {query}\n  {}", answer["errors"])?;
            }
            continue;
        }
        if answer.get("errors").is_some() || answer["data"] != expected["data"] {
            tally.different += 1;
            writeln!(
                out,
                "DIFFERENT {:?} seed {seed}\n  query {query}\n  found {answer}\n  right {expected}",
                case.test
            )?;
            if is_verbose {
                for service in &case.services {
                    writeln!(out, "--- {}\n{}", service.name, service.sdl)?;
                }
            }
            break;
        }
    }
    Ok(())
}
