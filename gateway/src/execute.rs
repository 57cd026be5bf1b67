//! Running a plan: fetches in parallel where the plan allows it, in series where it does not, their answers
//! joined to one [`Data`]. A fetch that fails leaves its part out and an error; the others go on.

mod entities;
mod reply;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use http::HeaderMap;

use crate::data::{Data, Sharing};
use crate::engine::Engine;
use crate::error::{Code, GraphqlError, PathItem, SubgraphError, push_bounded};
use crate::introspection::Introspection;
use crate::json::Document;
use crate::operation::Operation;
use crate::plan::{Fetch, Segment, Step, Target};
use crate::project::{Projector, TooLarge};
use crate::transport::{FetchError, FetchRequest, Key, fetch_with_retries};
use crate::variables::Variables;
use entities::Request;

/// One run of an operation.
pub(crate) struct Execution<'a> {
    engine: &'a Engine,
    operation: &'a Operation,
    variables: &'a Variables,
    caller: &'a Caller,
    /// The values of the condition variables.
    flags: Vec<bool>,
    /// Locked to build a request and to join an answer, never across an await: an execution is one task, so
    /// the lock only makes its futures `Send`.
    state: Mutex<State>,
}

struct State {
    data: Data,
    errors: Vec<GraphqlError>,
}

/// What goes on of a client's request to subgraphs.
pub(crate) struct Caller {
    /// Goes with every request.
    pub(crate) headers: Arc<HeaderMap>,
    /// Those of the headers by which a subgraph can tell callers apart, so that no two share an answer.
    pub(crate) identity: Arc<[u8]>,
}

/// Runs an operation and writes the GraphQL response.
pub(crate) async fn execute(
    engine: &Engine,
    operation: &Operation,
    variables: &Variables,
    caller: &Caller,
) -> Vec<u8> {
    let flags = operation.conditions.iter().map(|name| variables.is_true(name)).collect();
    let state = Mutex::new(State { data: Data::new(), errors: Vec::new() });
    let execution = Execution { engine, operation, variables, caller, flags, state };
    if let Some(root) = &operation.plan.root {
        let limit = engine.settings.limits.operation_time;
        if tokio::time::timeout(limit, execution.step(root)).await.is_err() {
            let error = format!("the operation took longer than {limit:?}; what it had is returned");
            execution.error(GraphqlError::new(Code::LimitExceeded, error));
        }
    }
    execution.write()
}

impl<'a> Execution<'a> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, error: GraphqlError) {
        push_bounded(&mut self.state().errors, error);
    }

    fn step(&'a self, step: &'a Step) -> BoxFuture<'a, ()> {
        match step {
            Step::Fetch(index) => self.fetch(&self.operation.plan.fetches[*index]).boxed(),
            Step::Sequence(steps) => async move {
                for step in steps {
                    self.step(step).await;
                }
            }
            .boxed(),
            Step::Parallel(steps) => {
                let running: FuturesUnordered<_> = steps.iter().map(|step| self.step(step)).collect();
                running.for_each(|()| std::future::ready(())).boxed()
            }
            Step::Condition { condition, then, otherwise } => {
                let chosen = if self.flags[*condition] { then } else { otherwise };
                match chosen {
                    Some(step) => self.step(step),
                    None => std::future::ready(()).boxed(),
                }
            }
        }
    }

    async fn fetch(&self, fetch: &Arc<Fetch>) {
        let Request { body, places } = match self.request(fetch) {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => return self.error(error),
        };
        match self.send(fetch, body).await {
            Ok(document) => self.join(fetch, document, &places),
            Err(error) => {
                tracing::warn!(subgraph = &*fetch.subgraph, %error, "a fetch failed");
                self.error(if self.engine.settings.mask_errors {
                    GraphqlError::new(Code::SubgraphRequestFailed, "a service did not answer")
                } else {
                    let message = format!("subgraph `{}`: {error}", fetch.subgraph);
                    GraphqlError::new(Code::SubgraphRequestFailed, message).of_subgraph(&fetch.subgraph)
                });
            }
        }
    }

    /// What to ask; `None` if there is nothing to ask for.
    fn request(&self, fetch: &Fetch) -> Result<Option<Request>, GraphqlError> {
        let state = self.state();
        let request = entities::request(fetch, &state.data, &self.engine.schema, self.variables);
        let limit = self.engine.settings.limits.representations;
        match request {
            Some(request) if request.places.count > limit => Err(GraphqlError::new(
                Code::LimitExceeded,
                format!("{} entities of one subgraph; {limit} are allowed", request.places.count),
            )
            .of_subgraph(&fetch.subgraph)),
            request => Ok(request),
        }
    }

    async fn send(&self, fetch: &Arc<Fetch>, body: Bytes) -> Result<Arc<Document>, FetchError> {
        let subgraph = self
            .engine
            .subgraph(&fetch.subgraph)
            .ok_or_else(|| FetchError::Connect("the supergraph has no such subgraph".to_owned()))?;
        let request = FetchRequest { body: body.clone(), headers: Arc::clone(&self.caller.headers) };
        let retries = if fetch.is_query { self.engine.settings.retries } else { 0 };
        let in_flight = self.engine.in_flight.as_ref().filter(|_| fetch.is_query);
        let Some(in_flight) = in_flight else {
            let response = fetch_with_retries(&**subgraph, request, retries).await?;
            return reply::read(response, fetch, &self.engine.schema).map(Arc::new);
        };
        let key = Key { fetch: fetch.id, body, caller: Arc::clone(&self.caller.identity) };
        let (subgraph, schema) = (Arc::clone(subgraph), Arc::clone(&self.engine.schema));
        let fetch = Arc::clone(fetch);
        let call = async move {
            let response = fetch_with_retries(&*subgraph, request, retries).await?;
            reply::read(response, &fetch, &schema).map(Arc::new)
        };
        in_flight.join(key, call).await
    }

    fn join(&self, fetch: &Fetch, document: Arc<Document>, places: &entities::Places) {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(errors) = document.errors() {
            let errors = SubgraphError::read(errors);
            self.join_errors(fetch, errors, &state.data, places, &mut state.errors);
        }
        match &fetch.target {
            Target::Root => {
                let data = document.data();
                let overlay = state.data.add(document, Sharing::Alike);
                state.data.link(Data::ROOT, overlay, data);
            }
            Target::Objects(path) => {
                let mut objects = Vec::new();
                path.objects(&state.data, &self.engine.schema, &mut |object| objects.push(object));
                let data = document.data();
                for object in objects {
                    let overlay = state.data.add(Arc::clone(&document), Sharing::Single);
                    state.data.link(object, overlay, data);
                }
            }
            Target::Entities(groups) => entities::join(groups, &document, places, &mut state.data),
        }
    }

    /// Tells a subgraph's errors at the places of the response that they belong to.
    fn join_errors(
        &self,
        fetch: &Fetch,
        subgraph_errors: Vec<SubgraphError>,
        data: &Data,
        places: &entities::Places,
        errors: &mut Vec<GraphqlError>,
    ) {
        for error in subgraph_errors {
            let (error, path) = reply::error(error, &fetch.subgraph, self.engine.settings.mask_errors);
            let path = path.unwrap_or_default();
            match &fetch.target {
                Target::Root => {
                    let path = (!path.is_empty()).then_some(path);
                    push_bounded(errors, GraphqlError { path, ..error });
                }
                Target::Objects(at) => at.objects_with_paths(data, &self.engine.schema, &mut |_, prefix| {
                    let path = self.path(prefix).chain(path.iter().cloned()).collect();
                    push_bounded(errors, error.clone().with_path(path));
                }),
                Target::Entities(groups) => {
                    let told = entities::error_places(groups, &path, places, data, &self.engine.schema);
                    match told {
                        Some((prefixes, rest)) => {
                            for prefix in prefixes {
                                let path = self.path(&prefix).chain(rest.iter().cloned()).collect();
                                push_bounded(errors, error.clone().with_path(path));
                            }
                        }
                        None => push_bounded(errors, error),
                    }
                }
            }
        }
    }

    fn path<'p>(&'p self, segments: &'p [Segment]) -> impl Iterator<Item = PathItem> + 'p {
        segments.iter().map(|segment| match segment {
            Segment::Field(symbol) => PathItem::Field(self.operation.symbols[*symbol as usize].clone()),
            Segment::Index(index) => PathItem::Index(*index),
        })
    }

    fn write(self) -> Vec<u8> {
        let State { data, mut errors } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let limit = self.engine.settings.limits.response_bytes;
        let variable = |name: &str| self.variables.get(name);
        let projector = Projector {
            schema: &self.engine.schema,
            data: &data,
            flags: &self.flags,
            introspection: Introspection { schema: &self.engine.schema, variable: &variable, limit },
            max_bytes: limit,
        };
        let mut out = Vec::with_capacity(data.size_hint());
        out.extend_from_slice(b"{\"data\":");
        let operation = self.operation;
        if let Err(TooLarge) = projector.write(&operation.selection, operation.root, &mut out, &mut errors) {
            out.extend_from_slice(b"null");
            let message = format!("the response would be larger than {limit} bytes; select less");
            errors.push(GraphqlError::new(Code::ResponseTooLarge, message));
        }
        if !errors.is_empty() {
            out.extend_from_slice(b",\"errors\":");
            serde_json::to_writer(&mut out, &errors).expect("errors serialise into memory");
        }
        out.push(b'}');
        out
    }
}
