//! What Envoy's filter refused, as Envoy reports it over gRPC (the access log service).
//!
//! The filter decides alone and tells nobody but Envoy: a denial's id, reason and policies stand in the stream's dynamic
//! metadata. Listeners send the entries of denied requests here, after the answer has gone out, so that no request waits.
//!
//! - [`AccessLog`]: the service; entry by entry to [`Denial`]s.
//! - [`denials`]: the last of them, by id, for whoever asks why.
//!
//! A denial for an unknown key is also what brings an issuer's key set up to date ([`crate::jwks`]).

pub mod denials;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::{Address, SocketAddress};
use envoy_types::pb::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::{
    AccessLogService, AccessLogServiceServer,
};
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use envoy_types::pb::envoy::service::accesslog::v3::{StreamAccessLogsMessage, StreamAccessLogsResponse};
use envoy_types::pb::google::protobuf::Struct;
use envoy_types::pb::google::protobuf::value::Kind;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

pub use denials::Denials;

/// Bytes of one message. Envoy sends what it has buffered; a larger one ends the stream, and Envoy opens another.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Bytes kept of any text that the client chose (path, host); what is beyond is cut.
pub const MAX_TEXT: usize = 512;

/// One refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What the client was given to ask with.
    pub id: String,
    /// The engine's name for why, such as `expired` or `forbidden`.
    pub reason: String,
    /// The trusted issuer that the token named; its signature may be unverified.
    pub issuer: Option<String>,
    /// The `kid` that the token named, where that was the reason.
    pub kid: Option<String>,
    /// Ids of the determining policies.
    pub policies: Vec<String>,
    /// `:method`, as the request came.
    pub method: String,
    /// `:authority`.
    pub host: String,
    /// The path, without the query: that may hold secrets.
    pub path: String,
    /// Who called.
    pub source: Option<SocketAddr>,
    /// When the request began.
    pub at: SystemTime,
}

/// The service `envoy.service.accesslog.v3.AccessLogService`.
#[derive(Debug, Clone)]
pub struct AccessLog {
    denials: mpsc::Sender<Denial>,
}

impl AccessLog {
    /// Sends each denial to `denials`; while that is full, Envoy is made to wait, and then drops entries itself.
    pub fn new(denials: mpsc::Sender<Denial>) -> Self {
        Self { denials }
    }

    /// As a gRPC service.
    pub fn into_service(self) -> AccessLogServiceServer<Self> {
        AccessLogServiceServer::new(self).max_decoding_message_size(MAX_MESSAGE)
    }
}

#[tonic::async_trait]
impl AccessLogService for AccessLog {
    async fn stream_access_logs(
        &self,
        request: Request<Streaming<StreamAccessLogsMessage>>,
    ) -> Result<Response<StreamAccessLogsResponse>, Status> {
        let mut messages = request.into_inner();
        while let Some(StreamAccessLogsMessage { identifier: _, log_entries }) = messages.message().await? {
            let entries = match log_entries {
                Some(LogEntries::HttpLogs(entries)) => entries.log_entry,
                // Connections are not what the filter decides about.
                Some(LogEntries::TcpLogs(_)) | None => continue,
            };
            for denial in entries.iter().filter_map(denial) {
                if self.denials.send(denial).await.is_err() {
                    return Err(Status::unavailable("the daemon is stopping"));
                }
            }
        }
        Ok(Response::new(StreamAccessLogsResponse {}))
    }
}

/// The denial in an entry; `None` for a request that the filter let pass, or that it was not asked about.
fn denial(entry: &HttpAccessLogEntry) -> Option<Denial> {
    let common = entry.common_properties.as_ref()?;
    let metadata = common.metadata.as_ref()?.filter_metadata.get(catalyst_authz::proxy::METADATA_NAMESPACE)?;
    if text(metadata, "decision")? != "deny" {
        return None;
    }
    let request = entry.request.as_ref();
    let method = request.map_or("", |request| request.request_method().as_str_name());
    let path = request.map_or("", |request| request.path.split('?').next().unwrap_or_default());
    Some(Denial {
        id: cut(text(metadata, "deny_id")?),
        reason: cut(text(metadata, "reason")?),
        issuer: text(metadata, "issuer").map(cut),
        kid: text(metadata, "kid").map(cut),
        policies: text(metadata, "policies").map(|ids| ids.split(',').map(cut).collect()).unwrap_or_default(),
        method: method.to_owned(),
        host: cut(request.map_or("", |request| &request.authority)),
        path: cut(path),
        source: source(common),
        at: began(common),
    })
}

fn text<'a>(metadata: &'a Struct, key: &str) -> Option<&'a str> {
    match metadata.fields.get(key)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text),
        Kind::NullValue(_) | Kind::NumberValue(_) | Kind::BoolValue(_) | Kind::StructValue(_) | Kind::ListValue(_) => None,
    }
}

/// At most [`MAX_TEXT`] bytes, without control characters, which a terminal would obey.
fn cut(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_TEXT));
    for character in text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }) {
        if out.len() + character.len_utf8() > MAX_TEXT {
            break;
        }
        out.push(character);
    }
    out
}

fn source(common: &AccessLogCommon) -> Option<SocketAddr> {
    let Some(Address { address: Some(AddressKind::SocketAddress(address)) }) =
        &common.downstream_direct_remote_address
    else {
        return None;
    };
    let SocketAddress { address: ip, port_specifier, .. } = address;
    let port = match port_specifier.as_ref()? {
        envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier::PortValue(port) => *port,
        envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier::NamedPort(_) => return None,
    };
    Some(SocketAddr::new(ip.parse().ok()?, port.try_into().ok()?))
}

fn began(common: &AccessLogCommon) -> SystemTime {
    let since = common.start_time.as_ref().map_or(Duration::ZERO, |time| {
        let seconds = u64::try_from(time.seconds).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.nanos).unwrap_or_default().min(999_999_999))
    });
    UNIX_EPOCH + since
}

#[cfg(test)]
mod tests;
