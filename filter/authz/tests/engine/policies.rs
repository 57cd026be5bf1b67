//! What policies see and how their answers are told.

use catalyst_authz::DenyReason;
use catalyst_authz::config::RouteConfig;
use serde_json::{Value, json};

use crate::support::{SERVICE, claims_with, config_with_policy, decide, engine, get, now, reason, token};

fn check(policy: &str, claims: Value, expected: Option<DenyReason>) {
    let engine = engine(&config_with_policy(policy));
    assert_eq!(reason(&decide(&engine, &token(&claims_with(claims.clone())))), expected, "{policy} {claims}");
}

#[test]
fn the_principal_is_known_by_issuer_and_subject_and_has_its_organisation_and_groups() {
    let permit = |condition: &str| format!("permit (principal, action, resource) when {{ {condition} }};");
    let policy =
        r#"permit (principal == Catalyst::User::"https://id.acme.example|alice", action, resource);"#;
    check(policy, json!({}), None);
    check(policy, json!({ "sub": "bob" }), Some(DenyReason::NotPermitted));
    let policy = permit(r#"principal in Catalyst::Organisation::"acme.example""#);
    check(&policy, json!({}), None);
    let policy = permit(r#"principal in Catalyst::Group::"acme.example/admins""#);
    check(&policy, json!({ "groups": ["staff", "admins"] }), None);
    check(&policy, json!({ "groups": "admins" }), None);
    check(&policy, json!({ "groups": ["staff"] }), Some(DenyReason::NotPermitted));
    check(&policy, json!({ "groups": 7 }), Some(DenyReason::InvalidClaim));
}

#[test]
fn a_forbid_wins_and_an_error_denies_even_where_another_policy_permits() {
    let both = r#"permit (principal, action, resource);
        @id("closed") forbid (principal, action == Catalyst::Action::"get", resource);"#;
    check(both, json!({}), Some(DenyReason::Forbidden));
    let overflow = r#"permit (principal, action, resource);
        forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };"#;
    check(overflow, json!({}), Some(DenyReason::PolicyError));
}

#[test]
fn anonymous_requests_are_put_to_the_policy_only_where_the_route_allows_them() {
    let mut config = config_with_policy(
        r#"permit (principal is Catalyst::Anonymous, action in Catalyst::Action::"read", resource);"#,
    );
    assert_eq!(reason(&engine(&config).decide(&get(&[]), now())), Some(DenyReason::MissingToken));
    config.default_route = Some(RouteConfig { anonymous: true, ..RouteConfig::new(SERVICE) });
    let engine = engine(&config);
    assert_eq!(reason(&engine.decide(&get(&[]), now())), None);
    let post = catalyst_authz::Request { method: b"POST", ..get(&[]) };
    let catalyst_authz::Decision::Deny(deny) = engine.decide(&post, now()) else { panic!("allowed") };
    assert_eq!((deny.reason(), deny.status(), deny.error()), (DenyReason::NotPermitted, 401, None));
}
