//! How requests reach a subgraph.

mod http;
mod inflight;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::future::BoxFuture;

pub(crate) use self::inflight::{InFlight, Key};

pub use self::http::{HttpClient, HttpFetch, Protocol, TransportError};

/// A GraphQL request to a subgraph.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// The JSON body.
    pub body: Bytes,
    /// What is passed on of the client's headers.
    pub headers: Arc<HeaderMap>,
}

/// A subgraph's answer.
#[derive(Clone, Debug)]
pub struct FetchResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body, as it came.
    pub body: Bytes,
}

/// Why a subgraph did not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// It can't be reached.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke, or what came was no HTTP.
    #[error("the request failed: {0}")]
    Request(String),
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Its answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It answered with something else than GraphQL.
    #[error("HTTP status {0} without a GraphQL response")]
    Status(StatusCode),
}

/// How long to wait before a request is sent again; doubles each time.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Sends a request, and up to `retries` times again while there is no connection or a proxy says that there
/// is none.
pub(crate) async fn fetch_with_retries(
    fetch: &dyn Fetch,
    request: FetchRequest,
    retries: u32,
) -> Result<FetchResponse, FetchError> {
    let mut wait = RETRY_AFTER;
    for _ in 0..retries {
        match fetch.fetch(request.clone()).await {
            Ok(response) if !is_transient(response.status) => return Ok(response),
            Ok(_) | Err(FetchError::Connect(_) | FetchError::Request(_)) => {}
            Err(error @ (FetchError::TimedOut(_) | FetchError::TooLarge(_) | FetchError::Status(_))) => {
                return Err(error);
            }
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    fetch.fetch(request).await
}

fn is_transient(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// A way to one subgraph: over the network, or another one in tests.
pub trait Fetch: Send + Sync {
    /// Sends one request. Dropping the future gives the request up.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>>;
}
