use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::CommandFactory;
use serde_json::{Value, json};

use super::*;

fn run_in(dir: &Path, words: &[&str]) -> Result<(Todo, String), Failure> {
    let around = surroundings(dir.to_owned(), dir.join("catalystd"), None);
    let cli = Cli::try_parse_from(std::iter::once(&"catalystd").chain(words)).unwrap();
    let mut out = vec![];
    run(cli, &around, &mut out).map(|todo| (todo, String::from_utf8(out).unwrap()))
}

const LEAST: [&str; 4] = ["--node-id", "edge-1", "--org", "acme.example"];

fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A directory with an Envoy and a filter beside the daemon.
fn installed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["envoy", "libcatalyst_filter.so"] {
        fs::write(dir.path().join(file), "").unwrap();
        fs::set_permissions(dir.path().join(file), fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

#[test]
fn the_command_line_is_well_formed_and_its_help_fits_80_columns() {
    Cli::command().debug_assert();
    let help = Cli::command().render_long_help().to_string();
    let long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    for heading in ["Configuration:", "Who this node is:", "The GraphQL gateway:"] {
        assert!(help.contains(heading), "{heading} is not in\n{help}");
    }
}

#[test]
fn the_committed_schema_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy/config.schema.json");
    let (_, schema) = run_in(Path::new("/"), &["schema"]).unwrap();
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == schema, "{} is not what the types say; run `cargo xtask schema`", file.display());
}

#[test]
fn the_quickstart_is_right_and_says_what_it_is_for() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy");
    let installed = installed();
    let around = surroundings(dir, installed.path().join("catalystd"), None);
    let loaded = config::load(Some(Path::new("quickstart.json")), &Flags::default(), &around).unwrap();
    let services: Vec<String> =
        loaded.config.services.iter().map(|service| service.url.to_string()).collect();
    assert_eq!(services, ["http://127.0.0.1:4001/graphql", "http://127.0.0.1:4002/graphql"]);
    assert_eq!(loaded.config.ingress.address.port(), 10000);
    assert!(loaded.config.auth.issuers[0].jwks.file().unwrap().ends_with("target/quickstart/jwks.json"));
}

#[test]
fn a_check_says_what_was_checked_and_starts_nothing() {
    let dir = installed();
    let (ingress, egress, admin) = (free(), free(), free());
    let addresses =
        ["--ingress-address", &ingress, "--egress-address", &egress, "--envoy-admin-address", &admin];
    let service = ["--service", "name=books,protocol=graphql,url=http://127.0.0.1:4001", "--check"];
    let (todo, out) = run_in(dir.path(), &[&LEAST[..], &addresses, &service].concat()).unwrap();
    assert!(matches!(todo, Todo::Nothing));
    for part in ["edge-1 of acme.example", "books.acme.example (graphql)", "libcatalyst_filter.so", &ingress]
    {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    assert!(!dir.path().join("edge-1.catalyst").exists());
    let (todo, out) = run_in(dir.path(), &[&LEAST[..], &addresses].concat()).unwrap();
    assert!(matches!(todo, Todo::RunNode(_)));
    assert_eq!(out, "");
}

#[test]
fn what_is_wrong_with_files_and_addresses_is_told_together() {
    let dir = installed();
    fs::remove_file(dir.path().join("libcatalyst_filter.so")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (ingress, egress, admin) = (taken.local_addr().unwrap().to_string(), free(), free());
    let addresses =
        ["--ingress-address", &ingress, "--egress-address", &egress, "--envoy-admin-address", &admin];
    let failure = run_in(dir.path(), &[&LEAST[..], &addresses].concat()).unwrap_err();
    assert_eq!(failure.exit_code(), 2);
    match &failure {
        Failure::Config(problems) => {
            let paths: Vec<String> = problems.iter().map(|problem| problem.path.to_string()).collect();
            assert_eq!(paths, ["envoy.filter", "ingress.address"]);
        }
        Failure::Gateway(_) | Failure::Output(_) => panic!("{failure}"),
    }
}

#[test]
fn the_printed_configuration_says_values_and_sources_though_files_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let file = json!({"node": {"id": "a", "org": "acme.example"}, "envoy": {"manage": false}});
    fs::write(dir.path().join("node.json"), file.to_string()).unwrap();
    let words = ["--config", "node.json", "--node-id", "edge-1", "--print-config"];
    let (_, out) = run_in(dir.path(), &words).unwrap();
    let printed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(printed["config"]["node"]["id"], "edge-1");
    assert_eq!(printed["sources"]["node.id"], "--node-id");
    assert_eq!(printed["sources"]["node.org"], "node.json");
    assert_eq!(printed["sources"]["ingress.address"], "default");
}

#[test]
fn a_gateway_alone_is_refused_for_a_file_that_it_cannot_serve() {
    let dir = tempfile::tempdir().unwrap();
    let books = json!({"name": "books", "url": "http://127.0.0.1:1/graphql"});
    let write = |name: &str, value: Value| fs::write(dir.path().join(name), value.to_string()).unwrap();
    write("right.json", json!([books]));
    write("twice.json", json!([books, books]));
    let gateway = |file: &str| run_in(dir.path(), &["gateway", "--subgraphs", file, "--port", "0"]);
    assert!(matches!(gateway("right.json"), Ok((Todo::RunGateway(_), _))));
    for (file, word) in [("twice.json", "`books`"), ("none.json", "No such file")] {
        let failure = gateway(file).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        let text = failure.to_string();
        assert!(text.contains(file) && text.contains(word), "{text}");
    }
}

#[test]
fn envoy_is_looked_for_beside_the_daemon_and_then_in_path() {
    let (beside, first, second) = (tempfile::tempdir().unwrap(), installed(), installed());
    let path = std::env::join_paths([Path::new(""), beside.path(), first.path(), second.path()]).unwrap();
    let program = beside.path().join("catalystd");
    let find = || surroundings(PathBuf::from("/"), program.clone(), Some(path.clone())).envoy;
    assert_eq!(find(), first.path().join("envoy"));
    fs::write(beside.path().join("envoy"), "").unwrap();
    assert_eq!(find(), beside.path().join("envoy"));
    assert_eq!(
        surroundings(PathBuf::from("/"), PathBuf::from("/none/catalystd"), None).envoy,
        Path::new("/none/envoy")
    );
}
