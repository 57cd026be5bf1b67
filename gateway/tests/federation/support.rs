//! Subgraph servers, and a gateway in front of them.

use std::sync::{Arc, Mutex};

use async_graphql::{Executor, Request};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request as HttpRequest, StatusCode, header};
use axum::routing::post;
use catalyst_gateway::{
    Gateway, HttpClient, HttpFetch, Protocol, SdlSource, Settings, Status, Subgraph, router,
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower_service::Service;

/// A subgraph that listens on a port of its own and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

/// One request as a subgraph saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Server {
    pub(crate) async fn start(name: &'static str, executor: impl Executor) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let state = (executor, Arc::clone(&seen));
        let app = Router::new().route("/graphql", post(answer)).with_state(state);
        Self::serve(name, app, seen).await
    }

    /// A subgraph whose answers to all but the introduction are written by hand.
    pub(crate) async fn scripted(name: &'static str, sdl: &'static str, script: fn(&Value) -> Value) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let remember = Arc::clone(&seen);
        let app = Router::new().route(
            "/graphql",
            post(async move |headers: HeaderMap, body: axum::Json<Value>| {
                remember.lock().unwrap().push(Seen { headers, body: body.0.clone() });
                if body["query"].as_str().unwrap().contains("_service") {
                    return axum::Json(serde_json::json!({ "data": { "_service": { "sdl": sdl } } }));
                }
                axum::Json(script(&body))
            }),
        );
        Self::serve(name, app, seen).await
    }

    async fn serve(name: &'static str, app: Router, seen: Arc<Mutex<Vec<Seen>>>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { name, url, seen, task }
    }

    /// The requests since the last call, but for introductions.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.retain(|seen| !seen.body["query"].as_str().unwrap_or_default().contains("_service"));
        seen
    }

    pub(crate) fn subgraph(&self, settings: &Settings) -> Subgraph {
        subgraph(self.name, &self.url, settings)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer<E: Executor>(
    State((executor, seen)): State<(E, Arc<Mutex<Vec<Seen>>>)>,
    headers: HeaderMap,
    body: axum::Json<Value>,
) -> axum::Json<async_graphql::Response> {
    seen.lock().unwrap().push(Seen { headers, body: body.0.clone() });
    let request: Request = serde_json::from_value(body.0).unwrap();
    axum::Json(executor.execute(request).await)
}

pub(crate) fn subgraph(name: &str, url: &str, settings: &Settings) -> Subgraph {
    let client = HttpClient::direct(Protocol::Http1);
    let fetch = Arc::new(HttpFetch::new(client, url, &settings.limits).unwrap());
    Subgraph {
        name: name.to_owned(),
        url: url.to_owned(),
        fetch: fetch.clone(),
        sdl: SdlSource::Asked(fetch),
    }
}

/// A gateway over some subgraphs.
pub(crate) struct Federation {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) settings: Settings,
    router: Router,
}

/// What the gateway answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Federation {
    pub(crate) fn new(settings: Settings) -> Self {
        let gateway = Arc::new(Gateway::new(settings.clone()));
        Self { router: router(Arc::clone(&gateway)), gateway, settings }
    }

    pub(crate) async fn of(servers: &[&Server]) -> Self {
        Self::with(Settings::development(), servers).await
    }

    pub(crate) async fn with(settings: Settings, servers: &[&Server]) -> Self {
        let federation = Self::new(settings);
        let status = federation.update(servers).await;
        assert!(status.subgraphs.iter().all(|subgraph| subgraph.state.is_served()), "{status:#?}");
        federation
    }

    pub(crate) async fn update(&self, servers: &[&Server]) -> Arc<Status> {
        let subgraphs = servers.iter().map(|server| server.subgraph(&self.settings)).collect();
        self.gateway.update(subgraphs).await
    }

    pub(crate) async fn send(&self, request: HttpRequest<Body>) -> Answer {
        let response = self.router.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn post(&self, body: &Value) -> Answer {
        let request = HttpRequest::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn query(&self, query: &str) -> Value {
        self.post(&serde_json::json!({ "query": query })).await.json()
    }
}
