//! From the document to the [`Config`]: every field is parsed here, once, and all that is wrong is told at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catalyst_routing::tag::{Tag, Tags};

use super::document::{Document, Report};
use super::names::{self, IssuerUrl};
use super::path::JsonPath;
use super::problem::{Fault, Source};
use super::raw::{
    RawAuth, RawConfig, RawEgress, RawEnvoy, RawGateway, RawIngress, RawIssuer, RawLimits, RawLog, RawNode,
    RawProtocol, RawService, RawXds,
};
use super::text::{self, Reach};
use super::{
    Access, Auth, Config, Egress, Envoy, EnvoyProcess, Gateway, Ingress, Issuer, KeySource, Limits, Listen,
    Log, MAX_SOCKET_PATH, Node, NodeId, OrgName, Protocol, Service, ServiceUrl, Xds,
};

/// The largest leeway: with more, `exp` would say little.
const MAX_LEEWAY: Duration = Duration::from_secs(300);
/// Longest time that keys serve unconfirmed.
const MAX_STALE: Duration = Duration::from_secs(720 * 3600);
/// The longest drain: a node that takes longer to stop looks hung.
const MAX_DRAIN: Duration = Duration::from_secs(3600);
/// The longest an operation of the gateway may be allowed to take: what takes longer is no request.
const MAX_OPERATION: Duration = Duration::from_secs(3600);

/// What the resolution needs to know of the process. Paths are absolute, the working directory without symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The working directory.
    pub cwd: PathBuf,
    /// The Envoy binary that is used if none is named.
    pub envoy: PathBuf,
    /// The filter module that is used if none is named.
    pub filter: PathBuf,
}

/// The configuration that the document says; `None` if the report has a reason.
pub(super) fn resolve(
    document: &Document,
    around: &Surroundings,
    file_dir: &Path,
    report: &mut Report<'_>,
) -> Option<Config> {
    let raw: RawConfig = serde_json::from_value(document.value.clone())
        .expect("what passed the check of the shape is a raw configuration");
    let RawConfig {
        schema: _,
        node,
        ingress,
        egress,
        services,
        auth,
        envoy,
        gateway,
        xds,
        log,
        state_dir,
        run_dir,
    } = raw;
    let mut resolver = Resolver { document, around, file_dir, report };
    let root = JsonPath::default();
    let node = resolver.node(node);
    let org = node.as_ref().map(|node| &node.org);
    let services = resolver.services(services.unwrap_or_default(), org);
    let auth = resolver.auth(auth, org);
    let ingress = resolver.ingress(ingress);
    let envoy = resolver.envoy(envoy);
    let log = resolver.log(log);
    let state_dir = match state_dir {
        Some(text) => resolver.file(&root.key("state_dir"), &text),
        None => node.as_ref().map(|node| around.cwd.join(format!("{}.catalyst", node.id))),
    };
    let run_dir = match run_dir {
        Some(text) => resolver.file(&root.key("run_dir"), &text),
        None => state_dir.as_ref().map(|dir| dir.join("run")),
    };
    let egress = resolver.egress(egress, run_dir.as_deref());
    let gateway = resolver.gateway(gateway, run_dir.as_deref());
    let xds = resolver.xds(xds, run_dir.as_deref());
    let address = |listen: &Listen| match listen {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) => None,
    };
    resolver.addresses_differ([
        (root.key("ingress").key("address"), ingress.as_ref().map(|ingress| ingress.address)),
        (root.key("egress").key("address"), egress.as_ref().map(|egress| egress.address)),
        (root.key("envoy").key("admin_address"), envoy.as_ref().map(|envoy| envoy.admin_address)),
        (root.key("xds").key("listen"), xds.as_ref().and_then(|xds| address(&xds.listen))),
    ]);
    Some(Config {
        node: node?,
        ingress: ingress?,
        egress: egress?,
        services: services?,
        auth: auth?,
        envoy: envoy?,
        gateway: gateway?,
        xds: xds?,
        log: log?,
        state_dir: state_dir?,
        run_dir: run_dir?,
    })
}

struct Resolver<'a, 'b> {
    document: &'a Document,
    around: &'a Surroundings,
    /// Where the configuration file is.
    file_dir: &'a Path,
    report: &'a mut Report<'b>,
}

/// Each returns `None` when it has reported why.
impl Resolver<'_, '_> {
    fn node(&mut self, raw: RawNode) -> Option<Node> {
        let RawNode { id, org } = raw;
        let at = JsonPath::default().key("node");
        let id = self.needed(&at.key("id"), id, "the node's name, such as edge-1");
        let id = id.and_then(|id| self.parsed(&at.key("id"), &id, NodeId::new, Fault::Name));
        let org = self.needed(&at.key("org"), org, "a DNS name such as acme.example");
        let org = org.and_then(|org| self.parsed(&at.key("org"), &org, OrgName::new, Fault::Name));
        Some(Node { id: id?, org: org? })
    }

    fn ingress(&mut self, raw: RawIngress) -> Option<Ingress> {
        let RawIngress { address } = raw;
        let address =
            self.address(&JsonPath::default().key("ingress").key("address"), address, Reach::Anybody)?;
        Some(Ingress { address })
    }

    fn egress(&mut self, raw: RawEgress, run_dir: Option<&Path>) -> Option<Egress> {
        let RawEgress { address } = raw;
        let at = JsonPath::default().key("egress").key("address");
        let address = self.address(&at, address, Reach::ThisMachine);
        let node_socket = self.socket(run_dir, "node.sock");
        Some(Egress { address: address?, node_socket: node_socket? })
    }

    fn services(&mut self, raw: Vec<RawService>, org: Option<&OrgName>) -> Option<Vec<Service>> {
        let at = JsonPath::default().key("services");
        let mut first = BTreeMap::new();
        let mut services = vec![];
        let count = raw.len();
        for (index, raw) in raw.into_iter().enumerate() {
            let at = at.index(index);
            if let Some(service) = self.service(&at, raw, org) {
                self.once(&mut first, service.name.clone(), &at.key("name"));
                services.push(service);
            }
        }
        (services.len() == count).then_some(services)
    }

    fn service(&mut self, at: &JsonPath, raw: RawService, org: Option<&OrgName>) -> Option<Service> {
        let RawService { name, protocol, url, tags, access } = raw;
        let name = self.needed(&at.key("name"), name, "the service's name, such as books");
        let protocol = self.needed(&at.key("protocol"), protocol, "one of graphql, http, grpc, tcp");
        let url =
            self.needed(&at.key("url"), url, "where the service listens, such as http://127.0.0.1:4001");
        let protocol = protocol.map(|protocol| match protocol {
            RawProtocol::Graphql => Protocol::Graphql,
            RawProtocol::Http => Protocol::Http,
            RawProtocol::Grpc => Protocol::Grpc,
            RawProtocol::Tcp => Protocol::Tcp,
        });
        let name = name.zip(org).and_then(|(name, org)| {
            self.parsed(&at.key("name"), &name, |name| names::service_name(name, org), Fault::Name)
        });
        let url = url.zip(protocol).and_then(|(url, protocol)| {
            self.parsed(&at.key("url"), &url, |url| ServiceUrl::new(url, protocol), Fault::Url)
        });
        let tags = self.tags(&at.key("tags"), tags.unwrap_or_default());
        let access = access.unwrap_or(Access::Policy);
        Some(Service { name: name?, protocol: protocol?, url: url?, tags: tags?, access })
    }

    fn tags(&mut self, at: &JsonPath, raw: Vec<String>) -> Option<Vec<String>> {
        let each = |(index, tag): (usize, &String)| self.parsed(&at.index(index), tag, Tag::new, Fault::Tag);
        let parsed: Vec<Option<Tag>> = raw.iter().enumerate().map(each).collect();
        match Tags::new(parsed.into_iter().collect::<Option<_>>()?) {
            Ok(tags) => Some(tags.iter().map(ToString::to_string).collect()),
            Err(error) => self.fault(at, None, Fault::Tag(error)),
        }
    }

    fn auth(&mut self, raw: RawAuth, org: Option<&OrgName>) -> Option<Auth> {
        let RawAuth { issuers, leeway, policies } = raw;
        let at = JsonPath::default().key("auth");
        let issuers = self.issuers(&at.key("issuers"), issuers.unwrap_or_default(), org);
        let leeway = self.duration(&at.key("leeway"), leeway, MAX_LEEWAY);
        let at = at.key("policies");
        let files = policies.unwrap_or_default();
        let policies: Vec<Option<PathBuf>> =
            files.iter().enumerate().map(|(index, text)| self.file(&at.index(index), text)).collect();
        let policies = policies.into_iter().collect::<Option<_>>();
        Some(Auth { issuers: issuers?, leeway: leeway?, policies: policies? })
    }

    fn issuers(&mut self, at: &JsonPath, raw: Vec<RawIssuer>, org: Option<&OrgName>) -> Option<Vec<Issuer>> {
        let mut first = BTreeMap::new();
        let mut issuers = vec![];
        let count = raw.len();
        for (index, raw) in raw.into_iter().enumerate() {
            let at = at.index(index);
            if let Some(issuer) = self.issuer(&at, raw, org) {
                self.once(&mut first, issuer.issuer.clone(), &at.key("issuer"));
                self.same_audiences(&issuers, &issuer, &at.key("audiences"));
                issuers.push(issuer);
            }
        }
        (issuers.len() == count).then_some(issuers)
    }

    fn issuer(&mut self, at: &JsonPath, raw: RawIssuer, org: Option<&OrgName>) -> Option<Issuer> {
        let RawIssuer { issuer, organisation, jwks, jwks_max_stale, jwks_private, audiences, algorithms } =
            raw;
        let expected = "the `iss` of the tokens, such as https://id.acme.example";
        let issuer = self.needed(&at.key("issuer"), issuer, expected);
        let issuer =
            issuer.and_then(|text| self.parsed(&at.key("issuer"), &text, IssuerUrl::new, Fault::Issuer));
        let expected = "the issuer's public keys, a file or an https URL";
        let jwks = self.needed(&at.key("jwks"), jwks, expected);
        let jwks_private = jwks_private.unwrap_or_default();
        let jwks = jwks.and_then(|text| self.key_source(&at.key("jwks"), &text, jwks_private));
        let jwks_max_stale = self.duration(&at.key("jwks_max_stale"), jwks_max_stale, MAX_STALE);
        let organisation = match organisation {
            Some(text) => self.parsed(&at.key("organisation"), &text, OrgName::new, Fault::Name),
            None => org.cloned(),
        };
        let audiences = self.audiences(&at.key("audiences"), audiences.unwrap_or_default());
        let mut algorithms = algorithms.unwrap_or_default();
        algorithms.sort_unstable();
        algorithms.dedup();
        Some(Issuer {
            issuer: issuer?,
            organisation: organisation?,
            jwks: jwks?,
            jwks_max_stale: jwks_max_stale?,
            jwks_private,
            audiences: audiences?,
            algorithms,
        })
    }

    fn key_source(&mut self, at: &JsonPath, text: &str, private: bool) -> Option<KeySource> {
        if !text.contains("://") {
            return self.file(at, text).map(KeySource::File);
        }
        self.parsed(at, text, |text| names::key_set_url(text, private), Fault::KeySetUrl).map(KeySource::Url)
    }

    /// The filter asks for one set of audiences, whoever issued the token.
    fn same_audiences(&mut self, earlier: &[Issuer], issuer: &Issuer, at: &JsonPath) {
        if earlier.first().is_some_and(|first| first.audiences != issuer.audiences) {
            let value = Some(issuer.audiences.join(", "));
            let first = JsonPath::default().key("auth").key("issuers").index(0).key("audiences");
            self.report.add(self.document.source(at), at.clone(), value, Fault::Differs { first });
        }
    }

    fn audiences(&mut self, at: &JsonPath, mut raw: Vec<String>) -> Option<Vec<String>> {
        if let Some(index) = raw.iter().position(String::is_empty) {
            return self.fault(&at.index(index), None, Fault::Empty);
        }
        raw.sort_unstable();
        raw.dedup();
        Some(raw)
    }

    fn envoy(&mut self, raw: RawEnvoy) -> Option<Envoy> {
        let RawEnvoy { manage, bin, admin_address, filter, log, drain_time, concurrency } = raw;
        let at = JsonPath::default().key("envoy");
        let process = if manage.unwrap_or(true) {
            let bin = match bin {
                Some(text) => self.file(&at.key("bin"), &text),
                None => Some(self.around.envoy.clone()),
            };
            let log = log.map(|text| self.file(&at.key("log"), &text));
            let log = log.map_or(Some(None), |log| log.map(Some));
            bin.zip(log).map(|(bin, log)| EnvoyProcess::Managed { bin, log, concurrency })
        } else {
            Some(EnvoyProcess::External)
        };
        let admin_address = self.address(&at.key("admin_address"), admin_address, Reach::ThisMachine);
        let filter = match filter {
            Some(text) => self.file(&at.key("filter"), &text),
            None => Some(self.around.filter.clone()),
        };
        let drain_time = self.duration(&at.key("drain_time"), drain_time, MAX_DRAIN);
        Some(Envoy {
            process: process?,
            admin_address: admin_address?,
            filter: filter?,
            drain_time: drain_time?,
        })
    }

    fn gateway(&mut self, raw: RawGateway, run_dir: Option<&Path>) -> Option<Gateway> {
        let RawGateway { enabled, graphiql, limits } = raw;
        let limits = self.limits(limits);
        let socket = self.socket(run_dir, "gateway.sock")?;
        let (enabled, graphiql) = (enabled.unwrap_or(true), graphiql.unwrap_or(true));
        Some(Gateway { enabled, graphiql, limits: limits?, socket })
    }

    fn limits(&mut self, raw: RawLimits) -> Option<Limits> {
        let RawLimits {
            body_bytes,
            depth,
            fields,
            aliases,
            fetches,
            fetch_time,
            operation_time,
            subgraph_response_bytes,
            response_bytes,
        } = raw;
        let at = JsonPath::default().key("gateway").key("limits");
        let fetch_time = self.duration(&at.key("fetch_time"), fetch_time, MAX_OPERATION);
        let operation_time = self.duration(&at.key("operation_time"), operation_time, MAX_OPERATION);
        let usual = Limits::default();
        Some(Limits {
            body_bytes: body_bytes.unwrap_or(usual.body_bytes),
            depth: depth.unwrap_or(usual.depth),
            fields: fields.unwrap_or(usual.fields),
            aliases: aliases.unwrap_or(usual.aliases),
            fetches: fetches.unwrap_or(usual.fetches),
            fetch_time: fetch_time?,
            operation_time: operation_time?,
            subgraph_response_bytes: subgraph_response_bytes.unwrap_or(usual.subgraph_response_bytes),
            response_bytes: response_bytes.unwrap_or(usual.response_bytes),
            ..usual
        })
    }

    fn xds(&mut self, raw: RawXds, run_dir: Option<&Path>) -> Option<Xds> {
        let RawXds { listen } = raw;
        let at = JsonPath::default().key("xds").key("listen");
        let listen = match listen {
            Some(listen) => {
                let base = self.base(&at);
                self.parsed(&at, &listen, |listen| text::listen(listen, &base), Fault::Listen)?
            }
            None => Listen::Unix(self.socket(run_dir, "xds.sock")?),
        };
        match listen {
            Listen::Unix(path) => self.fits(&at, path).map(Listen::Unix),
            Listen::Tcp(address) => Some(Listen::Tcp(address)),
        }
        .map(|listen| Xds { listen })
    }

    fn log(&mut self, raw: RawLog) -> Option<Log> {
        let RawLog { format, level } = raw;
        let at = JsonPath::default().key("log");
        let format = self.needed(&at.key("format"), format, "text or json")?;
        let level = self.needed(&at.key("level"), level, "a level such as info")?;
        self.parsed(&at.key("level"), &level, text::log_level, Fault::LogLevel)?;
        Some(Log { format, level })
    }

    /// Two listeners at one address would fail in Envoy, long after the start.
    fn addresses_differ(&mut self, all: [(JsonPath, Option<SocketAddr>); 4]) {
        let taken: Vec<_> = all.into_iter().filter_map(|(path, address)| Some((path, address?))).collect();
        let collide = |a: SocketAddr, b: SocketAddr| {
            let any = a.ip().is_unspecified() || b.ip().is_unspecified();
            a.port() == b.port() && (a.ip() == b.ip() || any)
        };
        for (index, (path, address)) in taken.iter().enumerate() {
            if let Some((first, _)) = taken[..index].iter().find(|(_, earlier)| collide(*earlier, *address)) {
                let fault = Fault::Duplicate { first: first.clone() };
                self.report.add(self.document.source(path), path.clone(), Some(address.to_string()), fault);
            }
        }
    }

    fn fault<T>(&mut self, at: &JsonPath, value: Option<String>, fault: Fault) -> Option<T> {
        let missing = matches!(fault, Fault::Missing { .. });
        let source = if missing { self.document.source_around(at) } else { self.document.source(at) };
        self.report.add(source, at.clone(), value, fault);
        None
    }

    fn needed<T>(&mut self, at: &JsonPath, value: Option<T>, expected: &'static str) -> Option<T> {
        match value {
            Some(value) => Some(value),
            None if self.report.covers(at) => None,
            None => self.fault(at, None, Fault::Missing { expected }),
        }
    }

    fn parsed<T, E>(
        &mut self,
        at: &JsonPath,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        fault: impl FnOnce(E) -> Fault,
    ) -> Option<T> {
        parse(text).map_or_else(|error| self.fault(at, Some(text.to_owned()), fault(error)), Some)
    }

    fn address(&mut self, at: &JsonPath, text: Option<String>, reach: Reach) -> Option<SocketAddr> {
        let text = self.needed(at, text, "an IP address with a port")?;
        self.parsed(at, &text, |text| text::address(text, reach), Fault::Address)
    }

    fn duration(&mut self, at: &JsonPath, text: Option<String>, limit: Duration) -> Option<Duration> {
        let text = self.needed(at, text, "a duration such as 30s")?;
        self.parsed(at, &text, |text| text::duration(text, limit), Fault::Duration)
    }

    /// A path in a file is relative to that file; any other, to the working directory.
    fn file(&mut self, at: &JsonPath, text: &str) -> Option<PathBuf> {
        if text.is_empty() {
            return self.fault(at, None, Fault::Empty);
        }
        Some(text::absolute(text, &self.base(at)))
    }

    fn base(&self, at: &JsonPath) -> PathBuf {
        match self.document.source(at) {
            Source::File(_) => self.file_dir.to_owned(),
            Source::Flag(_) | Source::Default => self.around.cwd.clone(),
        }
    }

    fn socket(&mut self, run_dir: Option<&Path>, name: &str) -> Option<PathBuf> {
        self.fits(&JsonPath::default().key("run_dir"), run_dir?.join(name))
    }

    fn fits(&mut self, at: &JsonPath, path: PathBuf) -> Option<PathBuf> {
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            return self.fault(at, None, Fault::SocketPath(path));
        }
        Some(path)
    }

    fn once<K: Ord + Display>(&mut self, first: &mut BTreeMap<K, JsonPath>, value: K, at: &JsonPath) {
        match first.get(&value) {
            Some(earlier) => {
                let fault = Fault::Duplicate { first: earlier.clone() };
                self.report.add(self.document.source(at), at.clone(), Some(value.to_string()), fault);
            }
            None => {
                first.insert(value, at.clone());
            }
        }
    }
}
