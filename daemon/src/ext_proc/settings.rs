//! What Envoy must be told so that it asks this fallback, and so that a request without an answer is denied.
//!
//! Of the two, `ext_proc` sees trailers as well, so it is the one that the daemon itself sets up.

use std::collections::HashMap;
use std::time::Duration;

use catalyst_authz::config::RouteConfig;
use catalyst_authz::proxy::METADATA_NAMESPACE;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutationRules;
use envoy_types::pb::envoy::config::core::v3::grpc_service::{EnvoyGrpc, TargetSpecifier};
use envoy_types::pb::envoy::config::core::v3::{ApiVersion, GrpcService, HeaderValue};
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::{
    CheckSettings, ExtAuthz, ExtAuthzPerRoute, ext_authz, ext_authz_per_route,
};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::external_processor::RouteCacheAction;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::metadata_options::MetadataNamespaces;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::{
    ExtProcOverrides, ExtProcPerRoute, ExternalProcessor, MetadataOptions, ProcessingMode, ext_proc_per_route,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::{self, BoolValue};

/// How long Envoy waits for an answer. A decision takes less than a millisecond; a request whose answer is later is
/// denied.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// The status of a request that nobody answered for.
const STATUS_ON_ERROR: i32 = 503;

/// Where a route's settings travel: gRPC metadata of `ext_proc`, a context extension of `ext_authz`. Both come from
/// Envoy's configuration; no client can set either.
pub(super) const ROUTE_METADATA: &str = "x-catalyst-route";

/// The key of [`ATTRIBUTES`] in a question of `ext_proc`.
pub(super) const ATTRIBUTES_NAMESPACE: &str = "envoy.filters.http.ext_proc";

/// What `ext_proc` has to send beside the headers.
const ATTRIBUTES: [&str; 6] = [
    "source.address",
    "connection.mtls",
    "connection.uri_san_peer_certificate",
    "connection.dns_san_peer_certificate",
    "connection.subject_peer_certificate",
    "connection.sha256_peer_certificate_digest",
];

/// The `ext_proc` filter that asks the daemon behind `cluster`.
pub fn ext_proc(cluster: &str) -> ExternalProcessor {
    let namespaces = MetadataNamespaces { untyped: vec![METADATA_NAMESPACE.to_owned()], typed: Vec::new() };
    ExternalProcessor {
        grpc_service: Some(grpc(cluster)),
        failure_mode_allow: false,
        status_on_error: Some(HttpStatus { code: STATUS_ON_ERROR }),
        message_timeout: Some(timeout()),
        processing_mode: Some(ProcessingMode {
            request_header_mode: HeaderSendMode::Send.into(),
            request_body_mode: BodySendMode::None.into(),
            request_trailer_mode: HeaderSendMode::Send.into(),
            response_header_mode: HeaderSendMode::Skip.into(),
            response_body_mode: BodySendMode::None.into(),
            response_trailer_mode: HeaderSendMode::Skip.into(),
        }),
        request_attributes: ATTRIBUTES.map(str::to_owned).to_vec(),
        mutation_rules: Some(mutation_rules()),
        metadata_options: Some(MetadataOptions {
            receiving_namespaces: Some(namespaces),
            ..MetadataOptions::default()
        }),
        route_cache_action: RouteCacheAction::Retain.into(),
        ..ExternalProcessor::default()
    }
}

/// What `ext_proc` has to know about a route.
pub fn ext_proc_route(route: &RouteConfig) -> ExtProcPerRoute {
    let settings = HeaderValue {
        key: ROUTE_METADATA.to_owned(),
        value: route_settings(route),
        ..HeaderValue::default()
    };
    let overrides = ExtProcOverrides { grpc_initial_metadata: vec![settings], ..ExtProcOverrides::default() };
    ExtProcPerRoute { r#override: Some(ext_proc_per_route::Override::Overrides(overrides)) }
}

/// The `ext_authz` filter that asks the daemon behind `cluster`.
pub fn ext_authz(cluster: &str) -> ExtAuthz {
    ExtAuthz {
        services: Some(ext_authz::Services::GrpcService(grpc(cluster))),
        transport_api_version: ApiVersion::V3.into(),
        failure_mode_allow: false,
        status_on_error: Some(HttpStatus { code: STATUS_ON_ERROR }),
        include_peer_certificate: true,
        encode_raw_headers: true,
        validate_mutations: true,
        decoder_header_mutation_rules: Some(mutation_rules()),
        ..ExtAuthz::default()
    }
}

/// What `ext_authz` has to know about a route.
pub fn ext_authz_route(route: &RouteConfig) -> ExtAuthzPerRoute {
    let context_extensions = HashMap::from([(ROUTE_METADATA.to_owned(), route_settings(route))]);
    let settings = CheckSettings { context_extensions, ..CheckSettings::default() };
    ExtAuthzPerRoute { r#override: Some(ext_authz_per_route::Override::CheckSettings(settings)) }
}

fn grpc(cluster: &str) -> GrpcService {
    let target = EnvoyGrpc { cluster_name: cluster.to_owned(), ..EnvoyGrpc::default() };
    GrpcService {
        timeout: Some(timeout()),
        target_specifier: Some(TargetSpecifier::EnvoyGrpc(target)),
        ..GrpcService::default()
    }
}

fn timeout() -> protobuf::Duration {
    protobuf::Duration { seconds: TIMEOUT.as_secs().cast_signed(), nanos: 0 }
}

/// A header that Envoy would not let us set or remove is an error, so that the request is denied instead of passed
/// with what the client sent.
fn mutation_rules() -> HeaderMutationRules {
    let yes = Some(BoolValue { value: true });
    HeaderMutationRules { allow_envoy: yes, disallow_is_error: yes, ..HeaderMutationRules::default() }
}

/// The JSON of a route's configuration in visible ASCII, and without `%`, with which Envoy would begin a variable.
fn route_settings(route: &RouteConfig) -> String {
    let json = serde_json::to_string(route).expect("a route's configuration is strings, enums and lists");
    let mut ascii = String::with_capacity(json.len());
    for unit in json.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(plain @ ' '..='~') if plain != '%' => ascii.push(plain),
            // JSON has nothing but ASCII outside of its strings, and control characters are escaped already.
            Ok(_) | Err(_) => ascii.push_str(&format!("\\u{unit:04x}")),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routes_settings_survive_as_visible_ascii() {
        let mut route = RouteConfig::new("books.acme.example");
        route.tags.insert("tier%".to_owned(), "gøld 🦀 \"%REQ(x)%\" \\ \n".to_owned());
        let text = route_settings(&route);
        assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'%'), "{text}");
        assert_eq!(RouteConfig::from_json(&text).unwrap(), route);
    }
}
