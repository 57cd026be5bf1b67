//! What the configuration names on the machine: files, directories, addresses; and what the filter is given of it.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use serde_json::json;

use super::*;

/// The public key of RFC 7517, appendix A.1.
const JWKS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
const POLICY: &str = "permit (principal, action, resource);";

/// A place with every file that [`document`] names.
fn place() -> Place {
    let place = Place::new();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    write("keys.json", JWKS);
    write("a.cedar", POLICY);
    write("b.cedar", POLICY);
    write("envoy", "#!/bin/sh\n");
    fs::set_permissions(place.path().join("envoy"), Permissions::from_mode(0o755)).unwrap();
    write("filter.so", "");
    place
}

fn document(place: &Place) -> Value {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    json!({
        "node": {"id": "edge-1", "org": "acme.example"},
        "ingress": {"address": free()},
        "egress": {"address": free()},
        "auth": {
            "issuers": [{"issuer": "https://id.acme.example", "jwks": "keys.json"}],
            "policies": ["a.cedar", "b.cedar"],
        },
        "envoy": {"bin": "envoy", "filter": "filter.so", "admin_address": free(), "log": "envoy.log"},
        "state_dir": place.path().join("state"),
    })
}

/// The paths and the faults (cut to the length of what is expected) of reading the files.
#[track_caller]
fn check(place: &Place, document: &Value, expected: &[(&str, &str)]) {
    let loaded = place.load(Some(&document.to_string()), &[] as &[&str]).unwrap();
    let problems = loaded.read_files().err();
    let found: Vec<(String, String)> = problems
        .iter()
        .flat_map(Problems::iter)
        .map(|problem| (problem.path.to_string(), format!("{:?}", problem.fault)))
        .collect();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((path, fault), (expected_path, expected_fault)) in found.iter().zip(expected) {
        assert_eq!(path, expected_path);
        assert!(fault.contains(expected_fault), "{path}: {fault} has no {expected_fault}");
    }
}

#[test]
fn the_files_are_read_in_order() {
    let place = place();
    let loaded = place.load(Some(&document(&place).to_string()), &[] as &[&str]).unwrap();
    let files = loaded.read_files().unwrap();
    assert_eq!(
        files,
        Files { jwks: vec![Keys::File(JWKS.to_owned())], policies: vec![POLICY.to_owned(); 2] }
    );
    assert!(!place.path().join("state").exists(), "reading makes nothing");
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_field() {
    type Change = (&'static str, Option<&'static str>);
    let table: [(Change, (&str, &str)); 9] = [
        (("keys.json", None), ("auth.issuers[0].jwks", "Read(Os { code: 2")),
        (("keys.json", Some("{")), ("auth.issuers[0].jwks", "Refused(ConfigError")),
        (("keys.json", Some(r#"{"keys": []}"#)), ("auth.issuers[0].jwks", "NoUsableKey")),
        (("a.cedar", None), ("auth.policies[0]", "Read(Os { code: 2")),
        (
            ("b.cedar", Some("permit (principal, action, resource)")),
            ("auth.policies[1]", "Refused(ConfigError"),
        ),
        (
            ("b.cedar", Some("permit (principal, action, resource) when { principal.nothing };")),
            ("auth.policies[1]", "Refused("),
        ),
        (("envoy", None), ("envoy.bin", "Read(Os { code: 2")),
        (("filter.so", None), ("envoy.filter", "Read(Os { code: 2")),
        (("state", Some("a file")), ("state_dir", "Directory(Kind(NotADirectory))")),
    ];
    for ((file, content), expected) in table {
        let place = place();
        let document = document(&place);
        let path = place.path().join(file);
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        // The run directory is in the state directory.
        let below = [expected, ("run_dir", "Directory(Kind(NotADirectory))")];
        check(&place, &document, if file == "state" { &below } else { &below[..1] });
    }
}

#[test]
fn all_that_is_wrong_with_files_is_told_at_once() {
    let place = place();
    for file in ["keys.json", "a.cedar", "filter.so"] {
        fs::remove_file(place.path().join(file)).unwrap();
    }
    fs::set_permissions(place.path().join("envoy"), Permissions::from_mode(0o644)).unwrap();
    let mut document = document(&place);
    document["envoy"]["log"] = json!("keys/envoy.log");
    fs::write(place.path().join("keys"), "").unwrap();
    let expected = [
        ("auth.issuers[0].jwks", "Read("),
        ("auth.policies[0]", "Read("),
        ("envoy.bin", "NotExecutable"),
        ("envoy.filter", "Read("),
        ("envoy.log", "Directory("),
    ];
    check(&place, &document, &expected);
}

#[test]
fn an_envoy_that_is_nowhere_is_missing_unless_somebody_else_runs_it() {
    let place = place();
    let around = Surroundings { envoy: place.path().join("no/envoy"), ..place.around() };
    let mut document = document(&place);
    document["envoy"].as_object_mut().unwrap().remove("bin");
    fs::write(place.path().join("node.json"), document.to_string()).unwrap();
    let read = |flags: &[&str]| {
        load(Some(Path::new("node.json")), &parse_flags(flags), &around).unwrap().read_files()
    };
    let problems = read(&[]).unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| (problem.path.to_string(), &problem.fault)).collect();
    assert!(matches!(&told[..], [(path, Fault::Missing { .. })] if path == "envoy.bin"), "{told:?}");
    read(&["--envoy-manage", "false"]).unwrap();
}

#[test]
fn the_files_of_an_envoy_run_by_somebody_else_are_not_looked_for() {
    let place = place();
    fs::remove_file(place.path().join("envoy")).unwrap();
    fs::remove_file(place.path().join("filter.so")).unwrap();
    let mut document = document(&place);
    document["envoy"]["manage"] = json!(false);
    check(&place, &document, &[]);
}

#[test]
fn an_address_in_use_is_told() {
    let place = place();
    let mut document = document(&place);
    let load = |document: &Value| place.load(Some(&document.to_string()), &[] as &[&str]).unwrap();
    load(&document).check_addresses().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for (section, field) in [("ingress", "address"), ("egress", "address"), ("envoy", "admin_address")] {
        let free =
            std::mem::replace(&mut document[section][field], json!(taken.local_addr().unwrap().to_string()));
        let problems = load(&document).check_addresses().unwrap_err();
        let told: Vec<_> =
            problems.iter().map(|problem| (problem.path.to_string(), &problem.fault)).collect();
        assert!(
            matches!(&told[..], [(path, Fault::AddressInUse(Some(holder)))] if *path == format!("{section}.{field}") && holder.pid == std::process::id()),
            "{told:?}"
        );
        document[section][field] = free;
    }
    // It may be this very Envoy that listens there.
    document["ingress"]["address"] = json!(taken.local_addr().unwrap().to_string());
    document["envoy"]["manage"] = json!(false);
    load(&document).check_addresses().unwrap();
    document["xds"] = json!({"listen": document["ingress"]["address"]});
    document["ingress"]["address"] = json!("127.0.0.1:1");
    assert!(load(&document).check_addresses().is_err());
}

#[test]
fn a_daemon_that_answers_at_the_socket_is_told_and_a_dead_one_is_not() {
    let place = place();
    let loaded = place.load(Some(&document(&place).to_string()), &[] as &[&str]).unwrap();
    fs::create_dir_all(&loaded.config.run_dir).unwrap();
    let socket = loaded.config.run_dir.join("xds.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let problems = loaded.check_addresses().unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| &problem.fault).collect();
    assert!(matches!(&told[..], [Fault::SocketInUse(path)] if *path == socket), "{told:?}");
    drop(listener);
    assert!(socket.exists());
    loaded.check_addresses().unwrap();
}

#[test]
fn the_filter_is_given_issuers_keys_and_policies() {
    let place = place();
    let mut document = document(&place);
    document["auth"]["leeway"] = json!("45s");
    document["auth"]["issuers"][0]["audiences"] = json!(["shop", "library"]);
    document["auth"]["issuers"][0]["algorithms"] = json!(["ES256"]);
    document["auth"]["issuers"][0]["organisation"] = json!("partner.example");
    let loaded = place.load(Some(&document.to_string()), &[] as &[&str]).unwrap();
    let filter = filter_config(&loaded.config.auth, &loaded.read_files().unwrap());
    let json = serde_json::to_value(&filter).unwrap();
    assert_eq!(json["audiences"], json!(["library", "shop"]));
    assert_eq!(json["leeway_seconds"], json!(45));
    assert_eq!(json["issuers"][0]["issuer"], json!("https://id.acme.example"));
    assert_eq!(json["issuers"][0]["organisation"], json!("partner.example"));
    assert_eq!(json["issuers"][0]["algorithms"], json!(["ES256"]));
    assert_eq!(json["issuers"][0]["jwks"], json!({"inline": JWKS}));
    assert_eq!(json["policy"]["cedar"], json!({"inline": format!("{POLICY}\n{POLICY}")}));
}

#[test]
fn without_policies_any_valid_token_passes_and_without_issuers_none_is_valid() {
    let place = place();
    let mut document = document(&place);
    document["auth"] = json!({});
    let loaded = place.load(Some(&document.to_string()), &[] as &[&str]).unwrap();
    let filter = filter_config(&loaded.config.auth, &loaded.read_files().unwrap());
    assert_eq!(filter.policy, catalyst_authz::config::PolicyConfig::default());
    assert_eq!(filter.issuers, []);
    assert!(catalyst_authz::Engine::new(&filter).is_ok());
}
