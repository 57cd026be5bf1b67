//! Short forms of protobuf's wrappers and of Envoy's most common messages.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, Pipe, SocketAddress, TypedExtensionConfig,
    address, socket_address,
};
use envoy_types::pb::google::protobuf::{self, Any, BoolValue, UInt32Value};
use envoy_types::util::pack_any;
use prost::{Message, Name};

pub(super) fn uint(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

pub(super) fn yes() -> Option<BoolValue> {
    Some(BoolValue { value: true })
}

pub(super) fn duration(value: Duration) -> Option<protobuf::Duration> {
    let seconds = i64::try_from(value.as_secs()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(value.subsec_nanos()).expect("below one billion");
    Some(protobuf::Duration { seconds, nanos })
}

pub(super) fn seconds(value: u64) -> Option<protobuf::Duration> {
    duration(Duration::from_secs(value))
}

pub(super) fn extension<M: Message + Name>(name: &str, config: M) -> TypedExtensionConfig {
    TypedExtensionConfig { name: name.to_owned(), typed_config: Some(pack_any(config)) }
}

/// A map of one entry. More would be encoded in random order.
pub(super) fn only<M: Message + Name>(key: &str, value: M) -> HashMap<String, Any> {
    HashMap::from([(key.to_owned(), pack_any(value))])
}

/// A resource is to be asked for on the stream that this one came by.
pub(super) fn by_ads() -> Option<ConfigSource> {
    Some(ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    })
}

pub(super) fn tcp_address(address: SocketAddr) -> Address {
    named_address(address.ip().to_string(), address.port())
}

pub(super) fn named_address(host: String, port: u16) -> Address {
    let port = socket_address::PortSpecifier::PortValue(port.into());
    let address = SocketAddress { address: host, port_specifier: Some(port), ..SocketAddress::default() };
    Address { address: Some(address::Address::SocketAddress(address)) }
}

/// A Unix socket; `mode` is what it is created with, 0 where it exists already.
pub(super) fn unix_address(path: &Path, mode: u32) -> Address {
    Address { address: Some(address::Address::Pipe(Pipe { path: path_text(path), mode })) }
}

/// Paths come from a JSON document or from the command line of a UTF-8 system; any other byte would not survive JSON.
pub(super) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
