//! Route tables: which request goes to which cluster.
//!
//! A service has a virtual host of its name, with or without a port. On ingress the host of any other name leads
//! `/graphql` to the gateway. Everything else is answered with 404, without asking the filter.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source};
use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::retry_policy::{
    RetryBackOff, RetryHostPredicate, retry_host_predicate,
};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::{
    ClusterSpecifier, HostRewriteSpecifier, MaxStreamDuration,
};
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{
    DirectResponseAction, HeaderMatcher, QueryParameterMatcher, RetryPolicy, Route, RouteAction,
    RouteConfiguration, RouteMatch, VirtualHost,
};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::util::pack_any;

use super::listener::Entry;
use super::proto::{duration, seconds, uint};
use super::{NodeSettings, cluster, filter};
use crate::config::{Access, Host, Protocol, Scheme, ServiceName};
use crate::xds::table::{Service, Table};

/// The path of the gateway, and that at which every GraphQL service is called, whatever its own path is.
const GRAPHQL_PATH: &str = "/graphql";
/// A request to a service is given up when nothing moved for this long.
const IDLE_SECONDS: u64 = 300;
/// A gRPC stream may be silent for longer: it is how events are waited for.
const GRPC_IDLE_SECONDS: u64 = 3600;
/// Further attempts when a connection fails before the request was sent.
const RETRIES: u32 = 2;
/// Pause before the first retry; it doubles up to [`RETRY_MAX_PAUSE_MS`].
const RETRY_PAUSE_MS: u64 = 25;
/// Longest pause before a retry.
const RETRY_MAX_PAUSE_MS: u64 = 250;

/// The route table of `entry`.
pub(super) fn table(entry: Entry, table: &Table, node: &NodeSettings) -> RouteConfiguration {
    let services =
        table.services.iter().filter_map(|(name, service)| virtual_host(entry, name, service, node));
    RouteConfiguration {
        name: entry.name().to_owned(),
        virtual_hosts: services.chain([any_other_host(entry, node)]).collect(),
        ignore_port_in_host_matching: true,
        ..RouteConfiguration::default()
    }
}

/// The node itself has no business but to read the schema of a GraphQL service.
fn virtual_host(
    entry: Entry,
    name: &ServiceName,
    service: &Service,
    node: &NodeSettings,
) -> Option<VirtualHost> {
    let settings = || match entry.is_authorized() {
        true => filter::for_service(name, service, node),
        false => HashMap::new(),
    };
    let routes = match (service.protocol, entry) {
        (Protocol::Graphql, Entry::Ingress | Entry::Egress) => {
            vec![graphql(name, service, vec![], settings()), not_found()]
        }
        (Protocol::Graphql, Entry::Node) => {
            vec![graphql(name, service, vec![method("POST")], settings()), not_found()]
        }
        (Protocol::Http | Protocol::Grpc, Entry::Ingress | Entry::Egress) => {
            let all = matching(PathSpecifier::Prefix("/".to_owned()), vec![]);
            vec![route(all, to_service(name, service), settings())]
        }
        (Protocol::Http | Protocol::Grpc, Entry::Node) | (Protocol::Tcp, _) => return None,
    };
    Some(VirtualHost {
        name: name.to_string(),
        domains: vec![name.to_string()],
        routes,
        ..VirtualHost::default()
    })
}

fn any_other_host(entry: Entry, node: &NodeSettings) -> VirtualHost {
    let gateway = match (entry, &node.gateway) {
        (Entry::Ingress, Some(gateway)) => gateway_routes(gateway.graphiql, node),
        (Entry::Ingress, None) | (Entry::Egress | Entry::Node, _) => vec![],
    };
    VirtualHost {
        name: "*".to_owned(),
        domains: vec!["*".to_owned()],
        routes: gateway.into_iter().chain([not_found()]).collect(),
        ..VirtualHost::default()
    }
}

/// A browser cannot bring a token when it opens the page, and the page holds no data; a query is no page.
fn gateway_routes(graphiql: bool, node: &NodeSettings) -> Vec<Route> {
    let to_gateway = || forward(cluster::GATEWAY, Protocol::Graphql);
    let path = || PathSpecifier::Path(GRAPHQL_PATH.to_owned());
    let html = HeaderMatchSpecifier::StringMatch(text(MatchPattern::Contains("text/html".to_owned())));
    let mut page = matching(path(), vec![method("GET"), header("accept", html)]);
    page.query_parameters = vec![absent_parameter("query"), absent_parameter("extensions")];
    let page = route(page, to_gateway(), filter::for_gateway(Access::Public, node));
    let query =
        route(matching(path(), vec![]), to_gateway(), filter::for_gateway(Access::Authenticated, node));
    graphiql.then_some(page).into_iter().chain([query]).collect()
}

fn graphql(
    name: &ServiceName,
    service: &Service,
    headers: Vec<HeaderMatcher>,
    settings: HashMap<String, Any>,
) -> Route {
    let mut action = to_service(name, service);
    let path = service.url.path().unwrap_or(GRAPHQL_PATH);
    if path != GRAPHQL_PATH {
        action.prefix_rewrite = path.to_owned();
    }
    route(matching(PathSpecifier::Path(GRAPHQL_PATH.to_owned()), headers), action, settings)
}

/// A service known by a host name is called by it: servers of many names choose by `Host`. Any other sees its own
/// name.
fn to_service(name: &ServiceName, service: &Service) -> RouteAction {
    let mut action = forward(name.as_str(), service.protocol);
    if let Host::Name(host) = service.url.host() {
        let port = service.url.port();
        let authority = match (service.url.scheme(), port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => host.clone(),
            (Scheme::Http | Scheme::Https | Scheme::Tcp, _) => format!("{host}:{port}"),
        };
        action.host_rewrite_specifier = Some(HostRewriteSpecifier::HostRewriteLiteral(authority));
    }
    action
}

/// No limit on the whole: a stream may last as long as something moves.
fn forward(cluster: &str, protocol: Protocol) -> RouteAction {
    let (idle, stream) = match protocol {
        Protocol::Grpc => {
            let as_called = MaxStreamDuration { grpc_timeout_header_max: seconds(0), ..Default::default() };
            (GRPC_IDLE_SECONDS, Some(as_called))
        }
        Protocol::Graphql | Protocol::Http | Protocol::Tcp => (IDLE_SECONDS, None),
    };
    RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.to_owned())),
        timeout: seconds(0),
        idle_timeout: seconds(idle),
        max_stream_duration: stream,
        retry_policy: Some(retry_policy()),
        ..RouteAction::default()
    }
}

/// Only what certainly did not reach the service is sent again.
fn retry_policy() -> RetryPolicy {
    let other_host = RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_host_predicate::ConfigType::TypedConfig(pack_any(PreviousHostsPredicate {}))),
    };
    RetryPolicy {
        retry_on: "connect-failure,refused-stream,reset-before-request".to_owned(),
        num_retries: uint(RETRIES),
        retry_host_predicate: vec![other_host],
        host_selection_retry_max_attempts: 3,
        retry_back_off: Some(RetryBackOff {
            base_interval: duration(std::time::Duration::from_millis(RETRY_PAUSE_MS)),
            max_interval: duration(std::time::Duration::from_millis(RETRY_MAX_PAUSE_MS)),
        }),
        ..RetryPolicy::default()
    }
}

fn not_found() -> Route {
    let body = "{\"error\":\"no such service or path\"}\n";
    let response = DirectResponseAction {
        status: 404,
        body: Some(DataSource {
            specifier: Some(data_source::Specifier::InlineString(body.to_owned())),
            ..DataSource::default()
        }),
        ..DirectResponseAction::default()
    };
    Route {
        r#match: Some(matching(PathSpecifier::Prefix("/".to_owned()), vec![])),
        action: Some(Action::DirectResponse(response)),
        typed_per_filter_config: filter::off(),
        ..Route::default()
    }
}

fn route(matching: RouteMatch, action: RouteAction, settings: HashMap<String, Any>) -> Route {
    Route {
        r#match: Some(matching),
        action: Some(Action::Route(action)),
        typed_per_filter_config: settings,
        ..Route::default()
    }
}

fn matching(path: PathSpecifier, headers: Vec<HeaderMatcher>) -> RouteMatch {
    RouteMatch { path_specifier: Some(path), headers, ..RouteMatch::default() }
}

fn method(name: &str) -> HeaderMatcher {
    header(":method", HeaderMatchSpecifier::StringMatch(text(MatchPattern::Exact(name.to_owned()))))
}

fn header(name: &str, specifier: HeaderMatchSpecifier) -> HeaderMatcher {
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(specifier),
        ..HeaderMatcher::default()
    }
}

fn absent_parameter(name: &str) -> QueryParameterMatcher {
    QueryParameterMatcher {
        name: name.to_owned(),
        query_parameter_match_specifier: Some(QueryParameterMatchSpecifier::PresentMatch(false)),
    }
}

fn text(pattern: MatchPattern) -> StringMatcher {
    StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() }
}
