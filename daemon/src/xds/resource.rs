//! One xDS resource, encoded once and shared by every stream that carries it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

/// A resource's name, unique within its type.
pub type Name = Arc<str>;

/// The kinds of resource that are served, in the order in which a change is rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    /// Certificates and keys (SDS).
    Secret,
    /// Upstream clusters (CDS).
    Cluster,
    /// The endpoints of a cluster (EDS).
    Endpoint,
    /// Configuration of an HTTP filter (ECDS).
    Extension,
    /// Listeners (LDS).
    Listener,
    /// Route tables (RDS).
    Route,
}

impl ResourceType {
    /// Every type, in the order of roll-out.
    pub const ALL: [Self; 6] =
        [Self::Secret, Self::Cluster, Self::Endpoint, Self::Extension, Self::Listener, Self::Route];

    /// The type's place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name of the type on the wire.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Extension => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        }
    }

    /// The type that a wire name stands for, if it is served.
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ty| ty.type_url() == url)
    }

    /// Whether a client that names no resource means all of them (listeners and clusters), or none.
    pub fn has_wildcard(self) -> bool {
        match self {
            Self::Cluster | Self::Listener => true,
            Self::Secret | Self::Endpoint | Self::Extension | Self::Route => false,
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "SDS",
            Self::Cluster => "CDS",
            Self::Endpoint => "EDS",
            Self::Extension => "ECDS",
            Self::Listener => "LDS",
            Self::Route => "RDS",
        })
    }
}

/// A message that is served as a resource: it knows its type and its name.
pub trait ResourceMessage: Message {
    /// The type it is served as.
    const TYPE: ResourceType;

    /// Its name within that type.
    fn resource_name(&self) -> &str;
}

macro_rules! resource_message {
    ($($message:ty => $ty:ident, $name:ident;)*) => {$(
        impl ResourceMessage for $message {
            const TYPE: ResourceType = ResourceType::$ty;

            fn resource_name(&self) -> &str {
                &self.$name
            }
        }
    )*};
}
resource_message! {
    Secret => Secret, name;
    Cluster => Cluster, name;
    ClusterLoadAssignment => Endpoint, cluster_name;
    TypedExtensionConfig => Extension, name;
    Listener => Listener, name;
    RouteConfiguration => Route, name;
}

/// A resource in its wire form. Cloning shares the bytes.
#[derive(Clone)]
pub struct Resource {
    ty: ResourceType,
    name: Name,
    version: Arc<str>,
    /// `envoy.service.discovery.v3.Resource`, as a delta stream carries it.
    wire: Bytes,
    /// Where in `wire` the `google.protobuf.Any` lies that a state-of-the-world stream carries.
    any: Range<usize>,
}

/// Bytes of the content hash that make the version.
const VERSION_BYTES: usize = 16;

impl Resource {
    /// Encodes `message`. The version is a hash of the content, so that the same content has the same version after a
    /// restart, too.
    ///
    /// `prost` encodes a map in the order of a randomly seeded `HashMap`: whoever makes `message` keeps each of its maps
    /// to one entry at most.
    pub fn new<M: ResourceMessage>(message: &M) -> Self {
        let name = message.resource_name();
        let body = message.encode_to_vec();
        let version = version_of(&body);
        let any = encode_any(M::TYPE.type_url(), &body);
        let mut wire = Vec::with_capacity(name.len() + version.len() + any.len() + 16);
        put_field(&mut wire, 3, name.as_bytes());
        put_field(&mut wire, 1, version.as_bytes());
        put_field(&mut wire, 2, &any);
        let any = wire.len() - any.len()..wire.len();
        Self { ty: M::TYPE, name: name.into(), version: version.into(), wire: wire.into(), any }
    }

    /// The resource's type.
    pub fn ty(&self) -> ResourceType {
        self.ty
    }

    /// The resource's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Hash of the content, in hexadecimal digits.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// The encoded `envoy.service.discovery.v3.Resource`.
    pub fn wire(&self) -> Bytes {
        self.wire.clone()
    }

    /// The encoded `google.protobuf.Any` of the resource.
    pub fn any(&self) -> Bytes {
        self.wire.slice(self.any.clone())
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.ty == other.ty && self.name == other.name && self.version == other.version
    }
}

impl Eq for Resource {}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}@{} ({} bytes)", self.ty, self.name, self.version, self.wire.len())
    }
}

fn version_of(body: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, body);
    hash.as_ref()[..VERSION_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encode_any(type_url: &str, body: &[u8]) -> Vec<u8> {
    let mut any = Vec::with_capacity(type_url.len() + body.len() + 16);
    put_field(&mut any, 1, type_url.as_bytes());
    put_field(&mut any, 2, body);
    any
}

fn put_field(buffer: &mut Vec<u8>, tag: u32, value: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(value.len() as u64, buffer);
    buffer.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::discovery::v3::Resource as WireResource;
    use envoy_types::pb::google::protobuf::Any;

    use super::*;

    fn cluster(alt_stat_name: &str) -> Cluster {
        Cluster {
            name: "books.acme.example".into(),
            alt_stat_name: alt_stat_name.into(),
            ..Cluster::default()
        }
    }

    #[test]
    fn the_wire_form_is_what_the_generated_types_read() {
        let message = cluster("books");
        let resource = Resource::new(&message);
        let wire = WireResource::decode(resource.wire()).unwrap();
        assert_eq!(wire.name, "books.acme.example");
        assert_eq!(wire.version, &**resource.version());
        let any = wire.resource.unwrap();
        assert_eq!(any.type_url, ResourceType::Cluster.type_url());
        assert_eq!(Cluster::decode(&*any.value).unwrap(), message);
        assert_eq!(Any::decode(resource.any()).unwrap(), any);
    }

    #[test]
    fn the_version_follows_the_content_alone() {
        assert_eq!(Resource::new(&cluster("a")).version(), Resource::new(&cluster("a")).version());
        assert_ne!(Resource::new(&cluster("a")).version(), Resource::new(&cluster("b")).version());
        // A fixed content has this version in every process and on every machine.
        assert_eq!(&**Resource::new(&cluster("")).version(), "fe76b35f8f3e96194cf59d6db8521530");
    }

    #[test]
    fn every_type_is_found_by_its_wire_name() {
        for (index, ty) in ResourceType::ALL.into_iter().enumerate() {
            assert_eq!(ResourceType::from_type_url(ty.type_url()), Some(ty));
            assert_eq!(ty.index(), index);
        }
        assert_eq!(ResourceType::from_type_url("type.googleapis.com/envoy.config.cluster.v3.Clusters"), None);
    }
}
