use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::data::accesslog::v3::HttpRequestProperties;
use envoy_types::pb::google::protobuf::Value;

use super::*;

fn entry(metadata: &[(&str, &str)], path: &str) -> HttpAccessLogEntry {
    let field = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let fields = metadata.iter().map(|(key, value)| ((*key).to_owned(), field(value))).collect();
    let metadata = Metadata {
        filter_metadata: [("catalyst".to_owned(), Struct { fields })].into(),
        ..Metadata::default()
    };
    let request = HttpRequestProperties {
        request_method: 1,
        authority: "books.acme.example".into(),
        path: path.into(),
        ..HttpRequestProperties::default()
    };
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon { metadata: Some(metadata), ..AccessLogCommon::default() }),
        request: Some(request),
        ..HttpAccessLogEntry::default()
    }
}

const DENIED: [(&str, &str); 3] = [("decision", "deny"), ("deny_id", "d-1"), ("reason", "expired")];

#[test]
fn a_denial_is_read_without_the_query() {
    let denial = denial(&entry(&DENIED, "/graphql?access_token=secret")).unwrap();
    assert_eq!((denial.id.as_str(), denial.reason.as_str()), ("d-1", "expired"));
    assert_eq!((denial.method.as_str(), denial.path.as_str()), ("GET", "/graphql"));
    assert_eq!(denial.kid, None);
}

#[test]
fn policies_and_the_unknown_key_are_read() {
    let mut metadata = DENIED.to_vec();
    metadata.extend([("policies", "p1,p2"), ("issuer", "https://id.acme.example"), ("kid", "k9")]);
    let denial = denial(&entry(&metadata, "/")).unwrap();
    assert_eq!(denial.policies, ["p1", "p2"]);
    assert_eq!(denial.issuer.as_deref(), Some("https://id.acme.example"));
    assert_eq!(denial.kid.as_deref(), Some("k9"));
}

#[test]
fn an_allowed_request_and_one_without_our_metadata_are_no_denials() {
    assert_eq!(denial(&entry(&[("decision", "allow"), ("subject", "alice")], "/")), None);
    assert_eq!(denial(&entry(&[], "/")), None);
    assert_eq!(denial(&HttpAccessLogEntry::default()), None);
}

#[test]
fn what_the_client_chose_is_cut_and_cannot_drive_a_terminal() {
    let path = format!("/\u{1b}[31m{}", "ü".repeat(MAX_TEXT));
    let denial = denial(&entry(&DENIED, &path)).unwrap();
    assert!(denial.path.len() <= MAX_TEXT && !denial.path.contains('\u{1b}'), "{:?}", denial.path);
}
