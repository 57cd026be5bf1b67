//! The node's HTTP listeners, each as hard as one that faces the internet.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::{Action, RemoveOnMatch};
use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation;
use envoy_types::pb::envoy::config::core::v3::http_protocol_options::HeadersWithUnderscoresAction;
use envoy_types::pb::envoy::config::core::v3::{
    Address, CidrRange, Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions, TcpKeepalive, TrafficDirection,
};
use envoy_types::pb::envoy::config::listener::v3::{
    Filter as NetworkFilter, FilterChain, Listener, filter::ConfigType as NetworkConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    CodecType, InternalAddressConfig, PathWithEscapedSlashesAction, RouteSpecifier, ServerHeaderTransformation,
    UpgradeConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, Rds, http_filter,
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation as Early;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::util::pack_any;

use super::proto::{by_ads, extension, seconds, tcp_address, uint, unix_address, yes};
use super::{NodeSettings, filter};

/// Where requests enter a node. Each has a listener and a route table of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entry {
    /// Clients.
    Ingress,
    /// The gateway's calls, with the client's token.
    Egress,
    /// The node's own calls, which have no token: only the daemon's user can open this socket.
    Node,
}

impl Entry {
    /// Every place of entry.
    pub const ALL: [Self; 3] = [Self::Ingress, Self::Egress, Self::Node];

    /// The name of the listener and of its route table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Node => "node",
        }
    }

    /// Whether requests here are put to the authorization filter.
    pub fn is_authorized(self) -> bool {
        match self {
            Self::Ingress | Self::Egress => true,
            Self::Node => false,
        }
    }
}

/// Only the daemon's user may open the node's socket.
const NODE_SOCKET_MODE: u32 = 0o600;
/// Bytes that wait in each direction of a connection before its other side is held back.
const BUFFER_BYTES: u32 = 64 * 1024;
/// All headers of a request together; more are answered with 431.
const MAX_HEADERS_KIB: u32 = 60;
/// Headers of a request; more are answered with 431.
const MAX_HEADERS: u32 = 100;
/// Requests at a time on one HTTP/2 connection; more have to wait at the client.
const MAX_STREAMS: u32 = 128;
/// Bytes that one HTTP/2 stream may send ahead.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Bytes that all streams of one HTTP/2 connection may send ahead.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// A request whose headers are not complete by then is answered with 408.
const HEADERS_TIMEOUT_SECONDS: u64 = 10;
/// A stream without a byte in either direction for this long is ended.
const STREAM_IDLE_SECONDS: u64 = 300;
/// A connection without a request for this long is closed.
const CONNECTION_IDLE_SECONDS: u64 = 300;
/// Silence after which a connection is probed, so that a vanished client is noticed.
const KEEPALIVE_SECONDS: u32 = 60;

/// Headers with these beginnings are ours or Envoy's to set, never a client's.
const STRIPPED_PREFIXES: [&str; 2] = ["x-catalyst-", "x-envoy-"];
/// Headers by which servers are known to let a client replace the method, path, host or address that was checked.
const STRIPPED: [&str; 17] = [
    "forwarded",
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-uri",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// The listener of `entry`.
pub(super) fn listener(entry: Entry, node: &NodeSettings) -> Listener {
    let manager = NetworkFilter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(NetworkConfig::TypedConfig(pack_any(connection_manager(entry)))),
    };
    let (address, direction) = match entry {
        Entry::Ingress => (tcp_address(node.ingress), TrafficDirection::Inbound),
        Entry::Egress => (tcp_address(node.egress), TrafficDirection::Outbound),
        Entry::Node => (unix_address(&node.node_socket, NODE_SOCKET_MODE), TrafficDirection::Outbound),
    };
    Listener {
        name: entry.name().to_owned(),
        tcp_keepalive: tcp_keepalive(&address),
        address: Some(address),
        stat_prefix: entry.name().to_owned(),
        filter_chains: vec![FilterChain { filters: vec![manager], ..FilterChain::default() }],
        per_connection_buffer_limit_bytes: uint(BUFFER_BYTES),
        traffic_direction: direction.into(),
        ..Listener::default()
    }
}

fn tcp_keepalive(address: &Address) -> Option<TcpKeepalive> {
    use envoy_types::pb::envoy::config::core::v3::address::Address::{
        EnvoyInternalAddress, Pipe, SocketAddress,
    };
    match address.address {
        Some(SocketAddress(_)) => {
            Some(TcpKeepalive { keepalive_time: uint(KEEPALIVE_SECONDS), ..TcpKeepalive::default() })
        }
        Some(Pipe(_) | EnvoyInternalAddress(_)) | None => None,
    }
}

fn connection_manager(entry: Entry) -> HttpConnectionManager {
    HttpConnectionManager {
        stat_prefix: entry.name().to_owned(),
        codec_type: CodecType::Auto.into(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: by_ads(),
            route_config_name: entry.name().to_owned(),
        })),
        http_filters: filters(entry),
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..UpgradeConfig::default()
        }],
        server_name: "catalyst".to_owned(),
        server_header_transformation: ServerHeaderTransformation::Overwrite.into(),
        // What the path is compared with is what the service gets.
        normalize_path: yes(),
        merge_slashes: true,
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::RejectRequest.into(),
        strip_trailing_host_dot: true,
        // Nobody's word is taken for where a request came from.
        use_remote_address: yes(),
        internal_address_config: Some(nobody_is_internal()),
        early_header_mutation_extensions: vec![extension(
            "envoy.http.early_header_mutation.header_mutation",
            Early { mutations: stripped_headers() },
        )],
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: seconds(CONNECTION_IDLE_SECONDS),
            max_headers_count: uint(MAX_HEADERS),
            headers_with_underscores_action: HeadersWithUnderscoresAction::RejectRequest.into(),
            ..HttpProtocolOptions::default()
        }),
        http_protocol_options: Some(Http1ProtocolOptions::default()),
        http2_protocol_options: Some(Http2ProtocolOptions {
            max_concurrent_streams: uint(MAX_STREAMS),
            initial_stream_window_size: uint(STREAM_WINDOW),
            initial_connection_window_size: uint(CONNECTION_WINDOW),
            ..Http2ProtocolOptions::default()
        }),
        max_request_headers_kb: uint(MAX_HEADERS_KIB),
        request_headers_timeout: seconds(HEADERS_TIMEOUT_SECONDS),
        stream_idle_timeout: seconds(STREAM_IDLE_SECONDS),
        ..HttpConnectionManager::default()
    }
}

/// Envoy believes more of what an internal caller says. No list at all would mean its own list of private networks,
/// and an empty one the same: this one has an address that nobody can have.
fn nobody_is_internal() -> InternalAddressConfig {
    let nobody = CidrRange { address_prefix: "255.255.255.255".to_owned(), prefix_len: uint(32) };
    InternalAddressConfig { unix_sockets: false, cidr_ranges: vec![nobody] }
}

fn filters(entry: Entry) -> Vec<HttpFilter> {
    let router = HttpFilter {
        name: "envoy.filters.http.router".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(pack_any(Router {
            suppress_envoy_headers: true,
            ..Router::default()
        }))),
        ..HttpFilter::default()
    };
    let authz = entry.is_authorized().then(filter::in_chain);
    authz.into_iter().chain([router]).collect()
}

fn stripped_headers() -> Vec<HeaderMutation> {
    let by_prefix = STRIPPED_PREFIXES.map(|prefix| {
        let matcher = StringMatcher {
            match_pattern: Some(MatchPattern::Prefix(prefix.to_owned())),
            ..StringMatcher::default()
        };
        Action::RemoveOnMatch(RemoveOnMatch { key_matcher: Some(matcher) })
    });
    let by_name = STRIPPED.map(|name| Action::Remove(name.to_owned()));
    by_prefix.into_iter().chain(by_name).map(|action| HeaderMutation { action: Some(action) }).collect()
}
