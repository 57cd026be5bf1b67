//! The authorization filter: its place in a chain, its configuration, and its settings for a route.

use std::collections::{BTreeMap, HashMap};

use catalyst_authz::config as authz;
use envoy_types::pb::envoy::config::core::v3::async_data_source;
use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, DataSource, ExtensionConfigSource, TypedExtensionConfig, data_source,
};
use envoy_types::pb::envoy::config::route::v3::FilterConfig;
use envoy_types::pb::envoy::extensions::dynamic_modules::v3::DynamicModuleConfig;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_modules::v3::{
    DynamicModuleFilter, DynamicModuleFilterPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use envoy_types::pb::google::protobuf::{Any, StringValue};
use envoy_types::util::pack_any;
use prost::Name;

use super::proto::{by_ads, extension as extension_config, only, path_text};
use super::{Filter, NodeSettings};
use crate::config::{Access, OrgName, Protocol, ServiceName};
use crate::xds::table::Service;

/// The filter's name in every chain, and that of its configuration resource.
pub(super) const NAME: &str = "catalyst.authz";
/// What the module calls this filter.
const FILTER_NAME: &str = "authz";
/// What the module's own counters begin with.
const METRICS_NAMESPACE: &str = "catalyst";

type PerFilter = HashMap<String, Any>;

/// The filter's configuration, as a resource of its own: a rotated key swaps one object, and requests in flight are
/// finished under the configuration that they began with.
pub(super) fn extension(filter: &Filter) -> TypedExtensionConfig {
    let config = DynamicModuleFilter {
        dynamic_module_config: Some(module(filter)),
        filter_name: FILTER_NAME.to_owned(),
        filter_config: Some(json(filter.config.clone())),
        terminal_filter: false,
    };
    extension_config(NAME, config)
}

/// The filter in a chain. While its configuration has not arrived the listener does not open.
pub(super) fn in_chain() -> HttpFilter {
    let discovery = ExtensionConfigSource {
        config_source: by_ads(),
        type_urls: vec![DynamicModuleFilter::type_url()],
        ..ExtensionConfigSource::default()
    };
    HttpFilter {
        name: NAME.to_owned(),
        config_type: Some(ConfigType::ConfigDiscovery(discovery)),
        ..HttpFilter::default()
    }
}

/// What the filter has to know about a route to a service.
pub(super) fn for_service(name: &ServiceName, service: &Service, node: &NodeSettings) -> PerFilter {
    per_route(&service_route(name, service, &node.org), node)
}

/// What the filter has to know about the route to the gateway. Any valid token may use it: the policies are asked
/// about each service that a query needs, when the gateway calls that service.
pub(super) fn for_gateway(access: Access, node: &NodeSettings) -> PerFilter {
    let route = authz::RouteConfig {
        organisation: Some(node.org.to_string()),
        protocol: authz::Protocol::Graphql,
        access,
        ..authz::RouteConfig::new(format!("{}.{}", super::cluster::GATEWAY, node.org))
    };
    per_route(&route, node)
}

/// The filter is not asked: for a route that leads nowhere.
pub(super) fn off() -> PerFilter {
    only(NAME, FilterConfig { disabled: true, ..FilterConfig::default() })
}

fn service_route(name: &ServiceName, service: &Service, org: &OrgName) -> authz::RouteConfig {
    let tags = service.tags.iter().filter_map(|tag| tag.split_once('='));
    authz::RouteConfig {
        organisation: name.is_under(org).then(|| org.to_string()),
        protocol: match service.protocol {
            Protocol::Graphql => authz::Protocol::Graphql,
            Protocol::Http => authz::Protocol::Http,
            Protocol::Grpc => authz::Protocol::Grpc,
            Protocol::Tcp => authz::Protocol::Tcp,
        },
        access: service.access,
        groups: service.tags.clone(),
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
        ..authz::RouteConfig::new(name.as_str())
    }
}

fn per_route(route: &authz::RouteConfig, node: &NodeSettings) -> PerFilter {
    let text = serde_json::to_string(route).expect("a route's configuration is strings, enums and lists");
    let config = DynamicModuleFilterPerRoute {
        dynamic_module_config: Some(module(&node.filter)),
        filter_name: FILTER_NAME.to_owned(),
        filter_config: Some(json(text)),
        ..DynamicModuleFilterPerRoute::default()
    };
    only(NAME, config)
}

/// The module by its path. It is never unmapped: threads and thread-locals of Rust outlive its last filter.
fn module(filter: &Filter) -> DynamicModuleConfig {
    let file = DataSource {
        specifier: Some(data_source::Specifier::Filename(path_text(&filter.module))),
        ..DataSource::default()
    };
    DynamicModuleConfig {
        do_not_close: true,
        metrics_namespace: METRICS_NAMESPACE.to_owned(),
        module: Some(AsyncDataSource { specifier: Some(async_data_source::Specifier::Local(file)) }),
        ..DynamicModuleConfig::default()
    }
}

fn json(text: String) -> Any {
    pack_any(StringValue { value: text })
}
