//! The decision engine in process: `cargo bench -p catalyst-bench --bench authz`.
//!
//! Each group has its peer in the same run: raw verification by aws-lc and decoding by `jsonwebtoken` beside a cold
//! token, Cedar's own authorizer beside a cold decision.

#[path = "../../filter/authz/tests/support/mod.rs"]
#[allow(dead_code, reason = "the fixtures of the engine's own tests")]
mod support;

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalyst_authz::config::{Access, CacheBounds, CacheConfig, FilterConfig, RouteConfig};
use catalyst_authz::jose::{Algorithm, jws};
use catalyst_authz::{Engine, Request};
use cedar_policy::{Authorizer, Context, Entities, EntityUid, PolicySet};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::json;

use support::{
    AUDIENCE, ISSUER, SERVICE, Signer, bearer, claims, claims_with, config, config_with_policy, decide, get,
    jwks, now, signer, token,
};

/// Caches without room, so that everything is found out each time.
const NO_CACHES: CacheConfig = {
    let none = CacheBounds { max_entries: 0, max_bytes: 0 };
    CacheConfig { tokens: none, decisions: none, forged: none, front_entries: 0 }
};

fn engine(config: &FilterConfig) -> Engine {
    Engine::new(config).expect("a valid configuration")
}

/// A known token on a known route, and the same among many.
fn warm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("warm");
    let engine = engine(&config_with_policy(&scoped_policies(100)));
    let hot = bearer(&token(&claims()));
    let credentials: [&[u8]; 1] = [hot.as_bytes()];
    assert!(engine.decide(&get(&credentials), now()).is_allow());
    group.bench_function(format!("one token of {} bytes", hot.len()), |bencher| {
        bencher.iter(|| engine.decide(black_box(&get(&credentials)), now()));
    });
    let values: Vec<String> = (0..20_000)
        .map(|number| bearer(&token(&claims_with(json!({ "jti": number.to_string() })))))
        .collect();
    for _ in 0..4 {
        values.iter().for_each(|value| assert!(engine.decide(&get(&[value.as_bytes()]), now()).is_allow()));
    }
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    group.bench_function("20,000 tokens at random", |bencher| {
        bencher.iter(|| {
            let value = values[random.below(values.len())].as_bytes();
            engine.decide(black_box(&get(&[value])), now())
        });
    });
    group.finish();
}

/// Tokens that are refused.
fn refused(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refused");
    let engine = engine(&config());
    let good = token(&claims());
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    for (name, bad) in [
        ("not a token", "rubbish".to_owned()),
        ("header is no JSON", format!("AAAA{}", &good[4..])),
        ("claims are no JSON", {
            let (header, _) = good.split_once('.').expect("three parts");
            format!("{header}.e30K.AAAA")
        }),
        ("key is not known", Signer::generate_ec256("other").token(Algorithm::Es256, &claims())),
        ("forged and seen before", format!("{signed}.{}", "A".repeat(86))),
    ] {
        assert!(!decide(&engine, &bad).is_allow());
        group.bench_function(name, |bencher| bencher.iter(|| decide(&engine, black_box(&bad))));
    }
    group.finish();
}

/// A token that was never seen, against the signature alone and against `jsonwebtoken`.
fn cold_token(criterion: &mut Criterion) {
    let mut config = config();
    config.caches = NO_CACHES;
    config.issuers[0].jwks = Some(jwks([Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa].map(signer)));
    config.default_route = Some(RouteConfig { access: Access::Authenticated, ..RouteConfig::new(SERVICE) });
    let engine = engine(&config);
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        let mut group = criterion.benchmark_group(format!("cold token/{algorithm}"));
        let token = signer(algorithm).token(algorithm, &claims());
        assert!(decide(&engine, &token).effort().verified_signature);
        group.bench_function("ours", |bencher| bencher.iter(|| decide(&engine, black_box(&token))));

        let parts = jws::split(token.as_bytes()).expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(parts.signature).expect("base64url");
        let key = raw_key(algorithm);
        group.bench_function("aws-lc, the signature alone", |bencher| {
            bencher.iter(|| key.verify_sig(black_box(parts.signing_input), &signature).expect("valid"));
        });

        let key = jsonwebtoken::DecodingKey::from_jwk(
            &serde_json::from_value(signer(algorithm).jwk()).expect("a JWK"),
        );
        let key = key.expect("a key");
        let mut validation = jsonwebtoken::Validation::new(algorithm.name().parse().expect("an algorithm"));
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        group.bench_function("jsonwebtoken, decode", |bencher| {
            bencher.iter(|| {
                jsonwebtoken::decode::<serde_json::Value>(black_box(&token), &key, &validation)
                    .expect("valid")
            });
        });
        group.finish();
    }
}

fn raw_key(algorithm: Algorithm) -> ParsedPublicKey {
    let jwk = signer(algorithm).jwk();
    let member =
        |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("a string")).expect("base64url");
    let key = match algorithm {
        Algorithm::Es256 => {
            let point = [&[4][..], &member("x"), &member("y")].concat();
            ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
        }
        Algorithm::EdDsa => ParsedPublicKey::new(&signature::ED25519, member("x")),
        _ => PublicKeyComponents { n: member("n"), e: member("e") }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256),
    };
    key.expect("a key")
}

/// A decision that was never made, for a token that is known, against Cedar's authorizer over the whole set.
fn cold_decision(criterion: &mut Criterion) {
    for policies in [10, 100, 1_000, 10_000] {
        let mut group = criterion.benchmark_group(format!("cold decision/{policies} policies"));
        let text = scoped_policies(policies);
        let mut config = config_with_policy(&text);
        config.caches = CacheConfig { tokens: CacheConfig::default().tokens, ..NO_CACHES };
        let engine = engine(&config);
        let value = bearer(&token(&claims_with(json!({ "groups": ["staff", "readers", "team-7"] }))));
        let credentials: [&[u8]; 1] = [value.as_bytes()];
        let request = Request { path: b"/books/1", ..get(&credentials) };
        assert!(engine.decide(&request, now()).is_allow());
        let again = engine.decide(&request, now()).effort();
        assert!(again.evaluated_policies && !again.verified_signature);
        group.bench_function("ours", |bencher| bencher.iter(|| engine.decide(black_box(&request), now())));

        let set: PolicySet = text.parse().expect("policies");
        let (request, entities) = cedar_request();
        let authorizer = Authorizer::new();
        assert_eq!(
            authorizer.is_authorized(&request, &set, &entities).decision(),
            cedar_policy::Decision::Allow
        );
        if policies == 10_000 {
            group.sample_size(10).warm_up_time(Duration::from_millis(500));
        }
        group.bench_function("Cedar, is_authorized alone", |bencher| {
            bencher.iter_batched(
                || (),
                |()| authorizer.is_authorized(black_box(&request), &set, &entities),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

/// Many small rules: by group and service, by subject, by organisation and path, and a few that hold for all. Three of
/// them concern a request by one of the group `readers` for [`SERVICE`].
fn scoped_policies(number: usize) -> String {
    let mut policies = vec![
        format!(
            r#"permit (principal in Catalyst::Group::"acme.example/readers", action in Catalyst::Action::"read",
                resource == Catalyst::Service::"{SERVICE}") when {{ context.path like "/books/*" }};"#
        ),
        format!(r#"permit (principal, action, resource == Catalyst::Service::"{SERVICE}") when {{ context.path == "/" }};"#),
        r#"forbid (principal, action, resource) unless { principal.organisation == resource.organisation || resource.hasTag("shared") };"#.to_owned(),
    ];
    while policies.len() < number {
        let n = policies.len();
        policies.push(match n % 4 {
            0 => format!(
                r#"permit (principal in Catalyst::Group::"acme.example/team-{n}", action in Catalyst::Action::"read",
                    resource == Catalyst::Service::"service-{}.acme.example");"#,
                n % 100
            ),
            1 => format!(
                r#"permit (principal == Catalyst::User::"{ISSUER}|user-{n}", action, resource is Catalyst::Service);"#
            ),
            2 => format!(
                r#"permit (principal, action, resource) when {{ principal.organisation == Catalyst::Organisation::"org-{n}.example"
                    && context.path like "/v{}/*" }};"#,
                n % 10
            ),
            _ => format!(
                r#"forbid (principal, action == Catalyst::Action::"delete", resource) when {{ principal.groups.contains("group-{n}") }};"#
            ),
        });
    }
    policies.join("\n")
}

/// The same request for Cedar, with everything built beforehand.
fn cedar_request() -> (cedar_policy::Request, Entities) {
    let uid = |text: &str| text.parse::<EntityUid>().expect("an entity id");
    let (principal, action) = (format!("Catalyst::User::\"{ISSUER}|alice\""), "Catalyst::Action::\"get\"");
    let resource = format!("Catalyst::Service::\"{SERVICE}\"");
    let entity = |kind: &str, id: &str| json!({ "type": format!("Catalyst::{kind}"), "id": id });
    let organisation = entity("Organisation", "acme.example");
    let reference = json!({ "__entity": organisation });
    let groups = ["staff", "readers", "team-7"];
    let parents: Vec<_> =
        groups.iter().map(|group| entity("Group", &format!("acme.example/{group}"))).collect();
    let entities = json!([
        { "uid": entity("User", &format!("{ISSUER}|alice")), "parents": parents,
          "attrs": { "organisation": reference, "groups": groups } },
        { "uid": entity("Service", SERVICE), "parents": [organisation], "attrs": { "organisation": reference } },
        { "uid": entity("Action", "get"), "parents": [entity("Action", "read")], "attrs": {} },
    ]);
    let context = Context::from_json_value(json!({ "path": "/books/1" }), None).expect("a context");
    let request = cedar_policy::Request::new(uid(&principal), uid(action), uid(&resource), context, None);
    (request.expect("a request"), Entities::from_json_value(entities, None).expect("entities"))
}

/// Marsaglia's xorshift, with a fixed seed: the same sequence in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("below a usize")
    }
}

criterion_group!(benches, warm, refused, cold_token, cold_decision);
criterion_main!(benches);
