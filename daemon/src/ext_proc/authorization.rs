//! `ext_authz`: one question for each request, about its headers. It sees no trailers.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalyst_authz::proxy::{Attributes, Certificate, Response as Refusal};
use catalyst_authz::{Decision, Route};
use envoy_types::pb::envoy::config::core::v3::address;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse, authorization_server,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use tonic::{Code, Request, Response, Status};

use super::settings::ROUTE_METADATA;
use super::{Asked, Line, wire};

/// The service.
pub(super) struct Authorization {
    asked: Arc<Asked>,
}

impl Authorization {
    pub(super) fn new(asked: Arc<Asked>) -> Self {
        Self { asked }
    }
}

#[tonic::async_trait]
impl authorization_server::Authorization for Authorization {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let missing = || Status::invalid_argument("the question has no request in its attributes");
        let context = request.into_inner().attributes.ok_or_else(missing)?;
        let http = context.request.as_ref().and_then(|request| request.http.as_ref()).ok_or_else(missing)?;
        let settings = context.context_extensions.get(ROUTE_METADATA).map(String::as_str);
        let route =
            self.asked.route(settings).map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(self.answer(&context, http, route.as_deref())))
    }
}

impl Authorization {
    fn answer(&self, context: &AttributeContext, http: &HttpRequest, route: Option<&Route>) -> CheckResponse {
        let peer = context.source.as_ref();
        let source_address = peer.and_then(source_address).unwrap_or_default();
        let digest = peer.and_then(certificate_digest).unwrap_or_default();
        let presented = peer.filter(|peer| !(peer.principal.is_empty() && peer.certificate.is_empty()));
        let attributes = Attributes {
            method: http.method.as_bytes(),
            path: http.path.as_bytes(),
            host: http.host.as_bytes(),
            source_address: source_address.as_bytes(),
            // Envoy has already chosen among the certificate's names, in the order that we would.
            certificate: presented.map(|peer| Certificate {
                uri: peer.principal.as_bytes(),
                sha256: digest.as_bytes(),
                ..Certificate::default()
            }),
        };
        let lines: Vec<Line<'_>> = match &http.header_map {
            Some(map) => wire::lines(Some(map)).collect(),
            None => merged(&http.headers),
        };
        let (decision, reserved) = self.asked.decide(route, lines.into_iter(), &attributes);
        let (code, response) = match &decision {
            Decision::Allow(allow) => {
                let (headers, headers_to_remove) = wire::mutation(allow, reserved, wire::set_text);
                let ok = OkHttpResponse { headers, headers_to_remove, ..OkHttpResponse::default() };
                (Code::Ok, HttpResponse::OkResponse(ok))
            }
            Decision::Deny(deny) => {
                tracing::debug!(?deny, "denied");
                (Code::PermissionDenied, HttpResponse::DeniedResponse(refusal(deny.into())))
            }
        };
        CheckResponse {
            status: Some(rpc::Status { code: code.into(), ..rpc::Status::default() }),
            dynamic_metadata: Some(wire::log_entries(&decision)),
            http_response: Some(response),
        }
    }
}

/// Without `encode_raw_headers` Envoy joins the lines of a name by commas. Two credentials then are one that is
/// malformed, so they are denied either way.
fn merged(headers: &HashMap<String, String>) -> Vec<Line<'_>> {
    headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
}

fn refusal(Refusal { status, headers, body, details: _ }: Refusal) -> DeniedHttpResponse {
    DeniedHttpResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: headers.iter().map(|(name, value)| wire::set_text(name, value)).collect(),
        body,
    }
}

/// `None` unless the client's address is one of IP.
fn source_address(peer: &Peer) -> Option<&str> {
    match peer.address.as_ref()?.address.as_ref()? {
        address::Address::SocketAddress(socket) => Some(&socket.address),
        address::Address::Pipe(_) | address::Address::EnvoyInternalAddress(_) => None,
    }
}

/// SHA-256 of the DER form, in hexadecimal, of a certificate that Envoy sends as percent-encoded PEM.
fn certificate_digest(peer: &Peer) -> Option<String> {
    let pem = percent_decoded(&peer.certificate)?;
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (base64, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let der = STANDARD.decode(base64.split_ascii_whitespace().collect::<String>()).ok()?;
    let digest = digest::digest(&digest::SHA256, &der);
    Some(digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        hex
    }))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            u8::try_from(high << 4 | low).expect("two hexadecimal digits fit a byte")
        } else {
            byte
        });
    }
    String::from_utf8(decoded).ok()
}
