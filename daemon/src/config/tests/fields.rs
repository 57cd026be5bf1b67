//! Every field, from a file and by flags.

use serde_json::json;

use super::super::document::{flag_name, quoted};
use super::super::shape::{FlagName, Kind, Shape};
use super::*;

/// What a node cannot do without.
fn least() -> Value {
    json!({
        "node": {"id": "edge-1", "org": "acme.example"},
        "services": [{"name": "books", "protocol": "graphql", "url": "http://127.0.0.1:4001"}],
        "auth": {"issuers": [{"issuer": "https://id.acme.example", "jwks": "keys.json"}]},
    })
}

/// For each field a value that is neither the default nor that of [`least`].
fn others() -> Value {
    json!({
        "node": {"id": "edge-2", "org": "globex.example"},
        "ingress": {"address": "0.0.0.0:8080"},
        "egress": {"address": "[::1]:8081"},
        "services": [{
            "name": "files",
            "protocol": "http",
            "url": "https://files.internal",
            "tags": ["public", "tier:gold"],
            "access": "public",
        }],
        "auth": {
            "issuers": [{
                "issuer": "https://id.globex.example/",
                "organisation": "globex.example",
                "jwks": "https://10.0.0.1/keys",
                "jwks_max_stale": "2h",
                "jwks_private": true,
                "audiences": ["library", "shop"],
                "algorithms": ["RS512", "EdDSA"],
            }],
            "leeway": "1500ms",
            "policies": ["a.cedar", "/etc/b.cedar"],
        },
        "envoy": {
            "manage": false,
            "bin": "../bin/envoy",
            "admin_address": "127.0.0.2:9902",
            "filter": "libcatalyst_filter.2.so",
            "log": "envoy.log",
            "drain_time": "2m",
            "concurrency": 3,
        },
        "gateway": {
            "enabled": false,
            "graphiql": false,
            "limits": {
                "body_bytes": 2048,
                "depth": 20,
                "fields": 100,
                "aliases": 0,
                "fetches": 9,
                "fetch_time": "900ms",
                "operation_time": "2s",
                "subgraph_response_bytes": 5000,
                "response_bytes": 6000,
            },
        },
        "xds": {"listen": "unix:my.sock"},
        "log": {"format": "json", "level": "warn,catalystd=debug"},
        "state_dir": "state",
        "run_dir": "run",
    })
}

/// Every field of the document; in lists of objects, those of the first object.
fn leaves(shape: &Shape, path: &JsonPath, found: &mut Vec<JsonPath>) {
    match (&shape.kind, &shape.flag) {
        (Kind::Section(fields), _) => {
            fields.iter().for_each(|(key, field)| leaves(field, &path.key(key), found));
        }
        (Kind::List { item, .. }, _) if matches!(item.kind, Kind::Section(_)) => {
            leaves(item, &path.index(0), found);
        }
        // Nothing depends on it, so that nothing could show that it was read.
        (_, FlagName::None) => {}
        (_, FlagName::FromPath | FlagName::Given(_)) => found.push(path.clone()),
    }
}

#[derive(Clone, Copy, Debug)]
enum Style {
    KeyValue,
    Json,
    FlagPerField,
}

/// The document as flags.
fn as_flags(shape: &Shape, path: &JsonPath, value: &Value, style: Style, flags: &mut Vec<String>) {
    let own = |flags: &mut Vec<String>, value: String| {
        let name = flag_name(shape, path).unwrap_or_else(|| panic!("{path} has no flag"));
        flags.extend([format!("--{name}"), value]);
    };
    match (&shape.kind, value) {
        (Kind::Section(fields), Value::Object(object)) => {
            object.iter().for_each(|(key, value)| {
                as_flags(fields.get(key).unwrap(), &path.key(key), value, style, flags)
            });
        }
        (Kind::List { item, .. }, Value::Array(items)) if matches!(item.kind, Kind::Section(_)) => {
            for value in items {
                match style {
                    Style::FlagPerField if path.to_string() == "auth.issuers" => {
                        as_flags(item, &path.index(0), value, style, flags);
                    }
                    Style::KeyValue | Style::FlagPerField => own(flags, key_values(value)),
                    Style::Json => own(flags, value.to_string()),
                }
            }
        }
        (Kind::List { .. }, Value::Array(items)) => items.iter().for_each(|item| own(flags, quoted(item))),
        (_, scalar) => own(flags, quoted(scalar)),
    }
}

fn key_values(object: &Value) -> String {
    let pair = |(key, value): (&String, &Value)| match value {
        Value::Array(items) => format!("{key}={}", items.iter().map(quoted).collect::<Vec<_>>().join(",")),
        scalar => format!("{key}={}", quoted(scalar)),
    };
    object.as_object().unwrap().iter().map(pair).collect::<Vec<_>>().join(",")
}

#[test]
fn file_and_flags_are_equal_for_every_field() {
    let place = Place::new();
    let shape = Shape::of_config();
    let mut fields = vec![];
    leaves(&shape, &JsonPath::default(), &mut fields);
    let plain = place.config_of_file(&least());
    for field in fields {
        let others = others();
        let value = field.get(&others).unwrap_or_else(|| panic!("give `others` a value for {field}"));
        let mut document = least();
        // The protocol of a service and the scheme of its URL go together; `http` fits both.
        field.set(&mut document, value.clone());
        let from_file = place.config_of_file(&document);
        assert_ne!(from_file, plain, "{field} has no effect");
        for style in [Style::KeyValue, Style::Json, Style::FlagPerField] {
            let mut flags = vec![];
            as_flags(&shape, &JsonPath::default(), &document, style, &mut flags);
            assert_eq!(place.config_of_flags(&flags), from_file, "{field}: {flags:?}");
        }
    }
}

#[test]
fn a_flag_overrides_the_file_for_every_field() {
    let place = Place::new();
    let shape = Shape::of_config();
    let mut fields = vec![];
    leaves(&shape, &JsonPath::default(), &mut fields);
    for field in fields {
        let mut document = least();
        field.set(&mut document, field.get(&others()).unwrap().clone());
        let expected = place.config_of_file(&document);
        let mut flags = vec![];
        as_flags(&shape, &JsonPath::default(), &document, Style::KeyValue, &mut flags);
        let loaded = place.load(Some(&least().to_string()), &flags).unwrap();
        assert_eq!(loaded.config, expected, "{field}");
    }
}

#[test]
fn the_shortest_command_line_makes_a_node() {
    let place = Place::new();
    let config = place.config_of_flags(&[
        "--node-id",
        "edge-1",
        "--org",
        "acme.example",
        "--service",
        "name=books,protocol=graphql,url=http://127.0.0.1:4001",
        "--jwks",
        "keys.json",
        "--issuer",
        "https://id.acme.example",
    ]);
    assert_eq!(config, place.config_of_file(&least()));
    assert_eq!(config.services[0].name.as_str(), "books.acme.example");
    assert_eq!(config.services[0].url.to_string(), "http://127.0.0.1:4001/graphql");
    assert_eq!(config.services[0].access, Access::Policy);
    assert_eq!(config.auth.issuers[0].organisation, config.node.org);
    assert_eq!(config.auth.issuers[0].jwks, KeySource::File(place.path().join("keys.json")));
    assert_eq!(config.auth.issuers[0].audiences, ["catalyst"]);
    assert_eq!(config.gateway.limits, Limits::default(), "the schema tells the gateway's own defaults");
    assert_eq!(config.state_dir, place.path().join("edge-1.catalyst"));
    assert_eq!(config.run_dir, config.state_dir.join("run"));
    assert_eq!(config.xds.listen, Listen::Unix(config.run_dir.join("xds.sock")));
    assert!(matches!(&config.envoy.process, EnvoyProcess::Managed { bin, .. } if bin == "/usr/bin/envoy"));
}

#[test]
fn a_path_is_relative_to_the_file_or_the_working_directory() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("etc")).unwrap();
    let mut document = least();
    document["auth"]["policies"] = json!(["../a.cedar", "/b.cedar"]);
    std::fs::write(place.path().join("etc/node.json"), document.to_string()).unwrap();
    let flags = parse_flags(&["--envoy-bin", "bin/envoy"]);
    let config = load(Some(Path::new("etc/node.json")), &flags, &place.around()).unwrap().config;
    assert_eq!(config.auth.issuers[0].jwks, KeySource::File(place.path().join("etc/keys.json")));
    assert_eq!(config.auth.policies, [place.path().join("a.cedar"), PathBuf::from("/b.cedar")]);
    assert!(
        matches!(config.envoy.process, EnvoyProcess::Managed { bin, .. } if bin == place.path().join("bin/envoy"))
    );
}

#[test]
fn a_flag_for_a_field_of_the_issuer_leaves_its_other_fields() {
    let place = Place::new();
    let loaded = place.load(Some(&least().to_string()), &["--jwks", "new.json"]).unwrap();
    let issuer = &loaded.config.auth.issuers[0];
    assert_eq!(issuer.issuer.as_str(), "https://id.acme.example");
    assert_eq!(issuer.jwks, KeySource::File(place.path().join("new.json")));
}

#[test]
fn the_description_is_a_configuration_that_gives_the_same_again() {
    let place = Place::new();
    let mut other = others();
    other["envoy"]["manage"] = json!(true);
    for document in [least(), others(), other] {
        let loaded = place.load(Some(&document.to_string()), &[] as &[&str]).unwrap();
        let again = place.config_of_file(&loaded.describe()["config"]);
        assert_eq!(again, loaded.config);
    }
}

#[test]
fn the_description_says_where_each_value_came_from() {
    let place = Place::new();
    let loaded =
        place.load(Some(&least().to_string()), &["--jwks", "new.json", "--log-level", "warn"]).unwrap();
    let sources = &loaded.describe()["sources"];
    for (path, source) in [
        ("node.id", "node.json"),
        ("services[0].url", "node.json"),
        ("services[0].access", "default"),
        ("auth.issuers[0].issuer", "node.json"),
        ("auth.issuers[0].jwks", "--jwks"),
        ("auth.issuers[0].organisation", "default"),
        ("log.level", "--log-level"),
        ("log.format", "default"),
        ("state_dir", "default"),
        ("auth.issuers[0].audiences", "default"),
    ] {
        assert_eq!(sources[path], source, "{path}");
    }
}

#[test]
fn no_two_flags_have_one_name_and_all_are_explained() {
    let command = Flags::augment_args(Command::new("catalystd"));
    let mut names = std::collections::BTreeSet::new();
    for arg in command.get_arguments() {
        assert!(names.insert(arg.get_long().unwrap().to_owned()), "--{} twice", arg.get_long().unwrap());
        assert!(arg.get_help().is_some_and(|help| help.to_string().len() > 10), "{arg}");
    }
}
