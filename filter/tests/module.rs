//! The module without Envoy: its hooks are called as Envoy calls them, over the stand-in of the ABI's own tests.
#![expect(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

#[path = "../abi/tests/envoy/mod.rs"]
mod envoy;

// Linked for its exports alone.
use catalyst_filter as _;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use envoy::{Hook, Host, Module, owned};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.acme.example";
const SERVICE: &str = "books.acme.example";

/// An issuer's key.
struct Key {
    pair: Vec<u8>,
    id: &'static str,
}

impl Key {
    fn new(id: &'static str) -> Self {
        Self { pair: Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec(), id }
    }

    fn jwks(&self) -> Value {
        let pair = Ed25519KeyPair::from_pkcs8(&self.pair).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": self.id, "x": x}]})
    }

    /// A token for one hour, with further claims.
    fn token(&self, claims: Value) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut all = json!({"iss": ISSUER, "sub": "alice", "aud": "catalyst", "exp": now + 3600});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &all, &EncodingKey::from_ed_der(&self.pair)).unwrap()
    }
}

fn config(jwks: Value) -> Value {
    json!({
        "audiences": ["catalyst"],
        "issuers": [{"issuer": ISSUER, "organisation": "acme.example", "jwks": jwks}],
        "policy": {"cedar": {"inline": "@id(\"all\") permit(principal is Catalyst::User, action, resource);"}},
        "default_route": {"service": SERVICE},
    })
}

fn module(config: &Value) -> Option<Module> {
    Module::start("authz", config.to_string().as_bytes())
}

fn request(token: Option<&str>, headers: &[(&str, &str)]) -> Host {
    let mut lines = owned(&[(":method", "GET"), (":path", "/a"), (":authority", SERVICE)]);
    lines.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
    lines.extend(owned(headers));
    Host { headers: lines, ..Host::default() }
}

fn status(module: &Module, token: &str) -> u32 {
    module.run(request(Some(token), &[])).answer.map_or(200, |answer| answer.status)
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_allowed_request_carries_the_verified_identity_and_nothing_of_the_kind_from_the_client() {
    let key = Key::new("k1");
    let module = module(&config(json!({"inline": key.jwks()}))).unwrap();
    let spoofed = [
        ("x-catalyst-subject", "root"),
        ("x-catalyst-x", "1"),
        ("x_catalyst_issuer", "i"),
        ("x-user-email", "e"),
    ];
    let mut host = request(Some(&key.token(json!({"email": "alice@acme.example"}))), &spoofed);
    host.trailers = owned(&[("x-catalyst-subject", "root"), ("x-user-email", "e"), ("checksum", "1")]);
    let claim = json!({"claim": "email", "header": "x-user-email"});
    host.route_config = Some(json!({"service": SERVICE, "forward_claims": [claim]}).to_string());
    let host = module.run(host);
    assert_eq!(host.answer, None);
    let ours = host.headers.into_iter().filter(|(name, _)| !name.starts_with(':') && name != "authorization");
    let expected = [
        ("x-catalyst-subject", "alice"),
        ("x-catalyst-issuer", ISSUER),
        ("x-catalyst-organisation", "acme.example"),
        ("x-user-email", "alice@acme.example"),
    ];
    assert_eq!(ours.collect::<Vec<_>>(), owned(&expected));
    assert_eq!(host.trailers, owned(&[("checksum", "1")]));
    assert_eq!(host.metadata, []);
    assert_eq!(module.counter("allowed"), 1);
}

#[test]
fn a_denied_request_is_answered_here_with_its_id() {
    let module = module(&config(json!({"inline": Key::new("k1").jwks()}))).unwrap();
    let host = module.run(request(None, &[]));
    assert_eq!(host.stopped_at, Some(Hook::RequestHeaders));
    let answer = host.answer.unwrap();
    let id = answer.headers[0].1.clone();
    assert_eq!(answer.status, 401);
    let challenge = ("www-authenticate", "Bearer realm=\"catalyst\"");
    assert_eq!(answer.headers, owned(&[("x-catalyst-deny-id", &id), challenge]));
    assert_eq!(answer.body, Some(format!("a token is required (denied as {id})\n")));
    assert_eq!(answer.details.as_deref(), Some("catalyst_missing_token"));
    let logged = [("decision", "deny"), ("reason", "missing_token"), ("deny_id", &id)];
    let logged = logged.map(|(key, value)| (format!("catalyst:{key}"), value.to_owned()));
    assert_eq!(host.metadata, logged);
    assert_eq!((module.counter("denied_missing_token"), module.counter("allowed")), (1, 0));
}

#[test]
fn a_token_bound_to_a_certificate_needs_that_certificate() {
    let key = Key::new("k1");
    let module = module(&config(json!({"inline": key.jwks()}))).unwrap();
    let digest = [0xab; 32];
    let token = key.token(json!({"cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode(digest)}}));
    for (mtls, digest, answered) in [
        ("true", "ab".repeat(32), None),
        ("true", "ac".repeat(32), Some(401)),
        ("false", "ab".repeat(32), Some(401)),
    ] {
        let mut host = request(Some(&token), &[]);
        host.attributes.extend([(29, mtls.to_owned()), (38, digest)]);
        assert_eq!(module.run(host).answer.map(|answer| answer.status), answered);
    }
}

#[test]
fn what_the_module_is_not_made_for_is_refused() {
    let good = config(json!({"inline": Key::new("k1").jwks()})).to_string();
    let with = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    for (name, config, accepted) in [
        ("authz", good.clone(), true),
        ("other", good.clone(), false),
        ("authz", with("\"access_log\":\"all\""), true),
        ("authz", with("\"access_log\":\"denials\""), true),
        ("authz", with("\"access_log\":\"none\""), false),
        ("authz", with("\"access_log\":\"all\",\"access_log\":\"all\""), false),
        ("authz", with("\"access_log\":\"all\",\"realm\":\"a\",\"realm\":\"b\""), false),
        ("authz", with("\"access_log\":\"all\",\"realmm\":\"a\""), false),
        ("authz", with("\"realmm\":\"a\""), false),
        ("authz", good.replacen("permit", "permitt", 1), false),
        ("authz", "[]".to_owned(), false),
        ("authz", String::new(), false),
    ] {
        assert_eq!(Module::start(name, config.as_bytes()).is_some(), accepted, "{name} {config}");
    }
    assert!(Module::start("authz", b"\xff").is_none());
    let route = json!({"service": SERVICE}).to_string();
    assert!(Module::accepts_route("authz", route.as_bytes()));
    assert!(!Module::accepts_route("other", route.as_bytes()));
    assert!(!Module::accepts_route("authz", br#"{"service": "books"}"#));
}

#[test]
fn allowed_requests_are_logged_where_asked_for() {
    let key = Key::new("k1");
    let mut config = config(json!({"inline": key.jwks()}));
    config["access_log"] = json!("all");
    let host = module(&config).unwrap().run(request(Some(&key.token(json!({}))), &[]));
    let expected = [
        ("catalyst:decision", "allow"),
        ("catalyst:subject", "alice"),
        ("catalyst:issuer", ISSUER),
        ("catalyst:organisation", "acme.example"),
        ("catalyst:policies", "all"),
    ];
    assert_eq!(host.metadata, owned(&expected));
}

#[test]
fn a_token_is_verified_once_even_across_a_new_configuration() {
    let key = Key::new("k1");
    let (mut config, token) = (config(json!({"inline": key.jwks()})), key.token(json!({})));
    let first = module(&config).unwrap();
    for _ in 0..3 {
        assert_eq!(status(&first, &token), 200);
    }
    let effort = |module: &Module| {
        ["signatures_verified", "policies_evaluated", "token_cache_hits"].map(|name| module.counter(name))
    };
    assert_eq!(effort(&first), [1, 1, 2]);
    // Envoy makes the next configuration while the last one still serves.
    config["realm"] = json!("second");
    let second = module(&config).unwrap();
    assert_eq!(status(&second, &token), 200);
    assert_eq!(effort(&second), [0, 0, 1]);
    // A key that is gone takes its tokens with it, cached or not.
    config["issuers"][0]["jwks"] = json!({"inline": Key::new("k2").jwks()});
    assert_eq!(status(&module(&config).unwrap(), &token), 401);
}

/// As a rotation should be done: beside it, then renamed.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, file).unwrap();
}

#[test]
fn a_changed_file_takes_effect_and_a_bad_one_does_not() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jwks.json");
    std::fs::write(&file, old.jwks().to_string()).unwrap();
    let module = module(&config(json!({"file": file}))).unwrap();
    let (old_token, new_token) = (old.token(json!({})), new.token(json!({})));
    assert_eq!((status(&module, &old_token), status(&module, &new_token)), (200, 401));

    replace(&file, &new.jwks().to_string());
    eventually("the new key is taken", || status(&module, &new_token) == 200);
    assert_eq!(status(&module, &old_token), 401);
    assert_eq!(module.counter("files_accepted"), 1);

    std::fs::write(&file, "{").unwrap();
    eventually("the bad file is seen", || {
        status(&module, &new_token) == 200 && module.counter("files_refused") == 1
    });
    std::fs::remove_file(&file).unwrap();
    eventually("its absence is seen", || {
        status(&module, &new_token) == 200 && module.counter("files_refused") == 2
    });

    std::fs::write(&file, old.jwks().to_string()).unwrap();
    eventually("the old key is back", || status(&module, &old_token) == 200);
}

#[test]
fn a_configuration_with_a_missing_or_odd_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for file in [dir.path().join("missing"), dir.path().to_owned()] {
        assert!(module(&config(json!({"file": file}))).is_none(), "{}", file.display());
    }
}
