//! `dev-issuer`: makes a key once, and prints tokens signed with it.

use std::{io::Write, path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::Context;
use catalyst_examples::issuer::{Issuer, Token};
use clap::Parser;
use serde_json::{Map, Value};

/// Makes an ES256 key and its JWKS in a directory, once, and prints a token signed with it.
///
/// For development and tests: whoever can read the directory can be anybody.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Directory of key.pem and jwks.json; made when missing.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Make the key and jwks.json, and print no token.
    #[arg(long)]
    keys_only: bool,
    /// Claim `iss`.
    #[arg(long, value_name = "URL", default_value = "https://issuer.acme.example")]
    issuer: String,
    /// Claim `sub`.
    #[arg(long, value_name = "NAME", default_value = "alice")]
    subject: String,
    /// Claim `aud`; may be given several times, and is left out when not given.
    #[arg(long, value_name = "NAME")]
    audience: Vec<String>,
    /// Seconds until the token expires; negative for one that has expired.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, allow_negative_numbers = true)]
    expires_in: i64,
    /// A further claim; the value is JSON, or else text. May be given several times.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, Value)>,
    /// Sign with a key that jwks.json does not list, to see the token refused.
    #[arg(long)]
    other_key: bool,
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dev-issuer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let Args { dir, keys_only, issuer, subject, audience, expires_in, claims, other_key } = args;
    let keys = Issuer::open(&dir)?;
    if keys_only {
        return Ok(());
    }
    let token = Token { issuer, subject, audience, expires_in, claims: Map::from_iter(claims) };
    let now = SystemTime::now();
    let signed = if other_key { keys.forge(&token, now) } else { keys.sign(&token, now) }?;
    writeln!(std::io::stdout(), "{signed}").context("stdout")
}
