//! The gateway as its owner holds it: subgraphs come and go, requests are answered by whatever engine is the
//! current one.

mod assemble;
mod plain;
mod sdl;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::engine::Engine;
use crate::persisted::Queries;
use crate::settings::Settings;
use crate::transport::Fetch;
use assemble::Introduced;

/// How many subgraphs a gateway federates at most. Further ones are left out, with a status that says so.
pub const MAX_SUBGRAPHS: usize = 1_000;

/// A service to federate.
#[derive(Clone)]
pub struct Subgraph {
    /// Its name, unique among the subgraphs; what errors and plans call it.
    pub name: String,
    /// Its URL as the supergraph tells it. Where requests really go is up to `fetch`.
    pub url: String,
    /// How clients' requests reach it.
    pub fetch: Arc<dyn Fetch>,
    /// Where its schema comes from.
    pub sdl: SdlSource,
}

/// Where a subgraph's schema comes from.
#[derive(Clone)]
pub enum SdlSource {
    /// It is given.
    Given(String),
    /// The subgraph is asked for it, by the node itself and so without a caller's token: by
    /// `_service { sdl }`, or if it does not know that by introspection.
    Asked(Arc<dyn Fetch>),
}

/// How a subgraph is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubgraphState {
    /// Part of the schema that is served.
    Serving,
    /// Part of the schema that is served, by the schema it had before; asking for it again failed.
    Stale {
        /// What went wrong.
        reason: String,
    },
    /// Left out: its schema could not be had.
    Unreachable {
        /// What went wrong.
        reason: String,
    },
    /// Left out: with its schema the subgraphs do not make one supergraph.
    Refused {
        /// The reasons, with what to try.
        reasons: Vec<String>,
    },
}

impl SubgraphState {
    /// Whether the subgraph is part of the schema that is served.
    pub fn is_served(&self) -> bool {
        match self {
            Self::Serving | Self::Stale { .. } => true,
            Self::Unreachable { .. } | Self::Refused { .. } => false,
        }
    }
}

/// One line of [`Gateway::status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubgraphStatus {
    /// The subgraph's name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// How it is doing.
    pub state: SubgraphState,
}

/// What a gateway serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Counts the schemas served so far; 0 before the first update.
    pub revision: u64,
    /// Every subgraph, in the order of names.
    pub subgraphs: Vec<SubgraphStatus>,
}

/// A federation of subgraphs. All methods may be called at any time from any task.
pub struct Gateway {
    settings: Settings,
    queries: Queries,
    serving: ArcSwap<Serving>,
    /// What is known of subgraphs, by name. Held for the whole of an update: updates run one after another.
    known: Mutex<HashMap<String, Introduced>>,
}

/// What is served now.
#[derive(Default)]
struct Serving {
    engine: Option<Arc<Engine>>,
    status: Arc<Status>,
    supergraph: Option<Arc<str>>,
}

impl Gateway {
    /// A gateway without subgraphs, whose schema is empty.
    pub fn new(settings: Settings) -> Self {
        Self {
            queries: Queries::new(settings.persisted.clone()),
            settings,
            serving: ArcSwap::default(),
            known: Mutex::default(),
        }
    }

    /// Makes `subgraphs` the ones to federate: asks each for its schema, composes those that answer, and
    /// swaps to the result. Requests under way finish on what they started with. Never fails as a whole: what
    /// can't be served is left out, with a reason in the status that is returned.
    pub async fn update(&self, subgraphs: Vec<Subgraph>) -> Arc<Status> {
        let mut known = self.known.lock().await;
        let introduced = sdl::introduce(subgraphs, &known).await;
        if let Some(statuses) = assemble::unchanged(&introduced, &mut known) {
            return self.keep(statuses);
        }
        let settings = self.settings.clone();
        let revision = self.status().revision + 1;
        let assembling = tokio::task::spawn_blocking(move || assemble::assemble(introduced, &settings));
        let assembled = match assembling.await {
            Ok(assembled) => assembled,
            Err(error) => {
                tracing::error!(%error, "composing panicked; the schema stays as it was");
                return self.status();
            }
        };
        let status = Arc::new(Status { revision, subgraphs: assembled.statuses });
        *known = assembled.known;
        self.serving.store(Arc::new(Serving {
            engine: assembled.engine.map(Arc::new),
            status: Arc::clone(&status),
            supergraph: assembled.supergraph.map(Arc::from),
        }));
        status
    }

    /// Goes on serving the same, whose plans stay prepared.
    fn keep(&self, subgraphs: Vec<SubgraphStatus>) -> Arc<Status> {
        let before = self.serving.load_full();
        let status = Arc::new(Status { revision: before.status.revision, subgraphs });
        self.serving.store(Arc::new(Serving {
            engine: before.engine.clone(),
            status: Arc::clone(&status),
            supergraph: before.supergraph.clone(),
        }));
        status
    }

    /// What is served now.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.serving.load().status)
    }

    /// The SDL of the supergraph that is served; `None` if no subgraph is.
    pub fn supergraph(&self) -> Option<Arc<str>> {
        self.serving.load().supergraph.clone()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn queries(&self) -> &Queries {
        &self.queries
    }

    /// The engine for one request, which keeps it until it is answered.
    pub(crate) fn engine(&self) -> Option<Arc<Engine>> {
        self.serving.load().engine.clone()
    }
}

#[cfg(test)]
mod tests;
