//! The protocol on the wire, and its conversion from and to the stream's own messages.
//!
//! The responses are declared here and not taken from the generated types: there a resource is a message that each
//! stream would own and encode. A field of bytes looks the same on the wire, and every stream shares them.

use std::sync::Arc;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use envoy_types::pb::google::rpc::Status;

use super::resource::{Name, ResourceType};
use super::stream::{Known, Names, Reply, Request, Response};

/// `envoy.service.discovery.v3.DeltaDiscoveryResponse`, with encoded resources.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DeltaResponse {
    #[prost(bytes = "bytes", repeated, tag = "2")]
    resources: Vec<Bytes>,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
    #[prost(string, repeated, tag = "6")]
    removed_resources: Vec<String>,
}

/// `envoy.service.discovery.v3.DiscoveryResponse`, with encoded resources.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SotwResponse {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    resources: Vec<Bytes>,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
}

impl From<Response> for DeltaResponse {
    fn from(response: Response) -> Self {
        let Response { ty, nonce, version: _, resources, removed } = response;
        Self {
            resources: resources.iter().map(|resource| resource.wire()).collect(),
            type_url: ty.type_url().to_owned(),
            nonce,
            removed_resources: removed.iter().map(|name| name.to_string()).collect(),
        }
    }
}

impl From<Response> for SotwResponse {
    fn from(response: Response) -> Self {
        let Response { ty, nonce, version, resources, removed: _ } = response;
        Self {
            version_info: version,
            resources: resources.iter().map(|resource| resource.any()).collect(),
            type_url: ty.type_url().to_owned(),
            nonce,
        }
    }
}

/// A message of a client, of either dialect.
pub(super) trait ClientMessage: Sized {
    /// Takes it apart: who speaks, which type it is about, and what it says if that type is served.
    fn read(self) -> Message;
}

/// What a client's message says.
#[derive(Debug)]
pub(super) struct Message {
    /// Stands in the first message of a stream.
    pub(super) node: Option<Node>,
    /// `Err` with the type's name if that type is not served.
    pub(super) request: Result<Request, String>,
}

impl ClientMessage for DeltaDiscoveryRequest {
    fn read(self) -> Message {
        let Self {
            node,
            type_url,
            resource_names_subscribe,
            resource_names_unsubscribe,
            resource_locators_subscribe: _,
            resource_locators_unsubscribe: _,
            initial_resource_versions,
            response_nonce,
            error_detail,
        } = self;
        let request = served(type_url).map(|ty| Request {
            ty,
            names: Names::Change {
                subscribe: names(resource_names_subscribe),
                unsubscribe: names(resource_names_unsubscribe),
            },
            reply: reply(response_nonce, error_detail),
            known: Known::Versions(
                initial_resource_versions
                    .into_iter()
                    .map(|(name, version)| (name.into(), Arc::from(version)))
                    .collect(),
            ),
        });
        Message { node, request }
    }
}

impl ClientMessage for DiscoveryRequest {
    fn read(self) -> Message {
        let Self {
            version_info,
            node,
            resource_names,
            resource_locators: _,
            type_url,
            response_nonce,
            error_detail,
        } = self;
        let request = served(type_url).map(|ty| Request {
            ty,
            names: Names::Exactly(names(resource_names)),
            reply: reply(response_nonce, error_detail),
            known: Known::Whole(version_info),
        });
        Message { node, request }
    }
}

fn served(type_url: String) -> Result<ResourceType, String> {
    ResourceType::from_type_url(&type_url).ok_or(type_url)
}

fn names(names: Vec<String>) -> Vec<Name> {
    names.into_iter().map(Name::from).collect()
}

fn reply(nonce: String, error: Option<Status>) -> Option<Reply> {
    let error = error.map(|Status { code, message, details: _ }| match message.is_empty() {
        true => format!("refused with code {code} and no reason"),
        false => message,
    });
    (!nonce.is_empty()).then_some(Reply { nonce, error })
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::cluster::v3::Cluster;
    use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, DiscoveryResponse};
    use prost::Message as _;

    use super::*;
    use crate::xds::resource::Resource;

    fn response() -> Response {
        let resource = Resource::new(&Cluster { name: "a".into(), ..Cluster::default() });
        Response {
            ty: ResourceType::Cluster,
            nonce: "7".into(),
            version: "v".into(),
            resources: vec![resource.into()],
            removed: vec!["b".into()],
        }
    }

    #[test]
    fn responses_are_what_the_generated_types_read() {
        let wire = DeltaResponse::from(response()).encode_to_vec();
        let delta = DeltaDiscoveryResponse::decode(&*wire).unwrap();
        assert_eq!((&*delta.type_url, &*delta.nonce), (ResourceType::Cluster.type_url(), "7"));
        assert_eq!(delta.resources[0].name, "a");
        assert_eq!(delta.removed_resources, ["b"]);

        let wire = SotwResponse::from(response()).encode_to_vec();
        let sotw = DiscoveryResponse::decode(&*wire).unwrap();
        assert_eq!((&*sotw.type_url, &*sotw.nonce, &*sotw.version_info), (&*delta.type_url, "7", "v"));
        assert_eq!(Some(&sotw.resources[0]), delta.resources[0].resource.as_ref());
    }

    #[test]
    fn an_error_alone_makes_a_refusal() {
        let ok = DeltaDiscoveryRequest { response_nonce: "1".into(), ..Default::default() };
        let error = Status { code: 3, ..Status::default() };
        let bad = DeltaDiscoveryRequest {
            type_url: ResourceType::Route.type_url().into(),
            error_detail: Some(error),
            ..ok.clone()
        };
        let none = DeltaDiscoveryRequest { response_nonce: String::new(), ..bad.clone() };
        assert_eq!(ok.read().request, Err(String::new()));
        let reply = bad.read().request.unwrap().reply.unwrap();
        assert_eq!(reply.error.as_deref(), Some("refused with code 3 and no reason"));
        assert_eq!(none.read().request.unwrap().reply, None);
    }
}
