//! One supergraph with all that was made for it: planner, schema, prepared operations, ways to its subgraphs.
//! Engines are swapped as a whole; nothing of one outlives it.

use std::collections::HashMap;
use std::sync::Arc;

use graphql_tools::validation::rules::default_rules_validation_plan;
use graphql_tools::validation::validate::ValidationPlan;
use hashbrown::DefaultHashBuilder;
use hive_router_query_planner::planner::{Planner, PlannerError, QueryPlannerOptions};
use hive_router_query_planner::utils::parsing::safe_parse_schema;
use tokio::sync::Semaphore;

use crate::error::{Code, GraphqlError};
use crate::operation::Operation;
use crate::schema::Schema;
use crate::settings::Settings;
use crate::transport::{Fetch, InFlight};

/// Bytes that an entry of the plan cache is taken to cost beyond its query's text.
const PLAN_OVERHEAD: usize = 256;

/// Why a supergraph can't be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("the supergraph is no GraphQL schema: {0}")]
    Parse(String),
    #[error("the supergraph can't be planned on: {0}")]
    Plan(#[from] PlannerError),
}

/// See the module.
pub(crate) struct Engine {
    pub(crate) planner: Planner,
    pub(crate) schema: Arc<Schema>,
    pub(crate) validation: ValidationPlan,
    pub(crate) settings: Settings,
    /// `None` if every request is made, even if the same is under way.
    pub(crate) in_flight: Option<Arc<InFlight>>,
    subgraphs: HashMap<Box<str>, Arc<dyn Fetch>>,
    prepared: moka::sync::Cache<Box<str>, Arc<Operation>, DefaultHashBuilder>,
    planning: Semaphore,
}

impl Engine {
    /// Makes an engine for a supergraph. `subgraphs` are the ways to its subgraphs by name. Takes CPU time.
    pub(crate) fn new(
        supergraph: &str,
        subgraphs: HashMap<Box<str>, Arc<dyn Fetch>>,
        settings: &Settings,
    ) -> Result<Self, EngineError> {
        let limits = &settings.limits;
        let document =
            safe_parse_schema(supergraph).map_err(|error| EngineError::Parse(error.to_string()))?;
        let planner = Planner::new_from_supergraph(&document, QueryPlannerOptions::default())?;
        let schema = Arc::new(Schema::new(&planner));
        let prepared = moka::sync::Cache::<Box<str>, _>::builder()
            .max_capacity(limits.plan_cache_bytes)
            .weigher(|query, _: &Arc<Operation>| {
                u32::try_from(query.len() + PLAN_OVERHEAD).unwrap_or(u32::MAX)
            })
            .build_with_hasher(DefaultHashBuilder::default());
        Ok(Self {
            planner,
            schema,
            validation: default_rules_validation_plan(),
            planning: Semaphore::new(limits.concurrent_plans.max(1)),
            in_flight: settings.deduplicate.then(Arc::default),
            subgraphs,
            prepared,
            settings: settings.clone(),
        })
    }

    /// The way to a subgraph; `None` if the supergraph has none of that name.
    pub(crate) fn subgraph(&self, name: &str) -> Option<&Arc<dyn Fetch>> {
        self.subgraphs.get(name)
    }

    /// The operation of a query, prepared now or before.
    pub(crate) async fn operation(
        self: &Arc<Self>,
        query: &str,
        name: Option<&str>,
    ) -> Result<Arc<Operation>, Vec<GraphqlError>> {
        // No GraphQL name has a line break, so no query with a name before it is another query without.
        let named = name.map(|name| format!("{name}\n{query}"));
        let key = named.as_deref().unwrap_or(query);
        if let Some(operation) = self.prepared.get(key) {
            return Ok(operation);
        }
        let internal = |message: &str| vec![GraphqlError::new(Code::InternalServerError, message)];
        let permit = self.planning.acquire().await;
        let _permit = permit.map_err(|_| internal("the gateway is shutting down"))?;
        if let Some(operation) = self.prepared.get(key) {
            return Ok(operation);
        }
        let engine = Arc::clone(self);
        let (query, name): (Box<str>, Option<Box<str>>) = (query.into(), name.map(Box::from));
        let prepared =
            tokio::task::spawn_blocking(move || Operation::prepare(&engine, &query, name.as_deref()));
        let operation = Arc::new(prepared.await.map_err(|error| {
            tracing::error!(%error, "planning an operation panicked");
            internal("planning the operation failed")
        })??);
        self.prepared.insert(key.into(), Arc::clone(&operation));
        Ok(operation)
    }
}
