//! `envoy/standalone.yaml`: the filter in a plain Envoy, as its comments say, only on other ports.

use std::{fs, net::SocketAddr, os::unix::fs::symlink, process::Command};

use catalyst_examples::issuer::Token;
use catalyst_tests::{
    call::Call,
    envoy::Admin,
    eventually,
    ports::Reserved,
    process::{self, Process, Run},
    programs,
    tokens::{SUBJECT, Tokens},
};
use serde_json::{Map, json};

const SERVICE: &str = "books.acme.example";

/// The fields are dropped in this order.
struct Standalone {
    envoy: Process,
    _books: Process,
    tokens: Tokens,
    ingress: Reserved,
    admin: Reserved,
    run: Run,
}

async fn start() -> Standalone {
    let run = Run::new();
    let mut books =
        run.start("books", Command::new(programs::program("books")).args(["--listen", "127.0.0.1:0"]));
    let service = process::listening(&mut books).await;
    let tokens = Tokens::new(&run.dir().join("target/standalone"));
    symlink(programs::checkout().join("envoy"), run.dir().join("envoy")).expect("a link to the policies");
    // Where `catalyst_filter` is looked up. In `target/debug` there may be a newer one by the time Envoy looks.
    let modules = run.dir().join("modules");
    fs::create_dir(&modules).expect("a folder");
    fs::copy(programs::filter(), modules.join("libcatalyst_filter.so")).expect("the filter");

    let (ingress, admin) = (Reserved::new(), Reserved::new());
    let page = fs::read_to_string(programs::checkout().join("envoy/standalone.yaml")).expect("the page");
    let page = on_port(&page, 8080, ingress.address());
    let page = on_port(&page, 9901, admin.address());
    let page = on_port(&page, 4001, service);
    let config = run.dir().join("envoy.yaml");
    fs::write(&config, page).expect("written");

    let mut command = Command::new(programs::envoy());
    command.current_dir(run.dir()).env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", &modules);
    command.args(["--use-dynamic-base-id", "--concurrency", "1", "--config-path"]).arg(&config);
    let mut envoy = run.start("envoy", &mut command);
    eventually("Envoy is ready", async || {
        envoy.running().unwrap_or_else(|error| panic!("{error}"));
        Admin(admin.address()).get("/ready").await.map_err(|error| format!("{error:#}"))
    })
    .await;
    Standalone { envoy, _books: books, tokens, ingress, admin, run }
}

fn on_port(page: &str, port: u16, address: SocketAddr) -> String {
    let (from, to) = (format!("port_value: {port}}}"), format!("port_value: {}}}", address.port()));
    assert_eq!(page.matches(&from).count(), 1, "{from}");
    page.replace(&from, &to)
}

impl Standalone {
    fn token(&self, groups: &[&str]) -> String {
        let claims = Map::from_iter([("groups".to_owned(), json!(groups))]);
        self.tokens.sign(&Token { audience: vec![SERVICE.to_owned()], claims, ..Tokens::good() })
    }

    async fn check(&self, call: Call, status: u16) -> String {
        let answer = call.send(self.ingress.address()).await.expect("an answer");
        assert_eq!(answer.status, status, "{call:?}: {answer:?}");
        answer.body
    }
}

#[tokio::test]
async fn tokens_and_policies_are_checked_without_a_daemon() {
    let standalone = start().await;
    let query = || Call::graphql(SERVICE, "{ whoami { subject } }");
    let reader = standalone.token(&["readers"]);
    standalone.check(query(), 401).await;
    standalone.check(query().token(&standalone.tokens.forged()), 401).await;
    standalone.check(query().token(&standalone.token(&["writers"])), 403).await;
    standalone.check(Call::post(SERVICE, "/elsewhere", "").token(&reader), 403).await;
    standalone.check(Call::get(SERVICE, "/health"), 200).await;
    let body = standalone.check(query().token(&reader).header("x-catalyst-subject", "root"), 200).await;
    assert_eq!(body, json!({"data": {"whoami": {"subject": SUBJECT}}}).to_string());

    let stats = Admin(standalone.admin.address()).stats().await.expect("stats");
    let ours: Vec<_> = stats.iter().filter(|(name, _)| name.contains("catalyst.")).collect();
    let allowed = ours.iter().find(|(name, _)| name.ends_with("catalyst.allowed"));
    assert_eq!(allowed.map(|(_, value)| **value), Some(2), "{ours:?}");
    // Envoy writes its access log from time to time.
    eventually("the decisions are in the access log", async || {
        let log = standalone.envoy.log();
        let logged = |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
        let allowed = logged(&["POST /graphql 200", r#""subject":"alice""#, r#""policies":"query-by-post""#]);
        let denied = logged(&["POST /elsewhere 403", r#""reason":"not_permitted""#, r#""deny_id":"#]);
        if allowed && denied { Ok(()) } else { Err(log) }
    })
    .await;
}

#[tokio::test]
async fn a_policy_file_that_changes_takes_effect_while_envoy_runs() {
    let standalone = start().await;
    let writer = standalone.token(&["writers"]);
    let query = Call::graphql(SERVICE, "{ whoami { subject } }").token(&writer);
    standalone.check(query.clone(), 403).await;
    // The link to the checkout's policies gives way to a folder of this test.
    let policies = standalone.run.dir().join("envoy");
    fs::remove_file(&policies).expect("the link");
    fs::create_dir(&policies).expect("a folder");
    fs::write(policies.join("standalone.cedar"), "permit (principal, action, resource);").expect("written");
    eventually("the new policy is in force", async || {
        query
            .send(standalone.ingress.address())
            .await
            .map_err(|error| format!("{error:#}"))?
            .expect_status(200)
    })
    .await;
}
