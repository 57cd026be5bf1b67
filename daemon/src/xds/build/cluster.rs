//! Clusters and endpoints: how a service is reached.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, CustomClusterType, DiscoveryType, EdsClusterConfig,
};
use envoy_types::pb::envoy::config::cluster::v3::{
    CircuitBreakers, Cluster, OutlierDetection, UpstreamConnectionOptions,
};
use envoy_types::pb::envoy::config::core::v3::{
    Address, DataSource, Http1ProtocolOptions, Http2ProtocolOptions,
    HttpProtocolOptions as CommonHttpOptions, TcpKeepalive, TransportSocket, data_source, transport_socket,
};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};
use envoy_types::pb::envoy::extensions::clusters::dns::v3::DnsCluster;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::subject_alt_name_matcher::SanType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, SubjectAltNameMatcher, UpstreamTlsContext,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    AutoHttpConfig, ExplicitHttpConfig, UpstreamProtocolOptions,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::google::protobuf::BoolValue;
use envoy_types::util::pack_any;

use super::proto::{by_ads, named_address, only, path_text, seconds, tcp_address, uint, unix_address};
use super::{Gateway, NodeSettings};
use crate::config::{Host, Protocol, Scheme, ServiceName};
use crate::xds::table::Service;

/// The cluster of the gateway. No service has this name: a service's name has a dot.
pub(super) const GATEWAY: &str = "gateway";

/// A connection that is not made by then is tried elsewhere or given up.
const CONNECT_TIMEOUT_SECONDS: u64 = 5;
/// Bytes that wait in each direction of a connection before its other side is held back.
const BUFFER_BYTES: u32 = 64 * 1024;
/// An unused upstream connection is closed after this time, before common servers (60 s) would close it.
const IDLE_SECONDS: u64 = 50;
/// Connections to one service; more requests wait.
const MAX_CONNECTIONS: u32 = 4_096;
/// Requests that wait for a connection to one service; more are answered with 503.
const MAX_PENDING: u32 = 4_096;
/// Requests at one service at a time; more are answered with 503.
const MAX_REQUESTS: u32 = 16_384;
/// Retries towards one service at a time; more fail as their first attempt did.
const MAX_RETRIES: u32 = 64;
/// Failures in a row after which an endpoint is left alone for a while.
const OUTLIER_FAILURES: u32 = 5;
/// How long an endpoint is left alone the first time.
const EJECTION_SECONDS: u64 = 5;
/// How long an endpoint is left alone at most.
const MAX_EJECTION_SECONDS: u64 = 60;
/// Silence after which a connection is probed, so that a vanished host is noticed.
const KEEPALIVE_SECONDS: u32 = 30;

/// How `service` is reached. Its endpoints come by EDS, or from DNS if it is known by a host name.
pub(super) fn cluster(name: &ServiceName, service: &Service, node: &NodeSettings) -> Cluster {
    let mut cluster = base(name.as_str(), http_options(service));
    match service.url.host() {
        Host::Ip(_) => {
            cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into()));
            cluster.eds_cluster_config =
                Some(EdsClusterConfig { eds_config: by_ads(), service_name: String::new() });
        }
        Host::Name(host) => {
            let dns = DnsCluster { respect_dns_ttl: true, ..DnsCluster::default() };
            cluster.cluster_discovery_type = Some(ClusterDiscoveryType::ClusterType(CustomClusterType {
                name: "envoy.cluster.dns".to_owned(),
                typed_config: Some(pack_any(dns)),
            }));
            // Envoy answers for a change of clusters when all of them are warm: a name that nobody knows would hold up
            // every other service.
            cluster.wait_for_warm_on_init = Some(BoolValue { value: false });
            let address = named_address(host.clone(), service.url.port());
            cluster.load_assignment = Some(assignment(name.as_str(), address));
        }
    }
    match service.url.scheme() {
        Scheme::Https => cluster.transport_socket = Some(tls(service, node)),
        Scheme::Http | Scheme::Tcp => {}
    }
    cluster
}

/// Where `service` is, unless DNS says so.
pub(super) fn endpoints(name: &ServiceName, service: &Service) -> Option<ClusterLoadAssignment> {
    match service.url.host() {
        Host::Ip(ip) => {
            let address = tcp_address(SocketAddr::new(*ip, service.url.port()));
            Some(assignment(name.as_str(), address))
        }
        Host::Name(_) => None,
    }
}

/// The gateway, at its socket.
pub(super) fn gateway(gateway: &Gateway) -> Cluster {
    let mut cluster = base(GATEWAY, explicit(ProtocolConfig::HttpProtocolOptions(http1())));
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into()));
    cluster.load_assignment = Some(assignment(GATEWAY, unix_address(&gateway.socket, 0)));
    cluster
}

fn base(name: &str, options: UpstreamProtocolOptions) -> Cluster {
    let common = CommonHttpOptions { idle_timeout: seconds(IDLE_SECONDS), ..CommonHttpOptions::default() };
    let http = HttpProtocolOptions {
        common_http_protocol_options: Some(common),
        upstream_protocol_options: Some(options),
        ..HttpProtocolOptions::default()
    };
    Cluster {
        name: name.to_owned(),
        connect_timeout: seconds(CONNECT_TIMEOUT_SECONDS),
        per_connection_buffer_limit_bytes: uint(BUFFER_BYTES),
        circuit_breakers: Some(circuit_breakers()),
        outlier_detection: Some(outlier_detection()),
        typed_extension_protocol_options: only(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            http,
        ),
        upstream_connection_options: Some(UpstreamConnectionOptions {
            tcp_keepalive: Some(TcpKeepalive {
                keepalive_time: uint(KEEPALIVE_SECONDS),
                ..TcpKeepalive::default()
            }),
            ..UpstreamConnectionOptions::default()
        }),
        ..Cluster::default()
    }
}

fn assignment(cluster: &str, address: Address) -> ClusterLoadAssignment {
    let endpoint = Endpoint { address: Some(address), ..Endpoint::default() };
    let endpoint =
        LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() };
    ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: vec![endpoint],
            ..LocalityLbEndpoints::default()
        }],
        ..ClusterLoadAssignment::default()
    }
}

/// gRPC needs HTTP/2. Over TLS the service chooses by ALPN; in the clear it is spoken to in HTTP/1.1, which every
/// server understands.
fn http_options(service: &Service) -> UpstreamProtocolOptions {
    match (service.protocol, service.url.scheme()) {
        (Protocol::Grpc, Scheme::Http | Scheme::Https | Scheme::Tcp) => {
            explicit(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default()))
        }
        (Protocol::Graphql | Protocol::Http | Protocol::Tcp, Scheme::Https) => {
            UpstreamProtocolOptions::AutoConfig(AutoHttpConfig {
                http_protocol_options: Some(http1()),
                http2_protocol_options: Some(Http2ProtocolOptions::default()),
                ..AutoHttpConfig::default()
            })
        }
        (Protocol::Graphql | Protocol::Http | Protocol::Tcp, Scheme::Http | Scheme::Tcp) => {
            explicit(ProtocolConfig::HttpProtocolOptions(http1()))
        }
    }
}

fn explicit(config: ProtocolConfig) -> UpstreamProtocolOptions {
    UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig { protocol_config: Some(config) })
}

fn http1() -> Http1ProtocolOptions {
    Http1ProtocolOptions::default()
}

fn circuit_breakers() -> CircuitBreakers {
    let thresholds = Thresholds {
        max_connections: uint(MAX_CONNECTIONS),
        max_pending_requests: uint(MAX_PENDING),
        max_requests: uint(MAX_REQUESTS),
        max_retries: uint(MAX_RETRIES),
        ..Thresholds::default()
    };
    CircuitBreakers { thresholds: vec![thresholds], ..CircuitBreakers::default() }
}

/// An endpoint that cannot be reached or whose gateway fails is left alone. What the service itself answers, 500
/// included, says nothing about the endpoint.
fn outlier_detection() -> OutlierDetection {
    OutlierDetection {
        enforcing_consecutive_5xx: uint(0),
        enforcing_success_rate: uint(0),
        enforcing_local_origin_success_rate: uint(0),
        consecutive_gateway_failure: uint(OUTLIER_FAILURES),
        enforcing_consecutive_gateway_failure: uint(100),
        split_external_local_origin_errors: true,
        consecutive_local_origin_failure: uint(OUTLIER_FAILURES),
        enforcing_consecutive_local_origin_failure: uint(100),
        interval: seconds(1),
        base_ejection_time: seconds(EJECTION_SECONDS),
        max_ejection_time: seconds(MAX_EJECTION_SECONDS),
        max_ejection_percent: uint(50),
        ..OutlierDetection::default()
    }
}

/// TLS with the server's certificate checked against the trusted authorities and against the host of the URL.
fn tls(service: &Service, node: &NodeSettings) -> TransportSocket {
    let (sni, san_type) = match service.url.host() {
        Host::Name(host) => (host.clone(), SanType::Dns),
        Host::Ip(_) => (String::new(), SanType::IpAddress),
    };
    let san = SubjectAltNameMatcher {
        san_type: san_type.into(),
        matcher: Some(StringMatcher {
            match_pattern: Some(MatchPattern::Exact(host_text(service.url.host()))),
            ..StringMatcher::default()
        }),
        ..SubjectAltNameMatcher::default()
    };
    // Without authorities the path is empty, which no file has: Envoy refuses the cluster, and nothing is sent.
    let trusted_ca = node.trusted_ca.as_deref().map(path_text).unwrap_or_default();
    let validation = CertificateValidationContext {
        trusted_ca: Some(DataSource {
            specifier: Some(data_source::Specifier::Filename(trusted_ca)),
            ..DataSource::default()
        }),
        match_typed_subject_alt_names: vec![san],
        ..CertificateValidationContext::default()
    };
    let alpn: &[&str] = match service.protocol {
        Protocol::Grpc => &["h2"],
        Protocol::Graphql | Protocol::Http | Protocol::Tcp => &["h2", "http/1.1"],
    };
    let context = UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            validation_context_type: Some(ValidationContextType::ValidationContext(validation)),
            alpn_protocols: alpn.iter().map(|&protocol| protocol.to_owned()).collect(),
            ..CommonTlsContext::default()
        }),
        sni,
        ..UpstreamTlsContext::default()
    };
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack_any(context))),
    }
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    }
}
