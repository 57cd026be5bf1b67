//! Everything that can be wrong with a configuration, and how it is told.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn right() -> Value {
    json!({
        "node": {"id": "edge-1", "org": "acme.example"},
        "services": [
            {"name": "books", "protocol": "graphql", "url": "http://127.0.0.1:4001"},
            {"name": "reviews", "protocol": "graphql", "url": "http://127.0.0.1:4002"},
        ],
        "auth": {"issuers": [{"issuer": "https://id.acme.example", "jwks": "keys.json"}]},
    })
}

/// What is found wrong: the source, the path and the fault of each problem.
fn found(text: Option<&str>, flags: &[&str]) -> Vec<(String, String, String)> {
    let problems = Place::new().load(text, flags).err();
    let told = |problem: &Problem| {
        let source = match &problem.source {
            Source::Default => "default".to_owned(),
            Source::File(file) => file.display().to_string(),
            Source::Flag(flag) => flag.clone(),
        };
        (source, problem.path.to_string(), format!("{:?}", problem.fault))
    };
    problems.iter().flat_map(Problems::iter).map(told).collect()
}

/// The right configuration with `value` at `path` has this one fault, there.
#[track_caller]
fn check(path: &str, value: Value, fault: &str) {
    check_all(&[(path, value)], &[(path, fault)]);
}

#[track_caller]
fn check_all(changes: &[(&str, Value)], faults: &[(&str, &str)]) {
    let mut document = right();
    for (path, value) in changes {
        place_of(path).set(&mut document, value.clone());
    }
    let expected: Vec<_> = faults
        .iter()
        .map(|(path, fault)| ("node.json".to_owned(), (*path).to_owned(), (*fault).to_owned()))
        .collect();
    assert_eq!(found(Some(&document.to_string()), &[]), expected);
}

#[track_caller]
fn check_flags(flags: &[&str], faults: &[(&str, &str, &str)]) {
    let owned = |(source, path, fault): &(&str, &str, &str)| {
        ((*source).to_owned(), (*path).to_owned(), (*fault).to_owned())
    };
    let expected: Vec<_> = faults.iter().map(owned).collect();
    assert_eq!(found(Some(&right().to_string()), flags), expected);
}

/// Reads `services[1].url`.
fn place_of(text: &str) -> JsonPath {
    let words = text.split(['.', '[']).filter(|word| !word.is_empty());
    words.fold(JsonPath::default(), |path, word| match word.strip_suffix(']') {
        Some(index) => path.index(index.parse().unwrap()),
        None => path.key(word),
    })
}

#[test]
fn a_right_configuration_has_no_fault() {
    assert_eq!(found(Some(&right().to_string()), &[]), []);
}

#[test]
fn a_file_that_is_no_json_is_told_with_line_and_column() {
    let syntax =
        |text| match &Place::new().load(Some(text), &[] as &[&str]).unwrap_err().iter().next().unwrap().fault
        {
            Fault::Syntax { line, column, .. } => (*line, *column),
            other => panic!("{other:?}"),
        };
    assert_eq!(syntax("{\n  \"node\": {\n    \"id\": edge-1\n"), (3, 11));
    assert_eq!(syntax("{\"node\": {},\n \"node\": {}}"), (2, 7));
    assert_eq!(syntax(""), (1, 0));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let place = Place::new();
    let load = |file: &str| load(Some(Path::new(file)), &Flags::default(), &place.around()).unwrap_err();
    let kind = |problems: Problems| match &problems.iter().next().unwrap().fault {
        Fault::Read(error) => error.kind(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(load("absent.json")), std::io::ErrorKind::NotFound);
    assert_eq!(kind(load(".")), std::io::ErrorKind::IsADirectory);
    std::fs::write(place.path().join("latin.json"), b"{\"node\": \"\xff\"}").unwrap();
    assert_eq!(kind(load("latin.json")), std::io::ErrorKind::InvalidData);
    std::fs::write(place.path().join("large.json"), vec![b' '; (4 << 20) + 1]).unwrap();
    let problems = load("large.json");
    assert!(matches!(problems.iter().next().unwrap().fault, Fault::TooLarge { limit: 4_194_304 }));
}

#[test]
fn an_unknown_field_is_told_with_the_one_that_is_meant() {
    let suggestion = |path: &str, name: &str| {
        let mut document = right();
        place_of(path).key(name).set(&mut document, json!(1));
        let problems = Place::new().load(Some(&document.to_string()), &[] as &[&str]).unwrap_err();
        let only: Vec<_> = problems.iter().collect();
        match (&only[..], &only[0].fault) {
            ([_], Fault::UnknownField { name: found, suggestion, known }) => {
                assert_eq!((found.as_str(), only[0].path.to_string().as_str()), (name, path));
                assert!(!known.is_empty());
                suggestion.clone()
            }
            (all, _) => panic!("{all:?}"),
        }
    };
    assert_eq!(suggestion("", "servcies").as_deref(), Some("services"));
    assert_eq!(suggestion("node", "organisation").as_deref(), Some("auth.issuers[].organisation"));
    assert_eq!(suggestion("envoy", "draintime").as_deref(), Some("drain_time"));
    assert_eq!(suggestion("services[1]", "tag").as_deref(), Some("tags"));
    assert_eq!(suggestion("services[1]", "Access").as_deref(), Some("access"));
    assert_eq!(suggestion("", "jwks").as_deref(), Some("auth.issuers[].jwks"));
    assert_eq!(suggestion("log", "colour"), None);
}

#[test]
fn a_value_of_another_kind_is_told() {
    check("node", json!("edge-1"), r#"WrongType { found: "a string", expected: "an object" }"#);
    check("services", json!({}), r#"WrongType { found: "an object", expected: "an array" }"#);
    check("services[0]", json!(["books"]), r#"WrongType { found: "an array", expected: "an object" }"#);
    check("services[0].tags[0]", json!(1), r#"WrongType { found: "a number", expected: "a string" }"#);
    check("ingress.address", json!(null), r#"WrongType { found: "null", expected: "a string" }"#);
    check("gateway.enabled", json!("yes"), r#"WrongType { found: "a string", expected: "true or false" }"#);
    let number = "a whole number from 1 to 1024";
    let wrong = format!("WrongType {{ found: \"true or false\", expected: \"{number}\" }}");
    check("envoy.concurrency", json!(true), &wrong);
    for number in [json!(0), json!(-1), json!(1025), json!(1.5), json!(u64::MAX)] {
        check("envoy.concurrency", number, "OutOfBounds { min: 1, max: 1024 }");
    }
    let allowed = r#"NotAllowed { allowed: ["graphql", "http", "grpc", "tcp"], suggestion: "#;
    check("services[1].protocol", json!("grahpql"), &format!("{allowed}Some(\"graphql\") }}"));
    check("services[1].protocol", json!("carrier pigeon"), &format!("{allowed}None }}"));
    check("auth.issuers[0].audiences", json!([]), "Length { found: 0, min: 1, max: 64 }");
    check("services[0].tags", json!(vec!["a"; 33]), "Length { found: 33, min: 0, max: 32 }");
}

#[test]
fn what_is_missing_is_told() {
    let faults: Vec<_> = found(None, &["--service", "name=books", "--audience", "a", "--jwks", "k"]);
    let paths: Vec<_> = faults.iter().map(|(source, path, _)| (source.as_str(), path.as_str())).collect();
    let expected = [
        ("default", "node.id"),
        ("default", "node.org"),
        ("--service", "services[0].protocol"),
        ("--service", "services[0].url"),
        ("default", "auth.issuers[0].issuer"),
    ];
    assert_eq!(paths, expected);
    assert!(faults.iter().all(|(_, _, fault)| fault.starts_with("Missing")), "{faults:?}");
}

#[test]
fn names_urls_and_addresses_are_checked() {
    check(
        "node.id",
        json!("Edge"),
        r#"Name(Character { what: "node id", name: "Edge", found: 'E', position: 0 })"#,
    );
    check("node.org", json!(""), r#"Name(Empty { what: "organisation name", example: "acme.example" })"#);
    check(
        "services[0].name",
        json!("my books"),
        r#"Name(Character { what: "service name", name: "my books.acme.example", found: ' ', position: 2 })"#,
    );
    check("services[0].url", json!("htp://a"), r#"Url(Scheme { scheme: "htp", protocol: Graphql })"#);
    check("services[0].url", json!("127.0.0.1:4001"), "Url(NotUrl)");
    check("services[0].tags[0]", json!(""), "Tag(Length { length: 0 })");
    check("auth.issuers[0].issuer", json!("id.acme.example"), "Issuer(NotUrl)");
    check("auth.issuers[0].jwks", json!(""), "Empty");
    check("auth.issuers[0].jwks", json!("ftp://id.acme.example/keys"), "KeySetUrl(NotUrl)");
    check("auth.issuers[0].jwks", json!("http://id.acme.example/keys"), "KeySetUrl(Plain)");
    check("auth.issuers[0].jwks", json!("https://a:b@id.acme.example/keys"), "KeySetUrl(Credentials)");
    check("auth.issuers[0].jwks_max_stale", json!("721h"), "Duration(TooLong { limit: 2592000s })");
    check("auth.issuers[0].audiences[0]", json!(""), "Empty");
    check("auth.leeway", json!("30"), "Duration(Form)");
    check("auth.leeway", json!("6m"), "Duration(TooLong { limit: 300s })");
    check("envoy.drain_time", json!("2h"), "Duration(TooLong { limit: 3600s })");
    check("ingress.address", json!("localhost:1"), "Address(Form)");
    check("ingress.address", json!("127.0.0.1:0"), "Address(PortZero)");
    check("egress.address", json!("0.0.0.0:1"), "Address(NotLoopback)");
    check("envoy.admin_address", json!("10.0.0.1:1"), "Address(NotLoopback)");
    check("xds.listen", json!("0.0.0.0:1"), "Listen(NotLoopback)");
    check("log.level", json!("loud"), r#"LogLevel(Level("loud"))"#);
}

#[test]
fn what_may_occur_once_is_told_with_its_first_place() {
    let first = |path: &str| format!("Duplicate {{ first: {:?} }}", place_of(path));
    check("services[1].name", json!("books"), &first("services[0].name"));
    check("services[1].name", json!("books.acme.example"), &first("services[0].name"));
    let issuer = json!({"issuer": "https://id.acme.example", "jwks": "b.json"});
    check_all(
        &[("auth.issuers[1]", issuer)],
        &[("auth.issuers[1].issuer", &first("auth.issuers[0].issuer"))],
    );
    let issuer = json!({"issuer": "https://b.example", "jwks": "b.json", "audiences": ["shop"]});
    let differs = format!("Differs {{ first: {:?} }}", place_of("auth.issuers[0].audiences"));
    check_all(&[("auth.issuers[1]", issuer)], &[("auth.issuers[1].audiences", &differs)]);
    check("egress.address", json!("127.0.0.1:10000"), &first("ingress.address"));
    check("envoy.admin_address", json!("127.0.0.1:10001"), &first("egress.address"));
    check("xds.listen", json!("127.0.0.1:9901"), &first("envoy.admin_address"));
    let any = [("ingress.address", json!("0.0.0.0:9901"))];
    let at = format!("Duplicate {{ first: {:?} }}", place_of("ingress.address"));
    let document = right();
    assert_eq!(found(Some(&document.to_string()), &["--ingress-address", "0.0.0.0:9901"]).len(), any.len());
    assert_eq!(found(Some(&document.to_string()), &["--ingress-address", "0.0.0.0:9901"])[0].2, at);
}

#[test]
fn a_run_directory_too_deep_for_sockets_is_told() {
    let deep = format!("/{}", "d".repeat(100));
    let faults = found(Some(&right().to_string()), &["--run-dir", &deep]);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults.iter().all(|(source, path, fault)| {
        (source.as_str(), path.as_str()) == ("--run-dir", "run_dir") && fault.starts_with("SocketPath(")
    }));
}

#[test]
fn a_flag_is_told_by_its_name() {
    check_flags(&["--egress-address", "here"], &[("--egress-address", "egress.address", "Address(Form)")]);
    check_flags(
        &["--gateway-graphiql", "maybe"],
        &[(
            "--gateway-graphiql",
            "gateway.graphiql",
            r#"WrongType { found: "a string", expected: "true or false" }"#,
        )],
    );
    check_flags(
        &["--service", "name=a,protocol=http,url=http://a", "--service", "name=b,http"],
        &[("--service", "services[1]", r#"NotKeyValue("http")"#)],
    );
    check_flags(
        &["--service", "name=a,name=b,protocol=http,url=http://a"],
        &[("--service", "services[0]", r#"GivenTwice("name")"#)],
    );
    check_flags(
        &["--service", "{\"name\": \"a\","],
        &[(
            "--service",
            "services[0]",
            r#"Syntax { line: 1, column: 13, message: "EOF while parsing a value" }"#,
        )],
    );
    check_flags(
        &["--trusted-issuer", "issuer=https://a.example,jwks=a", "--jwks", "b"],
        &[("--jwks", "auth.issuers[0].jwks", r#"FlagConflict("--trusted-issuer")"#)],
    );
}

#[test]
fn a_flag_for_the_issuer_is_refused_where_the_file_has_several() {
    let mut document = right();
    document["auth"]["issuers"] = json!([
        {"issuer": "https://a.example", "jwks": "a.json"},
        {"issuer": "https://b.example", "jwks": "b.json"},
    ]);
    let faults = found(Some(&document.to_string()), &["--jwks", "c.json"]);
    let list = place_of("auth.issuers");
    let fault = format!("Ambiguous {{ list: {list:?}, count: 2 }}");
    assert_eq!(faults, [("--jwks".to_owned(), "auth.issuers[0].jwks".to_owned(), fault)]);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = r#"{
        "node": {"id": "edge 1", "orgg": "acme.example"},
        "ingress": {"address": 10000},
        "services": [{"name": "books", "protocol": "graphql", "url": "htp://127.0.0.1:4001"}, {"name": "books"}],
        "auth": {"leeway": "1d"}
    }"#;
    let problems = Place::new().load(Some(text), &["--log-level", "loud"]).unwrap_err();
    let expected = "\
error: node.json: node: unknown field `orgg`
  expected: one of id, org
  try: did you mean `org`?
error: node.json: ingress.address: `10000`: it is a number
  expected: a string
  try: correct it, or override it with --ingress-address
error: node.json: node.id: `edge 1`: node id `edge 1`: ' ' at byte 4; expected a-z, 0-9, `-` or `.` (in lower case)
  try: correct it, or override it with --node-id
error: node.org: it is missing
  expected: a DNS name such as acme.example
  try: add it to the file, or give --org
error: node.json: services[0].url: `htp://127.0.0.1:4001`: scheme `htp` does not fit protocol `graphql`
  expected: http://HOST[:PORT] or https://… for graphql, http and grpc (with a path for graphql only); \
tcp://HOST:PORT for tcp
  try: correct it, or override it with --service
error: node.json: services[1].protocol: it is missing
  expected: one of graphql, http, grpc, tcp
  try: add it to the file, or give --service
error: node.json: services[1].url: it is missing
  expected: where the service listens, such as http://127.0.0.1:4001
  try: add it to the file, or give --service
error: node.json: auth.leeway: `1d`: it is no number with a unit
  expected: a number and one of ms, s, m, h, such as 30s
  try: correct it, or override it with --auth-leeway
error: --log-level: log.level: `loud`: `loud` is no level
  expected: a level (error, warn, info, debug, trace), or directives such as info,catalystd=debug
9 errors in the configuration; nothing was started";
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn any_json_is_read_or_refused() {
    let keys = "(node|id|org|services|name|protocol|url|tags|auth|issuers|jwks|envoy|concurrency|manage|log|level|x)";
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(graphql|http://a|a.b|30s|[ -~]{0,8})".prop_map(Value::from),
    ];
    let document = scalar.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let place = Place::new();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) };
    proptest!(config, |(document in document)| {
        match place.load(Some(&document.to_string()), &["--node-id", "a", "--org", "b.example"]) {
            Ok(loaded) => {
                let again = place.config_of_file(&loaded.describe()["config"]);
                prop_assert_eq!(again, loaded.config);
            }
            Err(problems) => prop_assert!(problems.iter().count() > 0),
        }
    });
}
