//! Which tokens are believed.

use catalyst_authz::DenyReason;
use catalyst_authz::jose::Algorithm;
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, ISSUER, NOW, Signer, claims, claims_with, config, decide, engine, jwks, reason, signer, token,
};

fn check_claims(changes: Value, expected: Option<DenyReason>) {
    let token = token(&claims_with(changes.clone()));
    assert_eq!(reason(&decide(&engine(&config()), &token)), expected, "{changes}");
}

#[test]
fn every_accepted_algorithm_verifies_with_its_kind_of_key() {
    use Algorithm::{EdDsa, Es256, Es384, Rs256};
    let mut config = config();
    config.issuers[0].jwks = Some(jwks([Es256, Es384, EdDsa, Rs256].map(signer)));
    let engine = engine(&config);
    for algorithm in Algorithm::ALL {
        let token = signer(algorithm).token(algorithm, &claims());
        assert_eq!(reason(&decide(&engine, &token)), None, "{algorithm}");
    }
}

#[test]
fn a_token_signed_by_another_key_of_the_same_id_is_refused() {
    let forger = Signer::generate_ec256("ec256");
    let token = forger.token(Algorithm::Es256, &claims());
    assert_eq!(reason(&decide(&engine(&config()), &token)), Some(DenyReason::BadSignature));
}

#[test]
fn time_is_checked_with_the_leeway_at_its_exact_bounds() {
    use DenyReason::{Expired, NotYetValid};
    check_claims(json!({ "exp": NOW - 29 }), None);
    check_claims(json!({ "exp": NOW - 30 }), Some(Expired));
    check_claims(json!({ "exp": 0 }), Some(Expired));
    check_claims(json!({ "nbf": NOW + 30 }), None);
    check_claims(json!({ "nbf": NOW + 31 }), Some(NotYetValid));
    check_claims(json!({ "iat": NOW + 30 }), None);
    check_claims(json!({ "iat": NOW + 31 }), Some(NotYetValid));
    check_claims(json!({ "exp": NOW as f64 - 29.5 }), Some(Expired));
    check_claims(json!({ "nbf": NOW as f64 + 30.5 }), Some(NotYetValid));
}

#[test]
fn required_claims_must_be_there_and_of_their_type() {
    use DenyReason::{InvalidClaim, MissingClaim, UnknownIssuer, WrongAudience};
    check_claims(json!({ "iss": null }), Some(MissingClaim));
    check_claims(json!({ "sub": null }), Some(MissingClaim));
    check_claims(json!({ "exp": null }), Some(MissingClaim));
    check_claims(json!({ "aud": null }), Some(WrongAudience));
    check_claims(json!({ "iat": null }), None);
    check_claims(json!({ "iss": [ISSUER] }), Some(InvalidClaim));
    check_claims(json!({ "iss": "https://id.evil.example" }), Some(UnknownIssuer));
    check_claims(json!({ "iss": format!("{ISSUER}/") }), Some(UnknownIssuer));
    check_claims(json!({ "sub": "" }), Some(InvalidClaim));
    check_claims(json!({ "sub": 7 }), Some(InvalidClaim));
    check_claims(json!({ "exp": "1900000000" }), Some(InvalidClaim));
    check_claims(json!({ "exp": -1 }), Some(InvalidClaim));
    check_claims(json!({ "exp": 1e300 }), Some(InvalidClaim));
    check_claims(json!({ "nbf": true }), Some(InvalidClaim));
    check_claims(json!({ "jti": 7 }), Some(InvalidClaim));
}

#[test]
fn one_of_the_audiences_must_match_byte_by_byte() {
    use DenyReason::{InvalidClaim, WrongAudience};
    check_claims(json!({ "aud": [AUDIENCE] }), None);
    check_claims(json!({ "aud": ["https://other.example", AUDIENCE] }), None);
    check_claims(json!({ "aud": [] }), Some(WrongAudience));
    check_claims(json!({ "aud": "api.acme.example" }), Some(WrongAudience));
    check_claims(json!({ "aud": format!("{AUDIENCE}/") }), Some(WrongAudience));
    check_claims(json!({ "aud": AUDIENCE.to_uppercase() }), Some(WrongAudience));
    check_claims(json!({ "aud": [AUDIENCE, 7] }), Some(InvalidClaim));
    check_claims(json!({ "aud": { "a": AUDIENCE } }), Some(InvalidClaim));
}
