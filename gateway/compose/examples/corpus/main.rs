//! Composes a corpus of cases and compares with what other composers made of them.
//!
//! `corpus FILE.jsonl.gz [--list] [--show N]`: FILE holds one JSON object a line: `test` (its name),
//! `services` (`name`, `url`, `sdl`), `ok`, `codes` (of the refusal), `apollo` and `guild` (supergraphs).
//! Supergraphs are compared by structure, refusals by their set of error codes. `--list` names every case
//! that differs; `--show N` shows the differences of the first N.

mod structure;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::process::ExitCode;

use anyhow::Context;
use catalyst_compose::{Subgraph, compose};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    test: Option<String>,
    services: Vec<Service>,
    ok: bool,
    codes: Vec<String>,
    #[serde(default)]
    apollo: Option<String>,
    #[serde(default)]
    guild: Option<String>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    url: Option<String>,
    sdl: String,
}

struct Difference {
    test: String,
    bucket: String,
    detail: Vec<String>,
}

#[derive(Default)]
struct Tally {
    total: usize,
    equal: usize,
}

fn main() -> anyhow::Result<ExitCode> {
    let mut path = None;
    let (mut list, mut show) = (false, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => list = true,
            "--show" => show = arguments.next().context("--show needs a number")?.parse()?,
            _ => path = Some(argument),
        }
    }
    let path = path.context("usage: corpus FILE.jsonl.gz [--list] [--show N]")?;
    let file = std::fs::File::open(&path).with_context(|| path.clone())?;
    let input: Box<dyn Read> =
        if path.ends_with(".gz") { Box::new(flate2::read::GzDecoder::new(file)) } else { Box::new(file) };

    let (mut positives, mut refusals) = (Tally::default(), Tally::default());
    let mut references_disagree = 0;
    let mut differences = Vec::new();
    for line in BufReader::new(input).lines() {
        let case: Case = serde_json::from_str(&line?)?;
        if let (true, Some(apollo), Some(guild)) = (case.ok, &case.apollo, &case.guild)
            && !structure::differences(apollo, guild)?.is_empty()
        {
            references_disagree += 1;
        }
        let tally = if case.ok { &mut positives } else { &mut refusals };
        tally.total += 1;
        match judge(case)? {
            None => tally.equal += 1,
            Some(difference) => differences.push(difference),
        }
    }

    let mut buckets: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for difference in &differences {
        buckets.entry(&difference.bucket).or_default().push(difference);
    }
    let mut buckets: Vec<_> = buckets.into_iter().collect();
    buckets.sort_by_key(|(_, all)| std::cmp::Reverse(all.len()));
    for (bucket, all) in &buckets {
        println!("{:5}  {bucket}", all.len());
        if list {
            all.iter().for_each(|d| println!("         {}", d.test));
        }
    }
    for difference in buckets.iter().flat_map(|(_, all)| all).take(show) {
        println!("--- {} [{}]", difference.test, difference.bucket);
        difference.detail.iter().for_each(|line| println!("    {line}"));
    }
    println!("supergraphs equal in structure: {} of {}", positives.equal, positives.total);
    println!("refusals with equal codes:      {} of {}", refusals.equal, refusals.total);
    println!("positives on which the references differ in structure: {references_disagree}");
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `None` where we agree with the reference.
fn judge(case: Case) -> anyhow::Result<Option<Difference>> {
    let subgraphs: Vec<Subgraph> = case
        .services
        .into_iter()
        .map(|s| Subgraph { name: s.name, url: s.url.unwrap_or_default(), sdl: s.sdl })
        .collect();
    let expected: BTreeSet<&str> = case.codes.iter().map(String::as_str).collect();
    let (bucket, detail) = match (compose(&subgraphs), case.ok) {
        (Ok(ours), true) => {
            let mut detail = Vec::new();
            for reference in [&case.apollo, &case.guild].into_iter().flatten() {
                let found = structure::differences(reference, &ours.sdl)?;
                if found.is_empty() {
                    return Ok(None);
                }
                if detail.is_empty() {
                    detail = found;
                }
            }
            ("supergraph differs".to_owned(), detail)
        }
        (Ok(_), false) => (format!("composed, expected {expected:?}"), Vec::new()),
        (Err(errors), true) => {
            let codes: BTreeSet<&str> = errors.iter().map(|e| e.code.as_str()).collect();
            (format!("refused with {codes:?}"), errors.iter().map(|e| e.to_string()).collect())
        }
        (Err(errors), false) => {
            let codes: BTreeSet<&str> = errors.iter().map(|e| e.code.as_str()).collect();
            if codes == expected {
                return Ok(None);
            }
            let bucket = format!("refused with {codes:?}, expected {expected:?}");
            (bucket, errors.iter().map(|e| e.to_string()).collect())
        }
    };
    Ok(Some(Difference { test: case.test.unwrap_or_else(|| "(unnamed)".into()), bucket, detail }))
}
