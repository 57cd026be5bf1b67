//! Which crate may depend on what, as tests over `cargo tree` and over the sources.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{process, workspace::Workspace};

/// The crates that decide and do nothing else: time and input are arguments, effects are values.
const PURE: [(&str, &str); 2] = [("catalyst-authz", "filter/authz"), ("catalyst-routing", "daemon/routing")];

/// Crates that a pure one must not reach, directly or not: runtimes, sockets, servers.
const IMPURE: [&str; 12] = [
    "async-io",
    "async-std",
    "axum",
    "hyper",
    "hyper-util",
    "mio",
    "reqwest",
    "smol",
    "socket2",
    "tokio",
    "tonic",
    "ureq",
];

/// What the source of a pure crate must not name. Reading clocks above all (a time as an argument is fine); and files,
/// sockets, threads, the environment.
const EFFECTS: [&str; 11] = [
    "Instant::now",
    "SystemTime::now",
    ".elapsed()",
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os",
    "std::process",
    "std::thread",
    "thread::sleep",
];

/// The crates of `tree` (lines of `cargo tree --prefix none`) that are listed in `banned`.
fn reached<'a>(tree: &'a str, banned: &[&str]) -> Vec<&'a str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<&str> = names.filter(|name| banned.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// `cargo tree` of this machine's target, without network: what is built is on disk.
fn tree(workspace: &Workspace, arguments: &[&str]) -> String {
    let mut cargo =
        workspace.cargo(&["tree", "--offline", "--locked", "--prefix", "none", "--charset", "ascii"]);
    process::output("cargo tree", cargo.args(arguments)).expect("a dependency tree")
}

/// Lines of Rust that name one of `words` outside of a comment, as `line number: word`.
fn named(source: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let code = line.split("//").next().expect("at least one part");
        found.extend(
            words.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", index + 1)),
        );
    }
    found
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_banned_crate_is_seen_wherever_it_stands_in_the_tree() {
    let tree =
        "catalyst-authz v0.1.0 (/x)\nmoka v0.12.1\ntokio-stream v0.1.0\ntokio v1.50.0\ntokio v1.50.0 (*)\n";
    assert_eq!(reached(tree, &IMPURE), ["tokio"]);
    assert_eq!(reached("catalyst-authz v0.1.0 (/x)\nmoka v0.12.1\n", &IMPURE), [""; 0]);
}

#[test]
fn a_clock_is_seen_in_code_and_not_in_a_comment() {
    let source = "// Instant::now() is the caller's\nlet a = 1;\nlet now = std::time::Instant::now();\n";
    assert_eq!(named(source, &EFFECTS), ["3: Instant::now"]);
}

#[test]
fn pure_crates_reach_no_runtime_and_no_socket() {
    let workspace = Workspace::find().expect("the checkout");
    for (package, _) in PURE {
        let tree = tree(&workspace, &["--package", package, "--edges", "normal"]);
        assert!(tree.starts_with(package), "{tree}");
        assert_eq!(reached(&tree, &IMPURE), [""; 0], "{package} must not depend on these");
    }
}

#[test]
fn pure_crates_name_no_clock_and_no_other_effect() {
    let workspace = Workspace::find().expect("the checkout");
    let mut found = BTreeMap::new();
    for (_, dir) in PURE {
        let mut files = Vec::new();
        rust_files(&workspace.root.join(dir).join("src"), &mut files);
        assert!(!files.is_empty(), "no sources in {dir}");
        for file in files {
            let lines = named(&fs::read_to_string(&file).expect("a source"), &EFFECTS);
            if !lines.is_empty() {
                found.insert(workspace.show(&file), lines);
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_links_the_filter() {
    let workspace = Workspace::find().expect("the checkout");
    let tree =
        tree(&workspace, &["--workspace", "--invert", "catalyst-filter", "--edges", "normal,build,dev"]);
    let users: Vec<&str> = tree.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(users.len(), 1, "only Envoy can load catalyst-filter, and these link it: {users:#?}");
    assert!(users[0].starts_with("catalyst-filter "), "{users:#?}");
}

#[test]
fn only_the_filter_binds_envoys_functions() {
    let workspace = Workspace::find().expect("the checkout");
    let tree = tree(&workspace, &["--workspace", "--invert", "envoy-dynamic-module", "--edges", "normal"]);
    let users: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(users, ["envoy-dynamic-module", "catalyst-filter"]);
}

#[test]
fn crates_that_stand_alone_depend_on_none_of_ours() {
    let workspace = Workspace::find().expect("the checkout");
    for package in
        ["catalyst-authz", "catalyst-compose", "catalyst-proto", "catalyst-routing", "envoy-dynamic-module"]
    {
        let tree = tree(&workspace, &["--package", package, "--edges", "normal,build", "--depth", "1"]);
        let root = workspace.root.display().to_string();
        let ours: Vec<&str> = tree.lines().skip(1).filter(|line| line.contains(&root)).collect();
        assert_eq!(ours, [""; 0], "{package}");
    }
}
