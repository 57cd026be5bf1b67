//! A world that every subgraph knows its part of, so that whatever way the gateway asks, there is one right
//! answer: the one that a single server with the whole schema would give.
//!
//! An object is a type and a seed. A scalar field tells the seed, a composite field leads to an object of the
//! same seed, a list to two of different seeds. So any key leads back to the object, and all subgraphs agree.

mod generate;
mod run;
mod schema;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode};
use catalyst_gateway::{
    Fetch, FetchError, FetchRequest, FetchResponse, Gateway, SdlSource, Settings, Subgraph,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

pub(crate) use generate::generate;
pub(crate) use run::Server;
pub(crate) use schema::{Facts, LocalSchema};

/// A subgraph of the world.
struct Inhabitant(Server);

impl Fetch for Inhabitant {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        let body: Value = serde_json::from_slice(&request.body).expect("the gateway sends JSON");
        let query = body["query"].as_str().expect("a query");
        let answer = self.0.answer(query, &body["variables"]);
        let body = answer.to_string().into();
        async move {
            tokio::task::yield_now().await;
            Ok(FetchResponse { status: StatusCode::OK, body })
        }
        .boxed()
    }
}

/// A gateway over subgraphs of one world, and the server that knows it all.
pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) whole: Server,
}

impl World {
    /// Of `(name, sdl)`. The error says which subgraphs the gateway does not serve.
    pub(crate) async fn of(subgraphs: &[(String, String)]) -> Result<Self, String> {
        let locals: Vec<(String, Arc<LocalSchema>)> = subgraphs
            .iter()
            .map(|(name, sdl)| Ok((name.clone(), Arc::new(LocalSchema::parse(sdl)?))))
            .collect::<Result<_, String>>()?;
        let facts = Arc::new(Facts::of(locals.iter().map(|(_, local)| &**local)));
        let gateway = Arc::new(Gateway::new(Settings::default()));
        let introduced = locals.iter().zip(subgraphs).map(|((name, local), (_, sdl))| Subgraph {
            name: name.clone(),
            url: format!("http://{name}/graphql"),
            fetch: Arc::new(Inhabitant(Server::new(name, Arc::clone(local), Arc::clone(&facts)))),
            sdl: SdlSource::Given(sdl.clone()),
        });
        let status = gateway.update(introduced.collect()).await;
        if let Some(left_out) = status.subgraphs.iter().find(|subgraph| !subgraph.state.is_served()) {
            return Err(format!("{}: {:?}", left_out.name, left_out.state));
        }
        let supergraph = gateway.supergraph().expect("subgraphs are served");
        let whole = LocalSchema::parse(&supergraph)?;
        Ok(Self { gateway, whole: Server::new("whole", Arc::new(whole), facts) })
    }

    /// What the gateway answers to a query.
    pub(crate) async fn ask(&self, query: &str) -> Value {
        use http_body_util::BodyExt;
        use tower_service::Service;
        let request = HttpRequest::post("/graphql")
            .header("content-type", "application/json")
            .body(Body::from(json!({ "query": query }).to_string()))
            .expect("a valid request");
        let response = catalyst_gateway::router(Arc::clone(&self.gateway)).call(request).await;
        let Ok(response) = response;
        let body = response.into_body().collect().await.expect("a body in memory").to_bytes();
        serde_json::from_slice(&body).expect("the gateway answers in JSON")
    }
}
