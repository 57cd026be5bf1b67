//! A request, as the policies see it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use cedar_policy_core::ast::{Context, Entity, EntityUID, EntityUIDEntry, PartialValue, Request, Value};
use cedar_policy_core::entities::Entities;
use smol_str::SmolStr;

use super::entities::OperatorEntities;
use super::names::{Names, uid, with_entities};
use super::reads::Reads;
use super::values::{self, record, string, strings};
use crate::claims::Claims;
use crate::config::{ClaimType, PrincipalKind, Protocol, RouteConfig};
use crate::request::{GraphqlOperation, Timestamp};
use crate::route::organisation_of;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Principal<'a> {
    /// No token, where the route allows that.
    Anonymous,
    /// The subject of a verified token.
    Identified {
        kind: PrincipalKind,
        issuer: &'a str,
        organisation: &'a str,
        claims: &'a Claims<'a>,
        groups: &'a [&'a str],
    },
}

/// Everything that policies can see of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) principal: Principal<'a>,
    pub(crate) action: &'static str,
    pub(crate) resource: &'a Resource,
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) headers: &'a [(&'a str, Cow<'a, str>)],
    pub(crate) source: Option<IpAddr>,
    pub(crate) tls_peer: Option<&'a str>,
    pub(crate) peer_organisation: Option<&'a str>,
    pub(crate) now: Timestamp,
    pub(crate) declared_claims: &'a BTreeMap<String, ClaimType>,
}

/// The name of the action; one of [`super::schema::ACTIONS`].
pub(crate) fn action(protocol: Protocol, operation: Option<GraphqlOperation>, method: &[u8]) -> &'static str {
    match (protocol, operation) {
        (Protocol::Graphql, Some(GraphqlOperation::Query)) => "query",
        (Protocol::Graphql, Some(GraphqlOperation::Mutation)) => "mutation",
        (Protocol::Graphql, Some(GraphqlOperation::Subscription)) => "subscription",
        (Protocol::Grpc, _) => "call",
        (Protocol::Tcp, _) => "connect",
        (Protocol::Http, _) | (Protocol::Graphql, None) => match method {
            b"GET" => "get",
            b"HEAD" => "head",
            b"OPTIONS" => "options",
            b"POST" => "post",
            b"PUT" => "put",
            b"PATCH" => "patch",
            b"DELETE" => "delete",
            b"CONNECT" => "connect",
            b"TRACE" => "trace",
            _ => "other",
        },
    }
}

/// A route's service as a Cedar entity.
#[derive(Debug)]
pub(crate) struct Resource {
    entity: Arc<Entity>,
}

impl Resource {
    pub(crate) fn new(config: &RouteConfig) -> Self {
        let names = Names::new();
        let service = uid(&names.service, &config.service);
        let organisation = uid(&names.organisation, organisation_of(config));
        let parents = config.groups.iter().map(|group| uid(&names.service_group, group));
        let parents = parents.chain([organisation.clone()]).collect();
        let attributes = [
            ("issuer", string("")),
            ("subject", string(&config.service)),
            ("organisation", Value::from(organisation)),
            ("groups", strings(config.groups.iter().map(String::as_str))),
            ("claims", record([])),
            ("name", string(&config.service)),
            ("protocol", string(protocol_name(config.protocol))),
        ];
        let attributes =
            attributes.map(|(name, value)| (SmolStr::new_static(name), PartialValue::Value(value)));
        let tags = config.tags.iter().map(|(name, value)| (name.into(), PartialValue::Value(string(value))));
        let entity = Entity::new_with_attr_partial_value(service, attributes, HashSet::new(), parents, tags);
        Self { entity: Arc::new(entity) }
    }

    /// The entity with everything that the operator put above it.
    fn placed(&self, operator: &OperatorEntities) -> Arc<Entity> {
        let above: HashSet<_> = operator
            .above(self.entity.uid())
            .chain(self.entity.parents().flat_map(|parent| operator.ancestors(parent)))
            .filter(|ancestor| !self.entity.is_child_of(ancestor))
            .cloned()
            .collect();
        if above.is_empty() {
            return Arc::clone(&self.entity);
        }
        let mut entity = self.entity.as_ref().clone();
        above.into_iter().for_each(|ancestor| entity.add_indirect_ancestor(ancestor));
        Arc::new(entity)
    }
}

impl Question<'_> {
    /// The request and the entities it involves, as far as the policies read them; `None` if an address or time
    /// cannot be expressed, which no input is known to cause.
    pub(super) fn build(
        &self,
        names: &Names,
        operator: &OperatorEntities,
        reads: &Reads,
    ) -> Option<(Request, Entities)> {
        let principal = self.principal_entity(names, operator, reads);
        let resource = self.resource.placed(operator);
        let action = names.action(self.action);
        let entry = |uid: &EntityUID| EntityUIDEntry::known(uid.clone(), None);
        let context = self.context(names, reads)?;
        let request = Request::new_unchecked(
            entry(principal.uid()),
            entry(&action.uid),
            entry(resource.uid()),
            Some(context),
        );
        let known = if reads.other_entities { operator.fixed.as_ref() } else { &action.entities };
        Some((request, with_entities(known.clone(), [Arc::new(principal), resource])))
    }

    fn principal_entity(&self, names: &Names, operator: &OperatorEntities, reads: &Reads) -> Entity {
        let (entity, parents, attributes) = match self.principal {
            Principal::Anonymous => {
                let nobody = Identity { issuer: "", subject: "", organisation: uid(&names.organisation, "") };
                let attributes = nobody.attributes(reads, None, || strings([].into_iter()), || record([]));
                (uid(&names.anonymous, "anonymous"), HashSet::new(), attributes)
            }
            Principal::Identified { kind, issuer, organisation, claims, groups } => {
                let entity = uid(names.principal(kind), &format!("{issuer}|{}", claims.subject));
                let organisation_uid = uid(&names.organisation, organisation);
                let mut parents: HashSet<_> = groups
                    .iter()
                    .map(|group| uid(&names.group, &format!("{organisation}/{group}")))
                    .collect();
                parents.insert(organisation_uid.clone());
                let identity = Identity { issuer, subject: &claims.subject, organisation: organisation_uid };
                let set_of_groups = || strings(groups.iter().copied());
                let attributes =
                    identity.attributes(reads, Some(kind), set_of_groups, || self.declared(claims));
                (entity, parents, attributes)
            }
        };
        let above =
            operator.above(&entity).chain(parents.iter().flat_map(|parent| operator.ancestors(parent)));
        let indirect = above.filter(|ancestor| !parents.contains(*ancestor)).cloned().collect();
        Entity::new_with_attr_partial_value(entity, attributes, indirect, parents, [])
    }

    /// The declared claims that the token has in the declared type.
    fn declared(&self, claims: &Claims<'_>) -> Value {
        record(self.declared_claims.iter().filter_map(|(name, claim_type)| {
            let value = values::claim(*claim_type, claims.members.member(name)?)?;
            Some((name.into(), value))
        }))
    }

    fn context(&self, names: &Names, reads: &Reads) -> Option<Context> {
        let mut members: BTreeMap<SmolStr, Value> = BTreeMap::new();
        let mut add = |name: &'static str, value| members.insert(SmolStr::new_static(name), value);
        if reads.method {
            add("method", string(self.method));
        }
        if reads.path {
            add("path", string(self.path));
        }
        if reads.host {
            add("host", string(self.host));
        }
        if !reads.headers.is_empty() {
            let headers = self.headers.iter().filter(|(name, _)| reads.headers.contains(*name));
            add("headers", record(headers.map(|(name, value)| ((*name).into(), string(value)))));
        }
        if let Some(source) = self.source.filter(|_| reads.source) {
            add("source", values::address(source)?);
        }
        if let Some(identity) = self.tls_peer.filter(|_| reads.tls_peer) {
            add("tls_peer", string(identity));
        }
        if let Some(organisation) = self.peer_organisation.filter(|_| reads.peer_organisation) {
            add("peer_organisation", Value::from(uid(&names.organisation, organisation)));
        }
        if reads.time {
            add("time", values::datetime(self.now)?);
        }
        Some(Context::Value(Arc::new(members)))
    }
}

/// What every principal has.
struct Identity<'a> {
    issuer: &'a str,
    subject: &'a str,
    organisation: EntityUID,
}

impl Identity<'_> {
    /// The attributes that policies read.
    fn attributes(
        self,
        reads: &Reads,
        kind: Option<PrincipalKind>,
        groups: impl FnOnce() -> Value,
        claims: impl FnOnce() -> Value,
    ) -> Vec<(SmolStr, PartialValue)> {
        let mut attributes = Vec::new();
        let read = |name| reads.principal.contain(name);
        let mut add = |name: &'static str, value| {
            attributes.push((SmolStr::new_static(name), PartialValue::Value(value)));
        };
        if read("issuer") {
            add("issuer", string(self.issuer));
        }
        if read("subject") {
            add("subject", string(self.subject));
        }
        if read("organisation") {
            add("organisation", Value::from(self.organisation));
        }
        if read("groups") {
            add("groups", groups());
        }
        if read("claims") {
            add("claims", claims());
        }
        if kind == Some(PrincipalKind::Service) {
            add("name", string(self.subject));
            add("protocol", string(""));
        }
        attributes
    }
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "http",
        Protocol::Graphql => "graphql",
        Protocol::Grpc => "grpc",
        Protocol::Tcp => "tcp",
    }
}
