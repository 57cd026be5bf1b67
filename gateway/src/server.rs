//! GraphQL over HTTP: the gateway as an [`axum`] router.

mod guard;
mod negotiate;
mod propagate;
mod request;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::error::{Code, GraphqlError};
use crate::execute::execute;
use crate::gateway::{Gateway, SubgraphState};
use crate::operation::Kind;
use crate::persisted::Refusal;
use crate::variables;
use negotiate::MediaType;
use request::{GraphqlRequest, Parameters};

/// The gateway's routes: `/graphql` for queries by POST and GET, and `/health`, which answers 200 while a
/// schema is served or there is none to serve, and 503 otherwise, with the state of each subgraph.
pub fn router(gateway: Arc<Gateway>) -> Router {
    let limit = gateway.settings().limits.body_bytes;
    Router::new()
        .route("/graphql", get(by_get).post(by_post))
        .route("/health", get(health))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(gateway)
}

async fn by_post(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    body: Result<Bytes, BodyError>,
) -> Response {
    let media_type = match MediaType::negotiate(headers.get(header::ACCEPT)) {
        Ok(media_type) => media_type,
        Err(refusal) => return refusal.into_response(),
    };
    if !negotiate::is_json(headers.get(header::CONTENT_TYPE)) {
        let error = GraphqlError::new(
            Code::BadRequest,
            "the body must be `application/json`; say so in `content-type`",
        );
        return refuse(media_type, StatusCode::UNSUPPORTED_MEDIA_TYPE, error);
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let error = GraphqlError::new(Code::LimitExceeded, rejection.body_text());
            return refuse(media_type, rejection.status(), error);
        }
    };
    match GraphqlRequest::from_json(&body) {
        Ok(request) => answer(&gateway, media_type, &headers, &request, Method::Post).await,
        Err(error) => refuse(media_type, StatusCode::BAD_REQUEST, *error),
    }
}

type BodyError = axum::extract::rejection::BytesRejection;

async fn by_get(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Response {
    let accept = headers.get(header::ACCEPT);
    if gateway.settings().graphiql && parameters.query.is_none() && negotiate::wants_html(accept) {
        let page =
            async_graphql::http::GraphiQLSource::build().endpoint("/graphql").title("Catalyst").finish();
        return Html(page).into_response();
    }
    let media_type = match MediaType::negotiate(accept) {
        Ok(media_type) => media_type,
        Err(refusal) => return refusal.into_response(),
    };
    if gateway.settings().guard_cross_site && guard::is_cross_site(&headers) {
        let error = GraphqlError::new(
            Code::CrossSiteRequest,
            "a web page of another site may have sent this; send `graphql-require-preflight: 1` with it, or use POST",
        );
        return refuse(media_type, StatusCode::FORBIDDEN, error);
    }
    match GraphqlRequest::from_parameters(&parameters) {
        Ok(request) => answer(&gateway, media_type, &headers, &request, Method::Get).await,
        Err(error) => refuse(media_type, StatusCode::BAD_REQUEST, *error),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

async fn answer(
    gateway: &Gateway,
    media_type: MediaType,
    headers: &HeaderMap,
    request: &GraphqlRequest<'_>,
    method: Method,
) -> Response {
    let Some(engine) = gateway.engine() else {
        let error = GraphqlError::new(
            Code::OperationNotSupported,
            "the schema is empty: no subgraph is served; see `catalystd gateway status`",
        );
        return refuse(media_type, StatusCode::SERVICE_UNAVAILABLE, error);
    };
    let query = match gateway.queries().resolve(request.query.as_deref(), request.hash.as_deref()) {
        Ok(query) => query,
        Err(refusal) => return refuse_query(media_type, refusal),
    };
    let query = query.as_deref().or(request.query.as_deref()).unwrap_or_default();
    let operation = match engine.operation(query, request.operation_name.as_deref()).await {
        Ok(operation) => operation,
        Err(errors) => {
            let status = if errors.iter().any(is_internal) {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                media_type.status_of_refused_query()
            };
            return respond(media_type, status, errors_only(&errors));
        }
    };
    match operation.kind {
        Kind::Query => {}
        Kind::Mutation if method == Method::Post => {}
        Kind::Mutation => {
            let error = GraphqlError::new(Code::BadRequest, "mutations must be sent by POST");
            let mut response = refuse(media_type, StatusCode::METHOD_NOT_ALLOWED, error);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        Kind::Subscription => {
            let error = GraphqlError::new(Code::OperationNotSupported, "subscriptions are not served here");
            return refuse(media_type, media_type.status_of_refused_query(), error);
        }
    }
    let variables = match variables::coerce(&operation.variables, request.variables, &engine.schema) {
        Ok(variables) => variables,
        Err(errors) => {
            return respond(media_type, media_type.status_of_refused_query(), errors_only(&errors));
        }
    };
    let caller = propagate::caller(headers, &gateway.settings().propagate);
    let body = execute(&engine, &operation, &variables, &caller).await;
    respond(media_type, StatusCode::OK, body)
}

fn is_internal(error: &GraphqlError) -> bool {
    matches!(error.extensions, crate::error::Extensions::Own { code: Code::InternalServerError, .. })
}

fn refuse_query(media_type: MediaType, refusal: Refusal) -> Response {
    let (status, code, message) = match refusal {
        Refusal::Missing => (400, Code::BadRequest, "`query` is missing; give the GraphQL document there"),
        Refusal::Malformed => {
            (400, Code::BadRequest, "`sha256Hash` must be a SHA-256 in 64 hexadecimal digits")
        }
        Refusal::Mismatch => (400, Code::BadRequest, "`sha256Hash` is not the hash of `query`"),
        // Clients know these two messages, and the status that other servers give them.
        Refusal::Unknown => (200, Code::PersistedQueryNotFound, "PersistedQueryNotFound"),
        Refusal::Unsupported => (200, Code::PersistedQueryNotFound, "PersistedQueryNotSupported"),
        Refusal::NotListed => {
            (403, Code::OperationNotListed, "this operation is not among those answered here")
        }
    };
    let status = StatusCode::from_u16(status).expect("these are statuses");
    let mut response = refuse(media_type, status, GraphqlError::new(code, message));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

fn refuse(media_type: MediaType, status: StatusCode, error: GraphqlError) -> Response {
    respond(media_type, status, errors_only(&[error]))
}

fn errors_only(errors: &[GraphqlError]) -> Vec<u8> {
    serde_json::to_vec(&json!({ "errors": errors })).expect("errors serialise into memory")
}

fn respond(media_type: MediaType, status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, media_type.header());
    response
}

async fn health(State(gateway): State<Arc<Gateway>>) -> Response {
    let status = gateway.status();
    let served = status.subgraphs.iter().any(|subgraph| subgraph.state.is_served());
    let is_ready = status.revision > 0 && (served || status.subgraphs.is_empty());
    let subgraphs: Vec<_> = status
        .subgraphs
        .iter()
        .map(|subgraph| {
            let (state, reasons) = match &subgraph.state {
                SubgraphState::Serving => ("serving", Vec::new()),
                SubgraphState::Stale { reason } => ("stale", vec![reason.clone()]),
                SubgraphState::Unreachable { reason } => ("unreachable", vec![reason.clone()]),
                SubgraphState::Refused { reasons } => ("refused", reasons.clone()),
            };
            json!({ "name": subgraph.name, "url": subgraph.url, "state": state, "reasons": reasons })
        })
        .collect();
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "revision": status.revision,
        "subgraphs": subgraphs,
    });
    (code, axum::Json(body)).into_response()
}
