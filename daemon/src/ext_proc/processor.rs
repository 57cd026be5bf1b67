//! `ext_proc`: one stream for each request, on which Envoy sends the headers and, if there are any, the trailers.

use std::pin::Pin;
use std::sync::Arc;

use catalyst_authz::proxy::{Attributes, Certificate, Response as Refusal};
use catalyst_authz::{Decision, Route};
use envoy_types::pb::envoy::config::core::v3::HeaderMap;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, HeadersResponse, HttpHeaders, HttpTrailers, ImmediateResponse,
    ProcessingRequest, ProcessingResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::{Struct, value::Kind};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::settings::{ATTRIBUTES_NAMESPACE, ROUTE_METADATA};
use super::{Asked, wire};

/// The service.
pub(super) struct Processor {
    asked: Arc<Asked>,
}

impl Processor {
    pub(super) fn new(asked: Arc<Asked>) -> Self {
        Self { asked }
    }
}

#[tonic::async_trait]
impl ExternalProcessor for Processor {
    type ProcessStream = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let settings = request.metadata().get(ROUTE_METADATA).map(|settings| settings.to_str());
        let settings = settings
            .transpose()
            .map_err(|_| Status::invalid_argument("the route's settings are not ASCII"))?;
        let route =
            self.asked.route(settings).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut exchange = Exchange { asked: Arc::clone(&self.asked), route, admitted: false };
        let answers = request.into_inner().map(move |message| exchange.answer(&message?));
        Ok(Response::new(Box::pin(answers)))
    }
}

/// One request on its way.
struct Exchange {
    asked: Arc<Asked>,
    route: Option<Arc<Route>>,
    admitted: bool,
}

impl Exchange {
    fn answer(&mut self, message: &ProcessingRequest) -> Result<ProcessingResponse, Status> {
        if message.observability_mode {
            return Err(Status::failed_precondition(
                "observability_mode would let every request pass; turn it off",
            ));
        }
        match &message.request {
            Some(Message::RequestHeaders(headers)) => Ok(self.on_headers(headers, message)),
            Some(Message::RequestTrailers(trailers)) if self.admitted => Ok(self.on_trailers(trailers)),
            Some(
                Message::RequestTrailers(_)
                | Message::RequestBody(_)
                | Message::ResponseHeaders(_)
                | Message::ResponseBody(_)
                | Message::ResponseTrailers(_),
            )
            | None => {
                let expected =
                    "expected request headers, then at most request trailers; set processing_mode so";
                Err(Status::failed_precondition(expected))
            }
        }
    }

    fn on_headers(&mut self, headers: &HttpHeaders, message: &ProcessingRequest) -> ProcessingResponse {
        let map = headers.headers.as_ref();
        let attributes = attributes(map, message.attributes.get(ATTRIBUTES_NAMESPACE));
        let (decision, reserved) = self.asked.decide(self.route.as_deref(), wire::lines(map), &attributes);
        let answer = match &decision {
            Decision::Allow(allow) => {
                self.admitted = true;
                let (set_headers, remove_headers) = wire::mutation(allow, reserved, wire::set_bytes);
                let header_mutation = Some(HeaderMutation { set_headers, remove_headers });
                let response = CommonResponse { header_mutation, ..CommonResponse::default() };
                Answer::RequestHeaders(HeadersResponse { response: Some(response) })
            }
            Decision::Deny(deny) => {
                tracing::debug!(?deny, "denied");
                Answer::ImmediateResponse(refusal(deny.into()))
            }
        };
        ProcessingResponse {
            dynamic_metadata: Some(wire::log_entries(&decision)),
            response: Some(answer),
            ..ProcessingResponse::default()
        }
    }

    fn on_trailers(&self, trailers: &HttpTrailers) -> ProcessingResponse {
        let lines = wire::lines(trailers.trailers.as_ref());
        let remove_headers = self.asked.reserved_trailers(self.route.as_deref(), lines);
        let header_mutation = Some(HeaderMutation { remove_headers, ..HeaderMutation::default() });
        let answer = Answer::RequestTrailers(TrailersResponse { header_mutation });
        ProcessingResponse { response: Some(answer), ..ProcessingResponse::default() }
    }
}

fn refusal(Refusal { status, headers, body, details }: Refusal) -> ImmediateResponse {
    let set_headers = headers.iter().map(|(name, value)| wire::set_bytes(name, value)).collect();
    ImmediateResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: Some(HeaderMutation { set_headers, ..HeaderMutation::default() }),
        body: body.into_bytes(),
        grpc_status: None,
        details,
    }
}

/// The request line out of the pseudo-headers, the connection out of the attributes that [`super::settings`] asks
/// for.
fn attributes<'m>(map: Option<&'m HeaderMap>, connection: Option<&'m Struct>) -> Attributes<'m> {
    let value = |name: &str| connection?.fields.get(name)?.kind.as_ref();
    let text = |name: &str| match value(name) {
        Some(Kind::StringValue(text)) => text.as_bytes(),
        Some(
            Kind::NullValue(_)
            | Kind::NumberValue(_)
            | Kind::BoolValue(_)
            | Kind::StructValue(_)
            | Kind::ListValue(_),
        )
        | None => &[],
    };
    let presented = matches!(value("connection.mtls"), Some(Kind::BoolValue(true)));
    Attributes {
        method: wire::first(map, ":method"),
        path: wire::first(map, ":path"),
        host: wire::first(map, ":authority"),
        source_address: text("source.address"),
        certificate: presented.then(|| Certificate {
            uri: text("connection.uri_san_peer_certificate"),
            dns: text("connection.dns_san_peer_certificate"),
            subject: text("connection.subject_peer_certificate"),
            sha256: text("connection.sha256_peer_certificate_digest"),
        }),
    }
}
