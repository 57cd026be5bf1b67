//! Asking subgraphs for their schemas.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::HeaderMap;
use serde::Deserialize;

use super::assemble::Introduced;
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
        "it did not answer `{{ _service {{ sdl }} }}` with a schema: {0}; check that it is an Apollo Federation subgraph"
    )]
    NoSdl(String),
    #[error("its schema is larger than {MAX_SDL_BYTES} bytes")]
    TooLarge,
}

async fn ask(fetch: &dyn Fetch) -> Result<String, IntroductionError> {
    const QUERY: &[u8] = br#"{"query":"query CatalystIntroduction{_service{sdl}}"}"#;
    let request = FetchRequest { body: Bytes::from_static(QUERY), headers: Arc::new(HeaderMap::new()) };
    let response = tokio::time::timeout(TIMEOUT, fetch.fetch(request))
        .await
        .map_err(|_| IntroductionError::TimedOut)??;
    if response.body.len() > 2 * MAX_SDL_BYTES {
        return Err(IntroductionError::TooLarge);
    }
    let answer: Answer = serde_json::from_slice(&response.body).map_err(|error| {
        if response.status.is_success() {
            IntroductionError::NoSdl(error.to_string())
        } else {
            IntroductionError::Fetch(FetchError::Status(response.status))
        }
    })?;
    match (answer.data.and_then(|data| data.service), answer.errors.into_iter().next()) {
        (Some(service), _) if service.sdl.len() > MAX_SDL_BYTES => Err(IntroductionError::TooLarge),
        (Some(service), _) => Ok(service.sdl),
        (None, Some(error)) => Err(IntroductionError::NoSdl(format!("it says `{}`", error.message))),
        (None, None) => Err(IntroductionError::NoSdl(format!("HTTP status {}", response.status))),
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Option<AnswerData>,
    #[serde(default)]
    errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerData {
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
