//! Both services over gRPC, without an Envoy. That Envoy and they understand one another, and that they answer as the
//! module does, is for the end-to-end tests.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use catalyst_authz::Engine;
use catalyst_authz::config::{Access, FilterConfig, RouteConfig};
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as AuthRequest};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HeaderMutation, HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Status};

use super::settings::{self, ROUTE_METADATA};

/// A running fallback and the engine that it asks.
struct Fallback {
    channel: Channel,
    engine: Arc<ArcSwap<Engine>>,
}

/// Nobody is trusted; a request without a token is refused unless its route is public.
fn engine(realm: &str) -> Engine {
    Engine::new(&FilterConfig { realm: realm.to_owned(), ..FilterConfig::default() }).unwrap()
}

async fn start() -> Fallback {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let engine = Arc::new(ArcSwap::from_pointee(engine("first")));
    let services = super::service(Arc::clone(&engine));
    tokio::spawn(
        Server::builder().add_routes(services).serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    Fallback { channel, engine }
}

fn route(access: Access) -> String {
    serde_json::to_string(&RouteConfig { access, ..RouteConfig::new("books.acme.example") }).unwrap()
}

fn map(lines: &[(&str, &str)]) -> Option<HeaderMap> {
    let line = |(key, value): &(&str, &str)| HeaderValue {
        key: (*key).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    Some(HeaderMap { headers: lines.iter().map(line).collect() })
}

fn headers(lines: &[(&str, &str)]) -> Message {
    Message::RequestHeaders(HttpHeaders { headers: map(lines), ..HttpHeaders::default() })
}

impl Fallback {
    /// The answers to the messages of one stream, up to its end.
    async fn process(&self, route: Option<&str>, messages: Vec<Message>) -> Result<Vec<Answer>, Status> {
        let of = |message| ProcessingRequest { request: Some(message), ..ProcessingRequest::default() };
        self.process_raw(route, messages.into_iter().map(of).collect()).await
    }

    async fn process_raw(
        &self,
        route: Option<&str>,
        messages: Vec<ProcessingRequest>,
    ) -> Result<Vec<Answer>, Status> {
        let mut request = Request::new(tokio_stream::iter(messages));
        if let Some(route) = route {
            request.metadata_mut().insert(ROUTE_METADATA, route.parse().unwrap());
        }
        let mut client = ExternalProcessorClient::new(self.channel.clone());
        let mut stream = client.process(request).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(response) = stream.message().await? {
            answers.push(response.response.unwrap());
        }
        Ok(answers)
    }

    async fn check(&self, route: &str, lines: &[(&str, &str)]) -> Result<HttpResponse, Status> {
        let http = HttpRequest { method: "GET".to_owned(), header_map: map(lines), ..HttpRequest::default() };
        let context = AttributeContext {
            request: Some(AuthRequest { http: Some(http), ..AuthRequest::default() }),
            context_extensions: HashMap::from([(ROUTE_METADATA.to_owned(), route.to_owned())]),
            ..AttributeContext::default()
        };
        let mut client = AuthorizationClient::new(self.channel.clone());
        let response = client.check(CheckRequest { attributes: Some(context) }).await?.into_inner();
        let allowed = matches!(response.http_response, Some(HttpResponse::OkResponse(_)));
        // Envoy goes by the status alone.
        assert_eq!(response.status.unwrap().code == i32::from(Code::Ok), allowed);
        Ok(response.http_response.unwrap())
    }
}

fn challenge(headers: &[HeaderValueOption]) -> String {
    let header = headers.iter().filter_map(|option| option.header.as_ref());
    let challenge = header.filter(|header| header.key == "www-authenticate").map(|header| {
        if header.raw_value.is_empty() {
            header.value.clone()
        } else {
            String::from_utf8(header.raw_value.clone()).unwrap()
        }
    });
    challenge.collect()
}

#[tokio::test]
async fn an_admitted_request_loses_what_the_client_may_not_send() {
    let fallback = start().await;
    let sent =
        [(":method", "GET"), ("x-catalyst-subject", "root"), ("x_catalyst_issuer", "i"), ("x-other", "1")];
    let trailers = HttpTrailers { trailers: map(&[("x-catalyst-a", "1"), ("ok", "2")]) };
    let messages = vec![headers(&sent), Message::RequestTrailers(trailers)];
    let answers = fallback.process(Some(&route(Access::Public)), messages).await.unwrap();
    let [Answer::RequestHeaders(headers), Answer::RequestTrailers(trailers)] = &answers[..] else {
        panic!("{answers:?}")
    };
    let removed = |mutation: &Option<HeaderMutation>| mutation.clone().unwrap().remove_headers;
    let mutation = &headers.response.as_ref().unwrap().header_mutation;
    assert_eq!(removed(mutation), ["x-catalyst-subject", "x_catalyst_issuer"]);
    assert_eq!(removed(&trailers.header_mutation), ["x-catalyst-a"]);

    let HttpResponse::OkResponse(ok) = fallback.check(&route(Access::Public), &sent).await.unwrap() else {
        panic!("denied")
    };
    assert_eq!(ok.headers_to_remove, ["x-catalyst-subject", "x_catalyst_issuer"]);
}

#[tokio::test]
async fn a_denied_request_is_answered_and_a_new_engine_is_asked_at_once() {
    let fallback = start().await;
    for realm in ["first", "second"] {
        fallback.engine.store(Arc::new(engine(realm)));
        let answers = fallback.process(Some(&route(Access::Policy)), vec![headers(&[])]).await.unwrap();
        let [Answer::ImmediateResponse(response)] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(response.status.unwrap().code, 401);
        assert_eq!(response.details, "catalyst_missing_token");
        let expected = format!("Bearer realm=\"{realm}\"");
        assert_eq!(challenge(&response.headers.as_ref().unwrap().set_headers), expected);

        let HttpResponse::DeniedResponse(denied) = fallback.check(&route(Access::Policy), &[]).await.unwrap()
        else {
            panic!("allowed")
        };
        assert_eq!(denied.status.unwrap().code, 401);
        assert_eq!(challenge(&denied.headers), expected);
    }
}

#[tokio::test]
async fn without_settings_of_a_route_a_request_is_denied() {
    let answers = start().await.process(None, vec![headers(&[])]).await.unwrap();
    let [Answer::ImmediateResponse(response)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(response.details, "catalyst_no_route");
}

#[tokio::test]
async fn what_makes_no_sense_is_an_error_and_never_an_admission() {
    let fallback = start().await;
    let public = route(Access::Public);
    let trailers = || Message::RequestTrailers(HttpTrailers::default());
    for (messages, what) in [
        (vec![Message::RequestBody(HttpBody::default())], "a body first"),
        (vec![trailers()], "trailers first"),
        (vec![Message::ResponseHeaders(HttpHeaders::default())], "a response first"),
        (vec![headers(&[]), Message::RequestBody(HttpBody::default())], "a body"),
    ] {
        let status = fallback.process(Some(&public), messages).await.expect_err(what);
        assert_eq!(status.code(), Code::FailedPrecondition, "{what}");
    }
    let observed = ProcessingRequest {
        observability_mode: true,
        request: Some(headers(&[])),
        ..ProcessingRequest::default()
    };
    let status = fallback.process_raw(Some(&public), vec![observed]).await.expect_err("only observed");
    assert_eq!(status.code(), Code::FailedPrecondition);
    for settings in ["{}", "[", r#"{"service":"a.b","acess":"public"}"#] {
        let status = fallback.process(Some(settings), vec![headers(&[])]).await.expect_err(settings);
        assert_eq!(status.code(), Code::InvalidArgument, "{settings}");
        let status = fallback.check(settings, &[]).await.expect_err(settings);
        assert_eq!(status.code(), Code::InvalidArgument, "{settings}");
    }
    let mut client = AuthorizationClient::new(fallback.channel.clone());
    let status = client.check(CheckRequest::default()).await.expect_err("no request");
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[test]
fn envoy_is_told_to_deny_what_nobody_answers_for() {
    let ext_proc = settings::ext_proc("daemon");
    assert!(!ext_proc.failure_mode_allow && !ext_proc.observability_mode && !ext_proc.allow_mode_override);
    assert!(!ext_proc.disable_immediate_response);
    assert_eq!(ext_proc.mutation_rules.unwrap().disallow_is_error.map(|rule| rule.value), Some(true));
    let ext_authz = settings::ext_authz("daemon");
    assert!(!ext_authz.failure_mode_allow && !ext_authz.shadow_mode && ext_authz.filter_enabled.is_none());
    assert!(ext_authz.validate_mutations);
}
