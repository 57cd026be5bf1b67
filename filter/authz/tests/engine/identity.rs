//! What an allowed request says about its caller, and what a denial tells.

use catalyst_authz::config::{Access, ForwardedClaim, RouteConfig};
use catalyst_authz::{Decision, DenyReason};
use serde_json::json;

use crate::support::{
    ISSUER, ORGANISATION, SERVICE, bearer, claims, claims_with, config, decide, engine, get, now, reason,
    route, token,
};

#[test]
fn a_good_token_is_allowed_and_names_subject_issuer_and_organisation() {
    let Decision::Allow(allow) = decide(&engine(&config()), &token(&claims())) else { panic!("denied") };
    assert_eq!(allow.subject(), Some("alice"));
    assert_eq!(allow.issuer(), Some(ISSUER));
    assert_eq!(allow.organisation(), Some(ORGANISATION));
    let headers: Vec<_> = allow.headers().collect();
    assert_eq!(
        headers,
        [
            ("x-catalyst-subject", "alice"),
            ("x-catalyst-issuer", ISSUER),
            ("x-catalyst-organisation", ORGANISATION)
        ]
    );
    assert_eq!(allow.policies(), [Box::from("policy0")]);
}

#[test]
fn claims_are_forwarded_where_the_route_says_so() {
    let forward = |claim: &str, header: &str| ForwardedClaim { claim: claim.into(), header: header.into() };
    let route = route(&RouteConfig {
        forward_claims: vec![
            forward("email", "x-user-email"),
            forward("roles", "x-catalyst-claim-roles"),
            forward("absent", "x-user-absent"),
        ],
        ..RouteConfig::new(SERVICE)
    });
    let token = token(&claims_with(json!({ "email": "alice@acme.example", "roles": ["a", "b"] })));
    let credentials = bearer(&token);
    let credentials: [&[u8]; 1] = [credentials.as_bytes()];
    let request = catalyst_authz::Request { route: Some(&route), ..get(&credentials) };
    let Decision::Allow(allow) = engine(&config()).decide(&request, now()) else { panic!("denied") };
    let forwarded: Vec<_> = allow.headers().skip(3).collect();
    assert_eq!(forwarded, [("x-user-email", "alice@acme.example"), ("x-catalyst-claim-roles", "a,b")]);
    let stripped: Vec<_> = route.forwarded_headers().iter().map(AsRef::as_ref).collect();
    assert_eq!(stripped, ["x-user-email", "x-catalyst-claim-roles", "x-user-absent"]);
}

#[test]
fn a_request_without_a_token_is_told_how_to_authenticate_and_no_error() {
    let Decision::Deny(deny) = engine(&config()).decide(&get(&[]), now()) else { panic!("allowed") };
    assert_eq!((deny.reason(), deny.status()), (DenyReason::MissingToken, 401));
    assert_eq!(deny.www_authenticate().as_deref(), Some("Bearer realm=\"catalyst\""));
}

#[test]
fn a_bad_token_is_named_as_such_in_the_terms_of_rfc_6750() {
    let expired = token(&claims_with(json!({ "exp": 1 })));
    let Decision::Deny(deny) = decide(&engine(&config()), &expired) else { panic!("allowed") };
    assert_eq!((deny.reason(), deny.status()), (DenyReason::Expired, 401));
    assert_eq!(deny.issuer(), Some(ISSUER));
    assert_eq!(
        deny.www_authenticate().as_deref(),
        Some(
            "Bearer realm=\"catalyst\", error=\"invalid_token\", error_description=\"the token has expired\""
        )
    );
}

#[test]
fn a_public_route_takes_everybody_and_names_only_whom_it_can_verify() {
    let engine = engine(&config());
    let route = route(&RouteConfig { access: Access::Public, ..RouteConfig::new(SERVICE) });
    let subject = |token: Option<&str>| {
        let value = token.map(bearer);
        let credentials: Vec<&[u8]> = value.iter().map(String::as_bytes).collect();
        let request = catalyst_authz::Request { route: Some(&route), ..get(&credentials) };
        match engine.decide(&request, now()) {
            Decision::Allow(allow) => allow.subject().map(str::to_owned),
            Decision::Deny(deny) => panic!("denied: {:?}", deny.reason()),
        }
    };
    assert_eq!(subject(None), None);
    assert_eq!(subject(Some("rubbish")), None);
    assert_eq!(subject(Some(&token(&claims_with(json!({ "exp": 1 }))))), None);
    assert_eq!(subject(Some(&token(&claims()))).as_deref(), Some("alice"));
}

#[test]
fn a_request_without_any_route_is_denied() {
    let mut config = config();
    config.default_route = None;
    assert_eq!(reason(&decide(&engine(&config), &token(&claims()))), Some(DenyReason::NoRoute));
}
