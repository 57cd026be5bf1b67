//! A route's attributes.

use std::net::IpAddr;
use std::num::NonZeroU16;

use bytes::Bytes;
use catalyst_proto::peering::v1 as proto;
use catalyst_routing::attributes::{
    AttributeError, Attributes, Health, Host, NextHop, Origin, OriginKind, PathPrefix, Reflection, Region,
    SchemaDigest,
};
use catalyst_routing::name::{HostName, NameError, NodeId, OrgName};
use catalyst_routing::path::{Hop, MAX_PATH_HOPS, Path, PathTooLong};
use catalyst_routing::tag::{MAX_TAGS, Tag, TagError, Tags};
use prost::Message as _;

/// Why attributes can't be used. The peer's fault; the routes that have them count as withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AttributesError {
    #[error("attributes that are none: {0}")]
    Undecodable(#[from] prost::DecodeError),
    #[error("no {0}")]
    Missing(&'static str),
    #[error("{0}")]
    Name(#[from] NameError),
    #[error("{0}")]
    Path(#[from] PathTooLong),
    #[error("{0}")]
    Tag(#[from] TagError),
    #[error("{0}")]
    Attribute(#[from] AttributeError),
    #[error("{field} has the unknown value {value}")]
    Unknown { field: &'static str, value: i32 },
    #[error("{field} is {value}; expected 1 to 65535")]
    OutOfRange { field: &'static str, value: u32 },
    #[error("next hop address of {0} bytes; expected 4 or 16")]
    Address(usize),
    #[error("schema digest of {0} bytes; expected 32")]
    Schema(usize),
}

pub(super) fn encode_attributes(attributes: &Attributes) -> proto::Attributes {
    let Attributes {
        origin,
        origin_kind,
        path,
        next_hop,
        local_preference,
        med,
        weight,
        tags,
        health,
        region,
        path_prefix,
        schema,
        reflection,
        only_to_customer,
    } = attributes;
    let hop =
        |Hop { org, node }: &Hop| proto::Hop { organisation: org.to_string(), node: text(node.as_ref()) };
    let Origin { org, node } = origin;
    proto::Attributes {
        origin: Some(proto::Origin { organisation: org.to_string(), node: text(node.as_ref()) }),
        origin_kind: match origin_kind {
            OriginKind::Configured => proto::OriginKind::Configured.into(),
            OriginKind::Registered => proto::OriginKind::Registered.into(),
            OriginKind::Incomplete => proto::OriginKind::Incomplete.into(),
        },
        path: path.hops().iter().map(hop).collect(),
        next_hop: Some(encode_next_hop(next_hop)),
        local_preference: *local_preference,
        med: *med,
        weight: weight.get().into(),
        tags: tags.iter().map(ToString::to_string).collect(),
        health: match health {
            Health::Healthy => proto::Health::Healthy.into(),
            Health::Unhealthy => proto::Health::Unhealthy.into(),
        },
        region: region.as_ref().map(Region::as_str).unwrap_or_default().to_owned(),
        path_prefix: path_prefix.as_ref().map(PathPrefix::as_str).unwrap_or_default().to_owned(),
        schema_sha256: schema.map(|s| Bytes::copy_from_slice(&s.0)).unwrap_or_default(),
        reflection: reflection.as_ref().map(|reflection| proto::Reflection {
            originator: reflection.originator.to_string(),
            clusters: reflection.clusters().iter().map(ToString::to_string).collect(),
        }),
        only_to_customer: text(only_to_customer.as_ref()),
    }
}

pub(super) fn decode_attributes(bytes: Bytes) -> Result<Attributes, AttributesError> {
    let proto::Attributes {
        origin,
        origin_kind,
        path,
        next_hop,
        local_preference,
        med,
        weight,
        tags,
        health,
        region,
        path_prefix,
        schema_sha256,
        reflection,
        only_to_customer,
    } = proto::Attributes::decode(bytes)?;
    let proto::Origin { organisation, node } = origin.ok_or(AttributesError::Missing("origin"))?;
    Ok(Attributes {
        origin: Origin { org: OrgName::new(&organisation)?, node: optional(&node, NodeId::new)? },
        origin_kind: decode_origin_kind(origin_kind)?,
        path: decode_path(path)?,
        next_hop: decode_next_hop(next_hop.ok_or(AttributesError::Missing("next hop"))?)?,
        local_preference,
        med,
        weight: decode_weight(weight)?,
        tags: decode_tags(&tags)?,
        health: decode_health(health)?,
        region: optional(&region, Region::new)?,
        path_prefix: optional(&path_prefix, PathPrefix::new)?,
        schema: decode_schema(&schema_sha256)?,
        reflection: reflection.map(decode_reflection).transpose()?,
        only_to_customer: optional(&only_to_customer, OrgName::new)?,
    })
}

fn decode_path(path: Vec<proto::Hop>) -> Result<Path, AttributesError> {
    // Counted before names are made of it.
    if path.len() > MAX_PATH_HOPS {
        return Err(PathTooLong { hops: path.len() }.into());
    }
    let hop = |proto::Hop { organisation, node }: proto::Hop| {
        Ok(Hop { org: OrgName::new(&organisation)?, node: optional(&node, NodeId::new)? })
    };
    let hops = path.into_iter().map(hop).collect::<Result<Vec<_>, AttributesError>>()?;
    Ok(Path::new(hops)?)
}

fn encode_next_hop(next_hop: &NextHop) -> proto::NextHop {
    let host = match &next_hop.host {
        Host::Address(IpAddr::V4(address)) => {
            proto::next_hop::Host::Address(Bytes::copy_from_slice(&address.octets()))
        }
        Host::Address(IpAddr::V6(address)) => {
            proto::next_hop::Host::Address(Bytes::copy_from_slice(&address.octets()))
        }
        Host::Name(name) => proto::next_hop::Host::Name(name.to_string()),
    };
    proto::NextHop { host: Some(host), port: next_hop.port().into() }
}

fn decode_next_hop(next_hop: proto::NextHop) -> Result<NextHop, AttributesError> {
    let proto::NextHop { host, port } = next_hop;
    let host = match host.ok_or(AttributesError::Missing("next hop's host"))? {
        proto::next_hop::Host::Name(name) => Host::Name(HostName::new(&name)?),
        proto::next_hop::Host::Address(octets) => {
            let v4 = <[u8; 4]>::try_from(octets.as_ref()).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(octets.as_ref()).map(IpAddr::from));
            Host::Address(address.map_err(|_| AttributesError::Address(octets.len()))?)
        }
    };
    let out_of_range = |_| AttributesError::OutOfRange { field: "next hop's port", value: port };
    Ok(NextHop::new(host, u16::try_from(port).map_err(out_of_range)?)?)
}

fn decode_weight(weight: u32) -> Result<NonZeroU16, AttributesError> {
    let narrow = u16::try_from(weight).ok().and_then(NonZeroU16::new);
    narrow.ok_or(AttributesError::OutOfRange { field: "weight", value: weight })
}

fn decode_tags(tags: &[String]) -> Result<Tags, AttributesError> {
    if tags.len() > MAX_TAGS {
        return Err(TagError::TooMany { count: tags.len() }.into());
    }
    let tags = tags.iter().map(|tag| Tag::new(tag)).collect::<Result<Vec<_>, _>>()?;
    Ok(Tags::new(tags)?)
}

fn decode_origin_kind(value: i32) -> Result<OriginKind, AttributesError> {
    let unknown = AttributesError::Unknown { field: "origin kind", value };
    match proto::OriginKind::try_from(value) {
        Ok(proto::OriginKind::Configured) => Ok(OriginKind::Configured),
        Ok(proto::OriginKind::Registered) => Ok(OriginKind::Registered),
        Ok(proto::OriginKind::Incomplete) => Ok(OriginKind::Incomplete),
        Ok(proto::OriginKind::Unspecified) | Err(_) => Err(unknown),
    }
}

fn decode_health(value: i32) -> Result<Health, AttributesError> {
    match proto::Health::try_from(value) {
        Ok(proto::Health::Healthy) => Ok(Health::Healthy),
        Ok(proto::Health::Unhealthy) => Ok(Health::Unhealthy),
        Ok(proto::Health::Unspecified) | Err(_) => Err(AttributesError::Unknown { field: "health", value }),
    }
}

fn decode_schema(digest: &[u8]) -> Result<Option<SchemaDigest>, AttributesError> {
    if digest.is_empty() {
        return Ok(None);
    }
    let digest = <[u8; 32]>::try_from(digest).map_err(|_| AttributesError::Schema(digest.len()))?;
    Ok(Some(SchemaDigest(digest)))
}

fn decode_reflection(reflection: proto::Reflection) -> Result<Reflection, AttributesError> {
    let proto::Reflection { originator, clusters } = reflection;
    // Counted before names are made of it.
    if clusters.len() > catalyst_routing::attributes::MAX_CLUSTERS {
        return Err(AttributeError::TooManyClusters(clusters.len()).into());
    }
    let clusters = clusters.iter().map(|c| NodeId::new(c)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reflection::new(NodeId::new(&originator)?, clusters)?)
}

/// On the wire, what is absent is empty.
fn optional<T, E>(text: &str, parse: fn(&str) -> Result<T, E>) -> Result<Option<T>, E> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn text(name: Option<&impl ToString>) -> String {
    name.map(ToString::to_string).unwrap_or_default()
}
