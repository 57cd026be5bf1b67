use std::collections::BTreeMap;
use std::path::PathBuf;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::ClusterDiscoveryType;
use envoy_types::pb::envoy::config::core::v3::{TypedExtensionConfig, address};
use envoy_types::pb::envoy::config::listener::v3::{Listener, filter::ConfigType};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, Route, RouteAction, RouteConfiguration};
use envoy_types::pb::envoy::extensions::filters::http::dynamic_modules::v3::{
    DynamicModuleFilter, DynamicModuleFilterPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use envoy_types::pb::envoy::service::discovery::v3::Resource as WireResource;
use envoy_types::pb::google::protobuf::{Any, StringValue};
use prost::{Message, Name};

use super::*;
use crate::config::{Access, ServiceName, ServiceUrl};
use crate::xds::resource::ResourceType;
use crate::xds::table::Service;

fn node() -> NodeSettings {
    NodeSettings {
        org: OrgName::new("acme.example").unwrap(),
        ingress: "0.0.0.0:10000".parse().unwrap(),
        egress: "127.0.0.1:10001".parse().unwrap(),
        node_socket: "/run/catalyst/node.sock".into(),
        gateway: Some(Gateway { socket: "/run/catalyst/gateway.sock".into(), graphiql: true }),
        filter: Filter { module: "/state/modules/m.so".into(), config: "{\"issuers\":[]}".into() },
        trusted_ca: Some("/etc/ssl/ca.pem".into()),
    }
}

fn service(protocol: Protocol, url: &str) -> Service {
    Service { protocol, access: Access::Policy, tags: vec![], url: ServiceUrl::new(url, protocol).unwrap() }
}

fn table() -> Table {
    let services = [
        ("books", service(Protocol::Graphql, "http://127.0.0.1:4001/graphql")),
        ("reviews", service(Protocol::Graphql, "http://127.0.0.1:4002/q")),
        ("files", service(Protocol::Http, "https://files.internal")),
        ("metrics", service(Protocol::Http, "http://metrics.internal:9000")),
        ("stock", service(Protocol::Grpc, "http://[::1]:4004")),
        ("db", service(Protocol::Tcp, "tcp://10.0.0.9:5432")),
    ];
    let name = |name: &str| ServiceName::new(&format!("{name}.acme.example")).unwrap();
    Table { services: services.into_iter().map(|(n, service)| (name(n), service)).collect() }
}

fn message<M: Message + Default>(snapshot: &Snapshot, ty: ResourceType, name: &str) -> M {
    let resource = snapshot.resource(ty, name).unwrap_or_else(|| panic!("no {ty} {name}"));
    let wire = WireResource::decode(resource.wire()).unwrap();
    M::decode(&*wire.resource.unwrap().value).unwrap()
}

fn unpack<M: Message + Default + Name>(any: &Any) -> M {
    assert_eq!(any.type_url, M::type_url());
    M::decode(&*any.value).unwrap()
}

fn routes(snapshot: &Snapshot, entry: Entry) -> BTreeMap<String, Vec<Route>> {
    let table: RouteConfiguration = message(snapshot, ResourceType::Route, entry.name());
    assert!(table.ignore_port_in_host_matching);
    table
        .virtual_hosts
        .into_iter()
        .map(|host| {
            assert_eq!(host.domains.len(), 1);
            (host.domains[0].clone(), host.routes)
        })
        .collect()
}

fn forwarded(route: &Route) -> &RouteAction {
    match route.action.as_ref().unwrap() {
        Action::Route(action) => action,
        other => panic!("{other:?}"),
    }
}

/// The route's cluster and the filter's settings for it.
fn target(route: &Route) -> (String, Option<authz::RouteConfig>) {
    let ClusterSpecifier::Cluster(cluster) = forwarded(route).cluster_specifier.clone().unwrap() else {
        panic!("{route:?}");
    };
    let settings = route.typed_per_filter_config.get("catalyst.authz").map(|any| {
        let per_route: DynamicModuleFilterPerRoute = unpack(any);
        let text: StringValue = unpack(&per_route.filter_config.unwrap());
        serde_json::from_str(&text.value).unwrap()
    });
    (cluster, settings)
}

use catalyst_authz::config as authz;

fn assert_not_found(route: &Route) {
    let Some(Action::DirectResponse(response)) = &route.action else { panic!("{route:?}") };
    assert_eq!(response.status, 404);
    let off: FilterConfig = unpack(&route.typed_per_filter_config["catalyst.authz"]);
    assert!(off.disabled);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = build(&table(), &node());
    for _ in 0..20 {
        assert_eq!(build(&table(), &node()), first);
    }
}

#[test]
fn a_change_of_one_service_changes_its_own_resources_alone() {
    let before = build(&table(), &node());
    let mut moved = table();
    let name = ServiceName::new("books.acme.example").unwrap();
    moved.services.insert(name, service(Protocol::Graphql, "http://127.0.0.1:4009/graphql"));
    let after = build(&moved, &node());
    let changed = |ty: ResourceType| {
        let differs = |name: &&super::super::Name| before.resource(ty, name) != after.resource(ty, name);
        after.of(ty).keys().filter(differs).map(|name| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(changed(ResourceType::Endpoint), ["books.acme.example"]);
    for ty in [ResourceType::Cluster, ResourceType::Listener, ResourceType::Route, ResourceType::Extension] {
        assert!(changed(ty).is_empty(), "{ty}");
    }
}

#[test]
fn every_service_but_tcp_has_a_cluster_and_known_addresses_have_endpoints() {
    let snapshot = build(&table(), &node());
    let names = |ty| snapshot.of(ty).keys().map(|name| name.to_string()).collect::<Vec<_>>();
    let full = |names: &[&str]| names.iter().map(|name| format!("{name}.acme.example")).collect::<Vec<_>>();
    assert_eq!(
        names(ResourceType::Cluster),
        [full(&["books", "files"]), vec!["gateway".into()], full(&["metrics", "reviews", "stock"])].concat()
    );
    assert_eq!(names(ResourceType::Endpoint), full(&["books", "reviews", "stock"]));
    assert_eq!(names(ResourceType::Listener), ["egress", "ingress", "node"]);
    assert_eq!(names(ResourceType::Route), ["egress", "ingress", "node"]);
    assert_eq!(names(ResourceType::Extension), ["catalyst.authz"]);
}

#[test]
fn a_service_with_a_host_name_is_resolved_by_envoy() {
    let snapshot = build(&table(), &node());
    let by_dns: Cluster = message(&snapshot, ResourceType::Cluster, "metrics.acme.example");
    let Some(ClusterDiscoveryType::ClusterType(ty)) = by_dns.cluster_discovery_type else { panic!() };
    assert_eq!(ty.name, "envoy.cluster.dns");
    assert!(by_dns.load_assignment.is_some());
    let by_eds: Cluster = message(&snapshot, ResourceType::Cluster, "books.acme.example");
    assert!(by_eds.eds_cluster_config.is_some() && by_eds.load_assignment.is_none());
}

#[test]
fn only_https_is_encrypted_and_its_certificate_checked() {
    use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType::TypedConfig;
    use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
    use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;
    let snapshot = build(&table(), &node());
    for (name, is_tls) in [("files", true), ("metrics", false), ("books", false), ("stock", false)] {
        let cluster: Cluster = message(&snapshot, ResourceType::Cluster, &format!("{name}.acme.example"));
        assert_eq!(cluster.transport_socket.is_some(), is_tls, "{name}");
        let Some(socket) = cluster.transport_socket else { continue };
        let Some(TypedConfig(any)) = socket.config_type else { panic!() };
        let tls: UpstreamTlsContext = unpack(&any);
        assert_eq!(tls.sni, "files.internal");
        let common = tls.common_tls_context.unwrap();
        let Some(ValidationContextType::ValidationContext(validation)) = common.validation_context_type
        else {
            panic!()
        };
        assert_eq!(validation.match_typed_subject_alt_names.len(), 1);
        assert!(validation.trusted_ca.is_some());
    }
}

#[test]
fn a_service_is_reached_by_its_name_on_ingress_and_egress() {
    let snapshot = build(&table(), &node());
    for entry in [Entry::Ingress, Entry::Egress] {
        let hosts = routes(&snapshot, entry);
        assert_eq!(hosts.len(), 6, "five services and any other host");
        for name in ["books", "files", "metrics", "reviews", "stock"] {
            let full = format!("{name}.acme.example");
            let (cluster, settings) = target(&hosts[&full][0]);
            let settings = settings.unwrap();
            assert_eq!((&*cluster, &*settings.service), (&*full, &*full));
            assert_eq!(settings.access, Access::Policy);
            assert_eq!(settings.organisation.as_deref(), Some("acme.example"));
        }
    }
}

#[test]
fn a_service_with_a_host_name_is_called_by_that_name() {
    let hosts = routes(&build(&table(), &node()), Entry::Ingress);
    let rewritten = |name: &str| {
        let rewrite = forwarded(&hosts[&format!("{name}.acme.example")][0]).host_rewrite_specifier.clone();
        rewrite.map(|rewrite| match rewrite {
            HostRewriteSpecifier::HostRewriteLiteral(literal) => literal,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(rewritten("books"), None);
    assert_eq!(rewritten("files").as_deref(), Some("files.internal"));
    assert_eq!(rewritten("metrics").as_deref(), Some("metrics.internal:9000"));
}

#[test]
fn a_graphql_service_is_called_at_one_path_whatever_its_own_is() {
    let hosts = routes(&build(&table(), &node()), Entry::Egress);
    for (name, own) in [("books", ""), ("reviews", "/q")] {
        let routes = &hosts[&format!("{name}.acme.example")];
        assert_eq!(forwarded(&routes[0]).prefix_rewrite, own);
        assert_not_found(&routes[1]);
    }
}

#[test]
fn the_node_itself_may_post_to_graphql_services_and_no_more() {
    let hosts = routes(&build(&table(), &node()), Entry::Node);
    assert_eq!(hosts.keys().collect::<Vec<_>>(), ["*", "books.acme.example", "reviews.acme.example"]);
    for name in ["books", "reviews"] {
        let routes = &hosts[&format!("{name}.acme.example")];
        let (_, settings) = target(&routes[0]);
        assert!(settings.is_none());
        assert_eq!(routes[0].r#match.as_ref().unwrap().headers.len(), 1);
    }
}

#[test]
fn any_other_host_leads_to_the_gateway_on_ingress_alone() {
    let snapshot = build(&table(), &node());
    let any = &routes(&snapshot, Entry::Ingress)["*"];
    assert_eq!(any.len(), 3);
    let access = |route| {
        let (cluster, settings) = target(route);
        assert_eq!(cluster, "gateway");
        settings.unwrap().access
    };
    assert_eq!(access(&any[0]), Access::Public, "the page");
    assert_eq!(access(&any[1]), Access::Authenticated, "a query");
    assert_not_found(&any[2]);
    for entry in [Entry::Egress, Entry::Node] {
        assert_not_found(&routes(&snapshot, entry)["*"][0]);
    }
}

#[test]
fn without_a_gateway_or_a_page_there_is_no_route_to_it() {
    let mut settings = node();
    settings.gateway.as_mut().unwrap().graphiql = false;
    assert_eq!(routes(&build(&table(), &settings), Entry::Ingress)["*"].len(), 2);
    settings.gateway = None;
    let snapshot = build(&table(), &settings);
    assert_eq!(routes(&snapshot, Entry::Ingress)["*"].len(), 1);
    assert!(snapshot.resource(ResourceType::Cluster, "gateway").is_none());
}

#[test]
fn tags_are_groups_and_pairs_are_tags_of_cedar() {
    let mut table = table();
    let name = ServiceName::new("books.acme.example").unwrap();
    table.services.get_mut(&name).unwrap().tags = vec!["public".into(), "tier=gold".into()];
    let hosts = routes(&build(&table, &node()), Entry::Ingress);
    let settings = target(&hosts[name.as_str()][0]).1.unwrap();
    assert_eq!(settings.groups, ["public", "tier=gold"]);
    assert_eq!(settings.tags, BTreeMap::from([("tier".to_owned(), "gold".to_owned())]));
}

fn manager(snapshot: &Snapshot, entry: Entry) -> HttpConnectionManager {
    let listener: Listener = message(snapshot, ResourceType::Listener, entry.name());
    let Some(ConfigType::TypedConfig(any)) = &listener.filter_chains[0].filters[0].config_type else {
        panic!()
    };
    unpack(any)
}

#[test]
fn every_listener_but_the_nodes_own_asks_the_filter_first() {
    let snapshot = build(&table(), &node());
    for (entry, expected) in [
        (Entry::Ingress, &["catalyst.authz", "envoy.filters.http.router"][..]),
        (Entry::Egress, &["catalyst.authz", "envoy.filters.http.router"]),
        (Entry::Node, &["envoy.filters.http.router"]),
    ] {
        let filters = manager(&snapshot, entry).http_filters;
        assert_eq!(filters.iter().map(|filter| &*filter.name).collect::<Vec<_>>(), expected);
        assert!(filters.iter().all(|filter| !filter.is_optional && !filter.disabled));
    }
}

#[test]
fn the_nodes_own_listener_is_a_socket_for_its_user_alone() {
    let snapshot = build(&table(), &node());
    let listener: Listener = message(&snapshot, ResourceType::Listener, "node");
    let Some(address::Address::Pipe(pipe)) = listener.address.unwrap().address else { panic!() };
    assert_eq!((&*pipe.path, pipe.mode), ("/run/catalyst/node.sock", 0o600));
}

#[test]
fn the_filter_is_loaded_by_path_and_never_unmapped() {
    let snapshot = build(&table(), &node());
    let extension: TypedExtensionConfig = message(&snapshot, ResourceType::Extension, "catalyst.authz");
    let filter: DynamicModuleFilter = unpack(&extension.typed_config.unwrap());
    let text: StringValue = unpack(&filter.filter_config.unwrap());
    assert_eq!(text.value, node().filter.config);
    let module = filter.dynamic_module_config.unwrap();
    assert!(module.do_not_close);
    let path = PathBuf::from("/state/modules/m.so");
    assert!(format!("{:?}", module.module).contains(path.to_str().unwrap()));
}
