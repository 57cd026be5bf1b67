//! What checking a token and a policy costs inside Envoy: our module against Envoy's own filters.
//!
//! Every variant is an Envoy of its own with one worker; rounds go through all variants in turn, and the figure is the
//! median over the rounds of the CPU time that the scheduler charged to that Envoy, divided by the requests answered.
//! What counts is the time *added* over the variant without any filter.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use catalyst_bench::envoy::{Envoy, module_filter, typed};
use catalyst_bench::load::Load;
use catalyst_bench::report::{Goal, Report, Row, median};
use catalyst_examples::issuer::{Issuer, Token};
use http::StatusCode;
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://id.acme.example";
const AUDIENCE: &str = "catalyst";
const SERVICE: &str = "books.acme.example";

/// How much work one run does.
struct Size {
    rounds: usize,
    /// Requests of one variant in one round.
    requests: usize,
}

/// One Envoy under test, and the figures of its rounds in microseconds of CPU per request.
struct Variant {
    name: &'static str,
    envoy: Envoy,
    tokens: Tokens,
    figures: Vec<f64>,
}

/// Which tokens a variant's requests carry.
enum Tokens {
    /// The same valid one each time.
    Hot,
    /// One that this Envoy has not seen before, each time.
    Fresh,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let size = if quick { Size { rounds: 3, requests: 6_000 } } else { Size { rounds: 9, requests: 30_000 } };
    let binary = PathBuf::from(
        std::env::var_os("ENVOY_BIN").context("ENVOY_BIN names no Envoy; run `cargo xtask bench filter`")?,
    );
    let dir = tempfile::tempdir()?;
    let modules = collect_modules(dir.path())?;
    let issuer = Issuer::open(dir.path())?;
    let jwks: Value = serde_json::from_slice(&std::fs::read(issuer.jwks())?)?;

    let mut variants = start(&binary, &modules, dir.path(), &jwks)?;
    let hot = Arc::new(vec![token(&issuer, 0)?]);
    let mut serial = 0;
    for round in 0..size.rounds {
        for variant in &mut variants {
            let tokens = match variant.tokens {
                Tokens::Hot => Arc::clone(&hot),
                Tokens::Fresh => {
                    let from = serial;
                    serial += size.requests;
                    Arc::new(
                        (from..serial).map(|number| token(&issuer, number + 1)).collect::<Result<_, _>>()?,
                    )
                }
            };
            let figure = measure(variant, tokens, size.requests).await?;
            eprintln!(
                "round {} of {}: {:<28} {figure:.2} µs CPU per request",
                round + 1,
                size.rounds,
                variant.name
            );
            variant.figures.push(figure);
        }
    }
    report(&mut variants, &binary)
}

/// Envoy looks for modules in one directory, cargo builds them into two.
fn collect_modules(dir: &Path) -> anyhow::Result<PathBuf> {
    let built = std::env::current_exe()?.parent().context("a program has a directory")?.to_owned();
    let modules = dir.join("modules");
    std::fs::create_dir(&modules)?;
    for module in ["libcatalyst_filter.so", "examples/libnoop.so"] {
        let from = built.join(module);
        let to = modules.join(from.file_name().context("a module has a name")?);
        std::fs::copy(&from, to)
            .with_context(|| format!("{} is missing; run `cargo xtask bench filter`", from.display()))?;
    }
    Ok(modules)
}

async fn measure(variant: &Variant, tokens: Arc<Vec<String>>, requests: usize) -> anyhow::Result<f64> {
    let load = Load {
        target: variant.envoy.address,
        authority: SERVICE.to_owned(),
        path: "/graphql".to_owned(),
        tokens,
        requests,
        connections: 2,
        streams: 32,
    };
    let before = variant.envoy.process.cpu()?;
    let outcome = load.run(StatusCode::OK).await?;
    let spent = variant.envoy.process.cpu()? - before;
    ensure!(
        outcome.expected == requests,
        "{}: {} of {requests} requests were answered 200; the rest: {:?}",
        variant.name,
        outcome.expected,
        outcome.unexpected
    );
    Ok(spent.as_secs_f64() * 1e6 / requests as f64)
}

fn token(issuer: &Issuer, number: usize) -> anyhow::Result<String> {
    let token = Token {
        issuer: ISSUER.to_owned(),
        subject: format!("user-{number}"),
        audience: vec![AUDIENCE.to_owned()],
        expires_in: 3600,
        claims: Map::new(),
    };
    Ok(issuer.sign(&token, SystemTime::now())?)
}

fn start(binary: &Path, modules: &Path, dir: &Path, jwks: &Value) -> anyhow::Result<Vec<Variant>> {
    let ours = |policies| module_filter("catalyst_filter", "authz", &filter_config(jwks, policies));
    let noop = module_filter("noop", "noop", &json!({}));
    let all: [(&'static str, Vec<Value>, Tokens); 8] = [
        ("no filter", vec![], Tokens::Hot),
        ("no-op module", vec![noop], Tokens::Hot),
        ("catalyst, 100 policies", vec![ours(100)], Tokens::Hot),
        ("jwt_authn cached", vec![jwt_authn(jwks, true)], Tokens::Hot),
        ("jwt_authn cached, RBAC 100", vec![jwt_authn(jwks, true), rbac(100)], Tokens::Hot),
        ("jwt_authn uncached", vec![jwt_authn(jwks, false)], Tokens::Hot),
        ("jwt_authn, fresh tokens", vec![jwt_authn(jwks, false)], Tokens::Fresh),
        ("catalyst 1000, fresh tokens", vec![ours(1000)], Tokens::Fresh),
    ];
    all.into_iter()
        .enumerate()
        .map(|(index, (name, filters, tokens))| {
            let envoy = Envoy::start(binary, modules, dir, &format!("variant-{index}"), &filters, &[])?;
            Ok(Variant { name, envoy, tokens, figures: Vec::new() })
        })
        .collect()
}

/// Our filter's configuration, with as many policies as asked for, of which one applies.
fn filter_config(jwks: &Value, policies: usize) -> Value {
    let mut cedar = format!(
        "permit(principal, action, resource == Catalyst::Service::\"{SERVICE}\") when {{ principal.organisation == \"acme.example\" }};\n"
    );
    for number in 1..policies {
        cedar.push_str(&format!(
            "permit(principal == Catalyst::User::\"{ISSUER}|other-{number}\", action, resource == Catalyst::Service::\"other-{number}.acme.example\");\n"
        ));
    }
    json!({
        "audiences": [AUDIENCE],
        "issuers": [{"issuer": ISSUER, "organisation": "acme.example", "algorithms": ["ES256"], "jwks": {"inline": jwks}}],
        "policy": {"cedar": {"inline": cedar}},
        "default_route": {"service": SERVICE},
    })
}

fn jwt_authn(jwks: &Value, cached: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": jwks.to_string()},
        "forward": true,
        "payload_in_metadata": "jwt",
    });
    if cached {
        provider["jwt_cache_config"] = json!({"jwt_cache_size": 1000});
    }
    typed(
        "envoy.filters.http.jwt_authn",
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"acme": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "acme"}}],
        }),
    )
}

/// Envoy's RBAC with as many policies, of which the last matches.
fn rbac(policies: usize) -> Value {
    let claim = |name: &str, value: &str| {
        json!({"metadata": {
            "filter": "envoy.filters.http.jwt_authn",
            "path": [{"key": "jwt"}, {"key": name}],
            "value": {"string_match": {"exact": value}},
        }})
    };
    let host = |name: &str| json!({"header": {"name": ":authority", "string_match": {"exact": name}}});
    let mut rules = Map::new();
    for number in 1..policies {
        rules.insert(
            format!("p{number:04}"),
            json!({"permissions": [host(&format!("other-{number}.acme.example"))], "principals": [claim("sub", &format!("other-{number}"))]}),
        );
    }
    rules.insert(
        "z".to_owned(),
        json!({"permissions": [host(SERVICE)], "principals": [claim("iss", ISSUER)]}),
    );
    typed(
        "envoy.filters.http.rbac",
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": rules},
        }),
    )
}

fn report(variants: &mut [Variant], binary: &Path) -> anyhow::Result<()> {
    let mut figure = |name: &str| {
        let variant =
            variants.iter_mut().find(|variant| variant.name == name).expect("a variant of the table above");
        median(&mut variant.figures)
    };
    let base = figure("no filter");
    let noop = figure("no-op module");
    let ours = figure("catalyst, 100 policies");
    let cached = figure("jwt_authn cached");
    let rbac = figure("jwt_authn cached, RBAC 100");
    let uncached = figure("jwt_authn uncached");
    let fresh_peer = figure("jwt_authn, fresh tokens");
    let fresh = figure("catalyst 1000, fresh tokens");
    let unit = "µs CPU/request";
    let rows = vec![
        Row::new("total without any filter", unit, base, ("itself", base), Goal::None),
        Row::new("warm, total", unit, ours, ("no-op module", noop), Goal::ExcessAtMost(5.0)),
        Row::new(
            "warm, added",
            unit,
            ours - base,
            ("jwt_authn cached", cached - base),
            Goal::RatioAtMost(0.6),
        ),
        Row::new(
            "warm, added",
            unit,
            ours - base,
            ("jwt_authn cached + RBAC 100", rbac - base),
            Goal::RatioAtMost(0.25),
        ),
        Row::new("warm, added", unit, ours - base, ("jwt_authn uncached", uncached - base), Goal::None),
        Row::new(
            "new token each time, 1,000 policies, added",
            unit,
            fresh - base,
            ("jwt_authn uncached, no policy", fresh_peer - base),
            Goal::RatioAtMost(1.0),
        ),
    ];
    let report = Report {
        name: "filter",
        title: "CPU that authentication and authorisation add to a request in Envoy (one worker, HTTP/2, direct response)",
        command: "cargo xtask bench filter",
        versions: vec![Envoy::version(binary)?, format!("catalyst {}", env!("CARGO_PKG_VERSION"))],
        rows,
    };
    report.write(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/results")))
}
