//! A request, as the policies see it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};

use super::PolicyError;
use super::entities::OperatorEntities;
use super::schema::NAMESPACE;
use crate::claims::Claims;
use crate::config::{ClaimType, PrincipalKind, Protocol, RouteConfig};
use crate::jose::json::Json;
use crate::request::{GraphqlOperation, Timestamp, TlsPeer};
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

/// Everything that policies can see of one request. Texts are checked to be UTF-8.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) principal: Principal<'a>,
    pub(crate) resource: &'a Resource,
    pub(crate) protocol: Protocol,
    pub(crate) operation: Option<GraphqlOperation>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) headers: &'a [(&'a str, Cow<'a, str>)],
    pub(crate) source: Option<std::net::IpAddr>,
    pub(crate) tls_peer: Option<TlsPeer<'a>>,
    pub(crate) peer_organisation: Option<&'a str>,
    pub(crate) now: Timestamp,
    pub(crate) declared_claims: &'a BTreeMap<String, ClaimType>,
}

/// A route's service as a Cedar entity.
#[derive(Debug)]
pub(crate) struct Resource {
    uid: EntityUid,
    entity: Entity,
}

impl Resource {
    pub(crate) fn new(config: &RouteConfig) -> Result<Self, PolicyError> {
        let uid = entity_uid("Service", &config.service);
        let organisation = entity_uid("Organisation", organisation_of(config));
        let mut parents: HashSet<_> =
            config.groups.iter().map(|group| entity_uid("ServiceGroup", group)).collect();
        parents.insert(organisation.clone());
        let attributes = [
            ("issuer", string("")),
            ("subject", string(&config.service)),
            ("organisation", RestrictedExpression::new_entity_uid(organisation)),
            ("groups", strings(config.groups.iter().map(String::as_str))),
            ("claims", record([])),
            ("name", string(&config.service)),
            ("protocol", string(protocol_name(config.protocol))),
        ];
        let attributes: HashMap<_, _> =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let tags = config.tags.iter().map(|(name, value)| (name.clone(), string(value)));
        let entity = Entity::new_with_tags(uid.clone(), attributes, parents, tags)
            .map_err(|error| PolicyError::Entities(error.to_string()))?;
        Ok(Self { uid, entity })
    }
}

impl Question<'_> {
    /// The request and the entities it involves; `None` if Cedar refuses to build them, which no input is known
    /// to cause.
    pub(super) fn build(&self, operator: &OperatorEntities) -> Option<(Request, Entities)> {
        let principal = self.principal_entity(operator)?;
        let resource = self.resource.entity.clone();
        let action = entity_uid("Action", self.action());
        let context = self.context()?;
        let request = Request::new(principal.uid(), action, self.resource.uid.clone(), context, None).ok()?;
        let entities = operator.fixed.clone().upsert_entities([principal, resource], None).ok()?;
        Some((request, entities))
    }

    pub(crate) fn action(&self) -> &'static str {
        match (self.protocol, self.operation) {
            (Protocol::Graphql, Some(GraphqlOperation::Query)) => "query",
            (Protocol::Graphql, Some(GraphqlOperation::Mutation)) => "mutation",
            (Protocol::Graphql, Some(GraphqlOperation::Subscription)) => "subscription",
            (Protocol::Grpc, _) => "call",
            (Protocol::Tcp, _) => "connect",
            (Protocol::Http, _) | (Protocol::Graphql, None) => match self.method {
                "GET" => "get",
                "HEAD" => "head",
                "OPTIONS" => "options",
                "POST" => "post",
                "PUT" => "put",
                "PATCH" => "patch",
                "DELETE" => "delete",
                "CONNECT" => "connect",
                "TRACE" => "trace",
                _ => "other",
            },
        }
    }

    fn principal_entity(&self, operator: &OperatorEntities) -> Option<Entity> {
        match self.principal {
            Principal::Anonymous => Some(Entity::with_uid(entity_uid("Anonymous", "anonymous"))),
            Principal::Identified { kind, issuer, organisation, claims, groups } => {
                let uid = entity_uid(kind_name(kind), &format!("{issuer}|{}", claims.subject));
                let organisation_uid = entity_uid("Organisation", organisation);
                let direct = groups
                    .iter()
                    .map(|group| entity_uid("Group", &format!("{organisation}/{group}")))
                    .chain([organisation_uid.clone()]);
                let mut parents = operator.with_ancestors(direct);
                parents.extend(operator.above(&uid).cloned());
                let mut attributes: HashMap<String, RestrictedExpression> = HashMap::from([
                    ("issuer".to_owned(), string(issuer)),
                    ("subject".to_owned(), string(&claims.subject)),
                    ("organisation".to_owned(), RestrictedExpression::new_entity_uid(organisation_uid)),
                    ("groups".to_owned(), strings(groups.iter().copied())),
                    ("claims".to_owned(), self.declared(claims)),
                ]);
                if kind == PrincipalKind::Service {
                    attributes.insert("name".to_owned(), string(&claims.subject));
                    attributes.insert("protocol".to_owned(), string(""));
                }
                Entity::new(uid, attributes, parents).ok()
            }
        }
    }

    /// The declared claims that the token has in the declared type.
    fn declared(&self, claims: &Claims<'_>) -> RestrictedExpression {
        record(self.declared_claims.iter().filter_map(|(name, claim_type)| {
            let value = claims.members.member(name)?;
            let value = match (claim_type, value) {
                (ClaimType::String, Json::String(text)) => string(text),
                (ClaimType::Long, Json::Integer(number)) => RestrictedExpression::new_long(*number),
                (ClaimType::Bool, Json::Bool(value)) => RestrictedExpression::new_bool(*value),
                (ClaimType::StringSet, value) => strings(value.as_strings()?.into_iter()),
                (ClaimType::String | ClaimType::Long | ClaimType::Bool, _) => return None,
            };
            Some((name.clone(), value))
        }))
    }

    fn context(&self) -> Option<Context> {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        let headers = self.headers.iter().map(|(name, value)| ((*name).to_owned(), string(value)));
        let mut pairs = vec![
            ("method".to_owned(), string(self.method)),
            ("path".to_owned(), string(path)),
            ("host".to_owned(), string(self.host)),
            ("headers".to_owned(), record(headers)),
            ("time".to_owned(), datetime(self.now)),
        ];
        let source = self.source.map(|address| RestrictedExpression::new_ip(address.to_string()));
        pairs.extend(source.map(|source| ("source".to_owned(), source)));
        let tls_peer = self.tls_peer.map(|peer| ("tls_peer".to_owned(), string(peer.identity)));
        pairs.extend(tls_peer);
        let organisation = self.peer_organisation.map(|name| entity_uid("Organisation", name));
        let organisation = organisation.map(RestrictedExpression::new_entity_uid);
        pairs.extend(organisation.map(|organisation| ("peer_organisation".to_owned(), organisation)));
        Context::from_pairs(pairs).ok()
    }
}

fn kind_name(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "User",
        PrincipalKind::Node => "Node",
        PrincipalKind::Service => "Service",
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

fn entity_uid(type_name: &str, id: &str) -> EntityUid {
    let type_name: EntityTypeName =
        format!("{NAMESPACE}::{type_name}").parse().expect("made of two identifiers");
    EntityUid::from_type_name_and_id(type_name, EntityId::new(id))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn strings<'a>(items: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(items.map(string))
}

fn record(members: impl IntoIterator<Item = (String, RestrictedExpression)>) -> RestrictedExpression {
    RestrictedExpression::new_record(members).expect("names come from a map or were checked to be unique")
}

/// Cedar's `datetime` at a whole second, written as an offset from 1970, which has no calendar in it.
fn datetime(time: Timestamp) -> RestrictedExpression {
    let (days, rest) = (time.unix_seconds() / 86_400, time.unix_seconds() % 86_400);
    let (hours, minutes, seconds) = (rest / 3600, rest / 60 % 60, rest % 60);
    let (year, month, day) = civil(days);
    RestrictedExpression::new_datetime(format!(
        "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}Z"
    ))
}

/// The Gregorian date that many days after 1970-01-01, by counting 400-year cycles of 146,097 days from a year
/// that begins in March. Years beyond 9999, which Cedar cannot write, become 9999.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days.min(2_932_896) + 719_468;
    let (cycle, day_of_cycle) = (shifted / 146_097, shifted % 146_097);
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
}
