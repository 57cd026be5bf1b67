//! The bootstrap: who Envoy is, its admin interface, and where the daemon's xDS server is.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::config::Listen;

/// The cluster of the daemon's xDS server, the only one that does not come by xDS itself.
pub const XDS_CLUSTER: &str = "catalystd";

/// Connections from clients and peers that one Envoy takes at a time; a further one is closed at once, before it can
/// cost memory.
pub const MAX_DOWNSTREAM_CONNECTIONS: u64 = 50_000;

/// What a bootstrap is made from.
#[derive(Debug, Clone)]
pub struct Bootstrap<'a> {
    /// Node id, as the xDS server sees it.
    pub node: &'a str,
    /// Node group: the organisation.
    pub cluster: &'a str,
    /// Envoy's admin interface, on loopback.
    pub admin: SocketAddr,
    /// The daemon's xDS server.
    pub xds: &'a Listen,
}

/// The bootstrap as Envoy's JSON form (`envoy.config.bootstrap.v3.Bootstrap`). Equal inputs give equal text.
pub fn bootstrap(settings: &Bootstrap<'_>) -> Value {
    let ads = json!({"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"});
    json!({
        "node": {"id": settings.node, "cluster": settings.cluster},
        "admin": {"address": socket_address(settings.admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": true,
                "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER}}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {"clusters": [xds_cluster(settings.xds)]},
        "overload_manager": {"resource_monitors": [{
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": MAX_DOWNSTREAM_CONNECTIONS,
            },
        }]},
    })
}

fn xds_cluster(xds: &Listen) -> Value {
    let address = match xds {
        Listen::Unix(path) => json!({"pipe": {"path": path}}),
        Listen::Tcp(address) => socket_address(*address),
    };
    json!({
        "name": XDS_CLUSTER,
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {
                    // A daemon that is gone without a word is noticed.
                    "connection_keepalive": {"interval": "30s", "timeout": "10s"},
                }},
            },
        },
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    })
}

fn socket_address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(xds: &Listen) -> Value {
        bootstrap(&Bootstrap {
            node: "edge-1",
            cluster: "acme.example",
            admin: "127.0.0.1:9901".parse().unwrap(),
            xds,
        })
    }

    #[test]
    fn nothing_is_static_but_the_way_to_the_daemon() {
        let bootstrap = example(&Listen::Unix("/run/catalyst/xds.sock".into()));
        let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
        assert_eq!(clusters.len(), 1);
        assert_eq!(clusters[0]["name"], XDS_CLUSTER);
        assert_eq!(bootstrap["static_resources"].as_object().unwrap().len(), 1, "no listener, no secret");
    }

    #[test]
    fn the_xds_server_is_reached_by_socket_or_by_loopback() {
        let endpoint = |xds: &Listen| {
            example(xds)["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
                [0]["endpoint"]["address"]
                .clone()
        };
        assert_eq!(endpoint(&Listen::Unix("/s".into())), json!({"pipe": {"path": "/s"}}));
        assert_eq!(
            endpoint(&Listen::Tcp("[::1]:7000".parse().unwrap())),
            json!({"socket_address": {"address": "::1", "port_value": 7000}})
        );
    }
}
