//! The effective configuration as it can be written back: a configuration file that says every field, and where each
//! value came from.

use serde_json::{Map, Value, json};

use super::load::Loaded;
use super::path::JsonPath;
use super::problem::Source;
use super::raw::{
    RawAuth, RawConfig, RawEgress, RawEnvoy, RawGateway, RawIngress, RawIssuer, RawLimits, RawLog, RawNode,
    RawProtocol, RawService, RawXds,
};
use super::text::WrittenDuration;
use super::{
    Auth, Config, Egress, Envoy, EnvoyProcess, Gateway, Ingress, Issuer, Limits, Log, Node, Protocol,
    Service, Xds,
};

impl Loaded {
    /// `config`: a complete configuration file that gives this very configuration again. `sources`: for each of its
    /// values the file or the flag that it came from, or `default`.
    pub fn describe(&self) -> Value {
        let config = written(&self.config);
        let mut sources = Map::new();
        let mut note = |path: &JsonPath| {
            let source = match self.document.source(path) {
                Source::Default => "default".to_owned(),
                Source::File(file) => file.display().to_string(),
                Source::Flag(flag) => flag,
            };
            sources.insert(path.to_string(), Value::String(source));
        };
        each_leaf(&config, &JsonPath::default(), &mut note);
        json!({"config": config, "sources": sources})
    }
}

/// Visits every scalar, and every list that holds no objects.
fn each_leaf(value: &Value, path: &JsonPath, visit: &mut impl FnMut(&JsonPath)) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, field)| each_leaf(field, &path.key(key), visit));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(index, item)| each_leaf(item, &path.index(index), visit));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => visit(path),
    }
}

/// The configuration as a file would say it, with every field that has a value.
fn written(config: &Config) -> Value {
    let mut value = serde_json::to_value(raw(config)).expect("the raw form is plain JSON");
    without_null(&mut value);
    value
}

fn without_null(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn path(path: &std::path::Path) -> Option<String> {
    Some(path.display().to_string())
}

fn raw(config: &Config) -> RawConfig {
    let Config { node, ingress, egress, services, auth, envoy, gateway, xds, log, state_dir, run_dir } =
        config;
    let Node { id, org } = node;
    let Ingress { address: ingress_address } = ingress;
    let Egress { address: egress_address, node_socket: _ } = egress;
    let Gateway { enabled, graphiql, limits, socket: _ } = gateway;
    let Xds { listen } = xds;
    let Log { format, level } = log;
    RawConfig {
        schema: None,
        node: RawNode { id: text(id), org: text(org) },
        ingress: RawIngress { address: text(ingress_address) },
        egress: RawEgress { address: text(egress_address) },
        services: Some(services.iter().map(raw_service).collect()),
        auth: raw_auth(auth),
        envoy: raw_envoy(envoy),
        gateway: RawGateway {
            enabled: Some(*enabled),
            graphiql: Some(*graphiql),
            limits: raw_limits(limits),
        },
        xds: RawXds { listen: text(listen) },
        log: RawLog { format: Some(*format), level: Some(level.clone()) },
        state_dir: path(state_dir),
        run_dir: path(run_dir),
    }
}

fn raw_service(service: &Service) -> RawService {
    let Service { name, protocol, url, tags, access } = service;
    let protocol = match protocol {
        Protocol::Graphql => RawProtocol::Graphql,
        Protocol::Http => RawProtocol::Http,
        Protocol::Grpc => RawProtocol::Grpc,
        Protocol::Tcp => RawProtocol::Tcp,
    };
    RawService {
        name: text(name),
        protocol: Some(protocol),
        url: text(url),
        tags: Some(tags.clone()),
        access: Some(*access),
    }
}

fn raw_auth(auth: &Auth) -> RawAuth {
    let Auth { issuers, leeway, policies } = auth;
    RawAuth {
        issuers: Some(issuers.iter().map(raw_issuer).collect()),
        leeway: text(WrittenDuration(*leeway)),
        policies: Some(policies.iter().map(|file| file.display().to_string()).collect()),
    }
}

fn raw_issuer(issuer: &Issuer) -> RawIssuer {
    let Issuer { issuer, organisation, jwks, jwks_max_stale, jwks_private, audiences, algorithms } = issuer;
    RawIssuer {
        issuer: text(issuer),
        organisation: text(organisation),
        jwks: text(jwks),
        jwks_max_stale: text(WrittenDuration(*jwks_max_stale)),
        jwks_private: Some(*jwks_private),
        audiences: Some(audiences.clone()),
        algorithms: Some(algorithms.clone()),
    }
}

fn raw_limits(limits: &Limits) -> RawLimits {
    RawLimits {
        body_bytes: Some(limits.body_bytes),
        depth: Some(limits.depth),
        fields: Some(limits.fields),
        aliases: Some(limits.aliases),
        fetches: Some(limits.fetches),
        fetch_time: text(WrittenDuration(limits.fetch_time)),
        operation_time: text(WrittenDuration(limits.operation_time)),
        subgraph_response_bytes: Some(limits.subgraph_response_bytes),
        response_bytes: Some(limits.response_bytes),
    }
}

fn raw_envoy(envoy: &Envoy) -> RawEnvoy {
    let Envoy { process, admin_address, filter, drain_time } = envoy;
    let (manage, bin, log, concurrency) = match process {
        EnvoyProcess::Managed { bin, log, concurrency } => (true, path(bin), log.as_deref(), *concurrency),
        EnvoyProcess::External => (false, None, None, None),
    };
    RawEnvoy {
        manage: Some(manage),
        bin,
        admin_address: text(admin_address),
        filter: path(filter),
        log: log.and_then(path),
        drain_time: text(WrittenDuration(*drain_time)),
        concurrency,
    }
}
