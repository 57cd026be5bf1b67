//! What is remembered, and that nothing is remembered too long.

use catalyst_authz::config::{CacheBounds, FilterConfig, RouteConfig};
use catalyst_authz::jose::Algorithm;
use catalyst_authz::{Decision, DenyReason, Effort, Engine, Request, Timestamp};
use serde_json::json;

use crate::support::{
    NOW, SERVICE, Signer, bearer, claims, claims_with, config, config_with_policy, decide, engine, get, jwks,
    now, reason, route, signer, token,
};

const KNOWN: Effort = Effort { verified_signature: false, evaluated_policies: false };
const ALL: Effort = Effort { verified_signature: true, evaluated_policies: true };

/// Decides on both engines, the second of which has the caches of the first.
fn across(before: &FilterConfig, after: &FilterConfig, token: &str) -> [Decision; 2] {
    let before = engine(before);
    let first = decide(&before, token);
    let after = Engine::with_caches(after, before.caches()).expect("a valid configuration");
    [first, decide(&after, token)]
}

fn check_across(after: FilterConfig, expected: Option<DenyReason>) {
    let token = token(&claims_with(json!({ "jti": "t1" })));
    let [first, second] = across(&config(), &after, &token);
    assert_eq!((reason(&first), reason(&second)), (None, expected));
}

#[test]
fn a_token_seen_again_is_neither_verified_nor_judged_again() {
    let engine = engine(&config());
    let token = token(&claims());
    let efforts = [decide(&engine, &token).effort(), decide(&engine, &token).effort()];
    assert_eq!(efforts, [ALL, KNOWN]);
}

#[test]
fn other_threads_and_other_engines_share_what_was_found_out() {
    let first = engine(&config());
    let token = token(&claims());
    assert_eq!(decide(&first, &token).effort(), ALL);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(decide(&first, &token).effort(), KNOWN));
    });
    let second = Engine::with_caches(&config(), first.caches()).expect("a valid configuration");
    assert_eq!(decide(&second, &token).effort(), KNOWN);
}

#[test]
fn a_cached_token_dies_at_its_expiry_to_the_second() {
    let engine = engine(&config());
    let value = bearer(&token(&claims_with(json!({ "exp": NOW + 100 }))));
    let at = |second| reason(&engine.decide(&get(&[value.as_bytes()]), Timestamp::from_unix_seconds(second)));
    assert_eq!(at(NOW), None);
    assert_eq!(at(NOW + 129), None);
    assert_eq!(at(NOW + 130), Some(DenyReason::Expired));
    assert_eq!(at(NOW + 129), None, "and with the clock set back it is judged anew");
}

#[test]
fn a_cached_token_is_not_valid_before_its_time_when_the_clock_is_set_back() {
    let engine = engine(&config());
    let value = bearer(&token(&claims()));
    let at = |second| reason(&engine.decide(&get(&[value.as_bytes()]), Timestamp::from_unix_seconds(second)));
    assert_eq!(at(NOW), None);
    assert_eq!(at(NOW - 41), Some(DenyReason::NotYetValid));
}

#[test]
fn cached_tokens_die_when_the_keys_become_stale() {
    let mut config = config();
    config.issuers[0].fetched_at = Some(NOW - 100);
    config.issuers[0].max_stale_seconds = Some(150);
    let engine = engine(&config);
    let value = bearer(&token(&claims()));
    let at = |second| reason(&engine.decide(&get(&[value.as_bytes()]), Timestamp::from_unix_seconds(second)));
    assert_eq!((at(NOW), at(NOW + 50), at(NOW + 51)), (None, None, Some(DenyReason::KeysStale)));
}

#[test]
fn a_cached_token_dies_with_its_key() {
    let mut after = config();
    after.issuers[0].jwks = Some(jwks([signer(Algorithm::Es384)]));
    check_across(after, Some(DenyReason::UnknownKey));
    let mut after = config();
    after.issuers[0].jwks = Some(jwks([&Signer::generate_ec256("ec256")]));
    check_across(after, Some(DenyReason::BadSignature));
    let mut after = config();
    after.issuers[0].jwks = None;
    check_across(after, Some(DenyReason::KeysUnavailable));
}

#[test]
fn a_cached_token_dies_by_revocation_of_itself_or_its_subject() {
    let mut after = config();
    after.issuers[0].revoked.tokens.insert("t1".to_owned());
    check_across(after, Some(DenyReason::Revoked));
    let mut after = config();
    after.issuers[0].revoked.subjects.insert("alice".to_owned());
    check_across(after, Some(DenyReason::Revoked));
    let mut after = config();
    after.issuers[0].revoked.tokens.insert("t2".to_owned());
    check_across(after, None);
}

#[test]
fn a_cached_token_is_judged_by_the_settings_of_its_issuer_as_they_are_now() {
    let mut after = config();
    after.issuers[0].algorithms = [Algorithm::Es384].into();
    check_across(after, Some(DenyReason::AlgorithmNotAllowed));
    let mut after = config();
    after.issuers[0].token_type = catalyst_authz::config::TokenType::AccessToken;
    check_across(after, Some(DenyReason::WrongType));
    let mut after = config();
    after.issuers[0].issuer = "https://id.other.example".to_owned();
    check_across(after, Some(DenyReason::UnknownIssuer));
    let mut after = config();
    after.audiences = vec!["https://other.example".to_owned()];
    check_across(after, Some(DenyReason::WrongAudience));
    let mut after = config();
    after.issuers[0].organisation = "other.example".to_owned();
    let [first, second] = across(&config(), &after, &token(&claims()));
    let (Decision::Allow(first), Decision::Allow(second)) = (first, second) else { panic!("denied") };
    assert_eq!((first.organisation(), second.organisation()), (Some("acme.example"), Some("other.example")));
}

#[test]
fn decisions_go_with_the_policy_and_tokens_stay() {
    let after = config_with_policy("forbid (principal, action, resource);");
    let [_, second] = across(&config(), &after, &token(&claims()));
    assert_eq!(reason(&second), Some(DenyReason::Forbidden));
    assert_eq!(second.effort(), Effort { verified_signature: false, evaluated_policies: true });
}

#[test]
fn a_changed_leeway_counts_at_once() {
    let token = token(&claims_with(json!({ "exp": NOW - 10 })));
    let mut after = config();
    after.leeway_seconds = 5;
    let [first, second] = across(&config(), &after, &token);
    assert_eq!((reason(&first), reason(&second)), (None, Some(DenyReason::Expired)));
}

#[test]
fn a_forged_token_seen_again_costs_no_second_verification_until_the_keys_change() {
    let forger = Signer::generate_ec256("ec256");
    let forged = forger.token(Algorithm::Es256, &claims());
    let before = engine(&config());
    let [first, second] = [decide(&before, &forged), decide(&before, &forged)];
    assert_eq!([reason(&first), reason(&second)], [Some(DenyReason::BadSignature); 2]);
    assert_eq!([first.effort().verified_signature, second.effort().verified_signature], [true, false]);
    let mut after = config();
    after.issuers[0].jwks = Some(jwks([&forger]));
    let after = Engine::with_caches(&after, before.caches()).expect("a valid configuration");
    assert_eq!(reason(&decide(&after, &forged)), None, "the key is trusted now");
}

#[test]
fn a_flood_of_bad_tokens_evicts_no_good_one() {
    let mut config = config();
    config.caches.tokens = CacheBounds { max_entries: 64, max_bytes: 64 * 1024 };
    config.caches.forged = CacheBounds { max_entries: 16, max_bytes: 16 * 1024 };
    config.caches.front_entries = 0;
    let engine = engine(&config);
    let good: Vec<String> =
        (0..32).map(|number| token(&claims_with(json!({ "sub": format!("user{number}") })))).collect();
    good.iter().for_each(|token| assert_eq!(reason(&decide(&engine, token)), None));
    for number in 0..500 {
        let bad = token(&claims_with(json!({ "sub": format!("bad{number}") })));
        let (signed, _) = bad.rsplit_once('.').expect("three parts");
        assert_eq!(
            reason(&decide(&engine, &format!("{signed}.{}", "A".repeat(86)))),
            Some(DenyReason::BadSignature)
        );
        let unknown = Signer::generate_ec256("unknown");
        let unknown = unknown.token(Algorithm::Es256, &claims());
        assert_eq!(reason(&decide(&engine, &unknown)), Some(DenyReason::UnknownKey));
    }
    let verified_again =
        good.iter().filter(|token| decide(&engine, token).effort().verified_signature).count();
    assert_eq!(verified_again, 0);
}

#[test]
fn decisions_depend_on_what_policies_read_and_on_nothing_else() {
    let engine = engine(&config_with_policy(
        r#"permit (principal, action == Catalyst::Action::"get", resource) when { context.path == "/a" };"#,
    ));
    let value = bearer(&token(&claims()));
    let credentials: [&[u8]; 1] = [value.as_bytes()];
    let ask = |method: &'static [u8], path: &'static [u8], host: &'static [u8]| {
        let decision = engine.decide(&Request { method, path, host, ..get(&credentials) }, now());
        (reason(&decision), decision.effort().evaluated_policies)
    };
    assert_eq!(ask(b"GET", b"/a", b"h"), (None, true));
    assert_eq!(ask(b"GET", b"/a?q=1", b"h"), (None, false), "the query is not read");
    assert_eq!(ask(b"GET", b"/a", b"other"), (None, false), "the host is not read");
    assert_eq!(ask(b"GET", b"/b", b"h"), (Some(DenyReason::NotPermitted), true));
    assert_eq!(ask(b"PUT", b"/a", b"h"), (Some(DenyReason::NotPermitted), true));
    assert_eq!(
        ask(b"GET", b"/b", b"h"),
        (Some(DenyReason::NotPermitted), false),
        "denials are remembered too"
    );
}

#[test]
fn a_path_too_long_to_remember_is_judged_each_time() {
    let engine = engine(&config_with_policy(
        r#"permit (principal, action, resource) when { context.path like "/a*" };"#,
    ));
    let value = bearer(&token(&claims()));
    let credentials: [&[u8]; 1] = [value.as_bytes()];
    let long = format!("/a{}", "b".repeat(5000));
    for path in [long.as_str(), long.as_str(), &format!("{long}c")] {
        let decision = engine.decide(&Request { path: path.as_bytes(), ..get(&credentials) }, now());
        assert_eq!((reason(&decision), decision.effort().evaluated_policies), (None, true));
    }
}

#[test]
fn routes_do_not_share_decisions_unless_they_say_the_same() {
    let engine = engine(&config_with_policy(
        r#"permit (principal, action, resource == Catalyst::Service::"books.acme.example");"#,
    ));
    let value = bearer(&token(&claims()));
    let ask = |route_config: &RouteConfig| {
        let route = route(route_config);
        let decision = engine.decide(&Request { route: Some(&route), ..get(&[value.as_bytes()]) }, now());
        (reason(&decision), decision.effort().evaluated_policies)
    };
    assert_eq!(ask(&RouteConfig::new(SERVICE)), (None, true));
    assert_eq!(ask(&RouteConfig::new("films.acme.example")), (Some(DenyReason::NotPermitted), true));
    assert_eq!(ask(&RouteConfig::new(SERVICE)), (None, false));
    let strict = RouteConfig { organisation: Some("other.example".to_owned()), ..RouteConfig::new(SERVICE) };
    assert_eq!(ask(&strict), (None, true));
}

#[test]
fn without_room_everything_is_found_out_each_time() {
    let mut config = config();
    let nothing = CacheBounds { max_entries: 0, max_bytes: 0 };
    config.caches.tokens = nothing;
    config.caches.decisions = nothing;
    config.caches.forged = nothing;
    config.caches.front_entries = 0;
    let engine = engine(&config);
    let token = token(&claims());
    assert_eq!([decide(&engine, &token).effort(), decide(&engine, &token).effort()], [ALL, ALL]);
}

#[test]
fn a_token_is_never_taken_for_another_with_the_same_claims() {
    let engine = engine(&config());
    let good = token(&claims());
    assert_eq!(reason(&decide(&engine, &good)), None);
    for position in [10, good.len() / 2, good.len() - 2] {
        let mut other = good.clone().into_bytes();
        other[position] = if other[position] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).expect("ASCII");
        assert!(reason(&decide(&engine, &other)).is_some(), "{position}");
    }
}
