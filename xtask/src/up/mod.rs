//! `cargo xtask up`: the quickstart, from a clean checkout to a federated query through Envoy.

mod ports;
mod quickstart;

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    envoy,
    http::{self, Answer},
    process::{self, Interrupt, Service, Services},
    workspace::{Profile, Workspace},
};
use quickstart::Quickstart;

/// How long the node may take from its start to the first good answer. A busy machine with two cores needs about ten.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks whether the node answers.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Joins `Book` of one service with `reviews` of the other.
const QUERY: &str = "{ books { title author reviews { rating body } } }";

/// What the user asked for.
pub(crate) struct Options {
    once: bool,
    free_ports: bool,
    profile: Profile,
}

impl Options {
    pub(crate) fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> anyhow::Result<Self> {
        let mut options = Self { once: false, free_ports: false, profile: Profile::Release };
        while let Some(word) = words.next() {
            match word {
                "--once" => options.once = true,
                "--free-ports" => options.free_ports = true,
                "--profile" => {
                    options.profile = match words.next() {
                        Some("dev") => Profile::Dev,
                        Some("release") => Profile::Release,
                        Some(other) => bail!("--profile is `dev` or `release`, and not `{other}`"),
                        None => bail!("--profile needs `dev` or `release`"),
                    }
                }
                other => bail!("`{other}` is not an option of `up`"),
            }
        }
        Ok(options)
    }
}

/// Where the quickstart keeps what it makes.
struct Dirs {
    logs: PathBuf,
    /// With a link named `envoy`, put first in the daemon's `PATH`.
    bin: PathBuf,
    issuer: PathBuf,
}

/// Builds and starts everything, shows a query that is answered and one that is refused, and stays.
///
/// # Errors
/// A port is taken, a tool is missing, the build fails, a part does not start or dies, or the node answers wrongly.
pub(crate) fn up(workspace: &Workspace, interrupt: &Interrupt, options: &Options) -> anyhow::Result<()> {
    let started = Instant::now();
    let say = |what: &str| eprintln!("[{:6.1} s] {what}", started.elapsed().as_secs_f64());
    let home = match options.free_ports {
        false => workspace.target.join("quickstart"),
        // Removed when all went well.
        true => workspace.target.join("quickstart").join(std::process::id().to_string()),
    };
    let quickstart = Quickstart::read(workspace, &home, options.free_ports)?;
    ports::check(&quickstart.addresses())?;
    let envoy = envoy::ensure(workspace, interrupt)?;
    say("building (the first time takes some minutes)");
    workspace.build(options.profile, interrupt)?;
    let dirs = Dirs::make(&home, &quickstart, &envoy)?;
    let token = token(workspace, options.profile, &quickstart, &dirs)?;

    say("starting books, reviews and catalystd with Envoy");
    let mut services = Services::new()?;
    start(workspace, options.profile, &quickstart, &dirs, &mut services)?;
    let allowed = wait_until_ready(&quickstart, &token, &mut services, interrupt)?;
    say("ready");
    let denied = http::graphql(&quickstart.graphql_url(), QUERY, None)?;
    if denied.status != 401 {
        bail!("a query without a token was answered with {}: {}", denied.status, denied.body);
    }
    let report = report(workspace, options.profile, &quickstart, &dirs, &allowed, &denied);
    std::io::stdout().write_all(report.as_bytes()).context("stdout")?;
    if !options.once {
        println!("\nctrl-c stops everything.");
        while !interrupt.requested() {
            services.check()?;
            thread::sleep(process::POLL);
        }
    }
    say("stopping");
    services.stop()?;
    if options.free_ports {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    say("stopped");
    Ok(())
}

impl Dirs {
    fn make(home: &Path, quickstart: &Quickstart, envoy: &Path) -> anyhow::Result<Self> {
        let issuer = quickstart.jwks.parent().context("auth.issuers[0].jwks is no file")?.to_owned();
        let dirs = Self { logs: home.join("logs"), bin: home.join("bin"), issuer };
        for dir in [&dirs.logs, &dirs.bin] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let link = dirs.bin.join("envoy");
        if fs::symlink_metadata(&link).is_ok() {
            fs::remove_file(&link).with_context(|| format!("cannot replace {}", link.display()))?;
        }
        symlink(envoy, &link).with_context(|| format!("cannot make {}", link.display()))?;
        Ok(dirs)
    }
}

fn issuer(workspace: &Workspace, profile: Profile, quickstart: &Quickstart, dirs: &Dirs) -> Command {
    let mut command = Command::new(workspace.bin(profile).join("dev-issuer"));
    command.arg("--dir").arg(&dirs.issuer);
    command.args(["--issuer", &quickstart.issuer, "--audience", &quickstart.audience, "--subject", "alice"]);
    command
}

fn token(
    workspace: &Workspace,
    profile: Profile,
    quickstart: &Quickstart,
    dirs: &Dirs,
) -> anyhow::Result<String> {
    let said = process::output("making a token", &mut issuer(workspace, profile, quickstart, dirs))?;
    Ok(said.trim().to_owned())
}

fn start(
    workspace: &Workspace,
    profile: Profile,
    quickstart: &Quickstart,
    dirs: &Dirs,
    services: &mut Services,
) -> anyhow::Result<()> {
    let bin = workspace.bin(profile);
    for (name, address) in [("books", quickstart.books), ("reviews", quickstart.reviews)] {
        let mut command = Command::new(bin.join(name));
        command.arg("--listen").arg(address.to_string());
        services.push(Service::start(name, &mut command, dirs.logs.join(name).with_extension("log"))?);
    }
    let mut command = Command::new(bin.join("catalystd"));
    command.arg("--config").arg(&quickstart.config).current_dir(&workspace.root);
    command.env("PATH", envoy::path_with(&dirs.bin)?);
    services.push(Service::start("catalystd", &mut command, dirs.logs.join("catalystd.log"))?);
    Ok(())
}

/// Asks the federated query until it is answered in full. Until then a listener or a route may not be there yet.
fn wait_until_ready(
    quickstart: &Quickstart,
    token: &str,
    services: &mut Services,
    interrupt: &Interrupt,
) -> anyhow::Result<Answer> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        interrupt.check()?;
        services.check()?;
        let answer = http::graphql(&quickstart.graphql_url(), QUERY, Some(token));
        let trouble = match answer.as_ref().map(|answer| (answer.status, complete(&answer.body))) {
            Ok((200, true)) => return answer,
            Ok((status, _)) => {
                format!(
                    "the last answer was {status}: {}",
                    answer.map(|answer| answer.body).unwrap_or_default()
                )
            }
            Err(error) => format!("the last try: {error:#}"),
        };
        if Instant::now() > deadline {
            bail!(
                "the node is not ready after {} s; {trouble}\n{}",
                READY_WITHIN.as_secs(),
                services.tails()
            );
        }
        thread::sleep(ASK_EVERY);
    }
}

/// Whether it is a GraphQL response with data that came from both services, and without errors.
fn complete(body: &str) -> bool {
    let Ok(body) = serde_json::from_str::<serde_json::Value>(body) else { return false };
    let title = body.pointer("/data/books/0/title");
    let rating = body.pointer("/data/books/0/reviews/0/rating");
    body.get("errors").is_none()
        && title.is_some_and(|t| t.is_string())
        && rating.is_some_and(|r| r.is_number())
}

fn report(
    workspace: &Workspace,
    profile: Profile,
    quickstart: &Quickstart,
    dirs: &Dirs,
    allowed: &Answer,
    denied: &Answer,
) -> String {
    let url = quickstart.graphql_url();
    let Quickstart { ingress, admin, books, reviews, issuer, audience, .. } = quickstart;
    let dev_issuer = workspace.show(&workspace.bin(profile).join("dev-issuer"));
    let (keys, logs) = (workspace.show(&dirs.issuer), workspace.show(&dirs.logs));
    let challenge = denied.www_authenticate.as_deref().unwrap_or("(none)");
    let body = format!(r#"{{"query": "{QUERY}"}}"#);
    format!(
        "
{QUERY}
with a token:    {} {}
without a token: {} WWW-Authenticate: {challenge}
                 {}

  GraphQL, and GraphiQL in a browser   {url}
  services by name                     http://{ingress} with Host: books.…, reviews.…
  Envoy's admin interface              http://{admin}
  books, reviews                       http://{books} http://{reviews}
  logs                                 {logs}

TOKEN=$({dev_issuer} --dir {keys} --issuer {issuer} --audience {audience})
curl {url} -H \"authorization: Bearer $TOKEN\" -H 'content-type: application/json' -d '{body}'
curl -i {url} -H 'content-type: application/json' -d '{body}'
",
        allowed.status,
        allowed.body.trim(),
        denied.status,
        denied.body.trim(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_with_data_of_both_services_and_no_errors() {
        let book = |reviews: &str| format!(r#"{{"title": "Kindred", "reviews": {reviews}}}"#);
        let whole = format!(r#"{{"data": {{"books": [{}]}}}}"#, book(r#"[{"rating": 4}]"#));
        assert!(complete(&whole));
        assert!(!complete(&format!(r#"{{"data": {{"books": [{}]}}}}"#, book("null"))));
        assert!(!complete(&whole.replacen('{', r#"{"errors": [{"message": "x"}], "#, 1)));
        assert!(!complete("upstream connect error"));
    }
}
