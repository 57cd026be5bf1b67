//! Asking subgraphs for their schemas.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::assemble::Introduced;
use super::plain::{self, Introspected};
use super::{SdlSource, Subgraph, SubgraphState};
use crate::transport::{Fetch, FetchError, FetchRequest};

/// Subgraphs that are asked at the same time; the others wait.
const CONCURRENT: usize = 32;

/// How long a subgraph has for its schema. One that takes longer is left out until the next update.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a schema at most. A subgraph with a larger one is left out.
const MAX_SDL_BYTES: usize = 8 << 20;

/// Asks every subgraph for its schema. One that does not tell it now but did before keeps that one.
pub(super) async fn introduce(
    subgraphs: Vec<Subgraph>,
    known: &HashMap<String, Introduced>,
) -> Vec<Introduced> {
    let introductions = subgraphs.into_iter().map(|subgraph| async {
        let before = known.get(&subgraph.name).filter(|before| before.subgraph.url == subgraph.url);
        let was_serving = before.is_some_and(|before| before.state.is_served());
        let asked = match &subgraph.sdl {
            SdlSource::Given(sdl) => Ok(sdl.clone()),
            SdlSource::Asked(fetch) => ask(&**fetch).await.map_err(|error| error.to_string()),
        };
        let before = before.and_then(|before| before.sdl.clone());
        let (sdl, state) = match (asked, before) {
            (Ok(sdl), _) => (Some(Arc::from(sdl)), SubgraphState::Serving),
            (Err(reason), Some(sdl)) => (Some(sdl), SubgraphState::Stale { reason }),
            (Err(reason), None) => (None, SubgraphState::Unreachable { reason }),
        };
        Introduced { subgraph, sdl, state, was_serving }
    });
    stream::iter(introductions).buffered(CONCURRENT).collect().await
}

/// Why a subgraph's schema could not be had.
#[derive(Debug, thiserror::Error)]
enum IntroductionError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("no schema within {TIMEOUT:?}")]
    TimedOut,
    #[error(
        "it told no schema, neither by `{{ _service {{ sdl }} }}` nor by introspection: {0}; check that it is a GraphQL service, and that one of the two is on"
    )]
    NoSdl(String),
    #[error("its schema is larger than {MAX_SDL_BYTES} bytes")]
    TooLarge,
}

/// The schema as the subgraph tells it: its SDL, or for a service that is no subgraph of a federation what its
/// introspection tells.
async fn ask(fetch: &dyn Fetch) -> Result<String, IntroductionError> {
    let answer: Answer<Federated> = send(fetch, "query CatalystIntroduction{_service{sdl}}").await?;
    let told = match (answer.data.and_then(|data| data.service), answer.errors.into_iter().next()) {
        (Some(service), _) => return bounded(service.sdl),
        (None, Some(error)) => format!("it says `{}`", error.message),
        (None, None) => "it says nothing".to_owned(),
    };
    let plain: Answer<Introspected> = send(fetch, plain::INTROSPECTION).await?;
    match plain.data.and_then(|data| data.sdl()) {
        Some(sdl) => bounded(sdl),
        None => Err(IntroductionError::NoSdl(told)),
    }
}

fn bounded(sdl: String) -> Result<String, IntroductionError> {
    if sdl.len() > MAX_SDL_BYTES { Err(IntroductionError::TooLarge) } else { Ok(sdl) }
}

async fn send<T: DeserializeOwned>(fetch: &dyn Fetch, query: &str) -> Result<Answer<T>, IntroductionError> {
    let body = Bytes::from(serde_json::json!({ "query": query }).to_string());
    let request = FetchRequest { body, headers: Arc::new(HeaderMap::new()) };
    let response = tokio::time::timeout(TIMEOUT, fetch.fetch(request))
        .await
        .map_err(|_| IntroductionError::TimedOut)??;
    // In JSON an SDL is longer, if only by its line breaks.
    if response.body.len() > 4 * MAX_SDL_BYTES {
        return Err(IntroductionError::TooLarge);
    }
    serde_json::from_slice(&response.body).map_err(|error| {
        if response.status.is_success() {
            IntroductionError::NoSdl(error.to_string())
        } else {
            IntroductionError::Fetch(FetchError::Status(response.status))
        }
    })
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default = "Vec::new")]
    errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
struct Federated {
    #[serde(rename = "_service")]
    service: Option<Service>,
}

#[derive(Deserialize)]
struct Service {
    sdl: String,
}

#[derive(Deserialize)]
struct AnswerError {
    #[serde(default)]
    message: String,
}
