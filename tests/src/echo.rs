//! A plain HTTP service that answers with what it was sent.

use std::{
    net::SocketAddr,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// A running echo; it ends with the test's runtime.
pub struct Echo {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
}

impl Echo {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// There is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let received = Arc::new(AtomicUsize::new(0));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, received }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have come through to it.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }
}

/// `{"method", "path", "headers": {NAME: [VALUE, …]}, "body"}`, after as many milliseconds as `x-delay-ms` says.
async fn answer(State(received): State<Arc<AtomicUsize>>, request: Request<Body>) -> Json<Value> {
    received.fetch_add(1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let mut headers: Map<String, Value> = Map::new();
    for name in parts.headers.keys() {
        let values = parts.headers.get_all(name).iter();
        let values: Vec<_> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        headers.insert(name.to_string(), json!(values));
    }
    let delay = parts.headers.get("x-delay-ms").and_then(|delay| delay.to_str().ok()?.parse().ok());
    tokio::time::sleep(Duration::from_millis(delay.unwrap_or(0))).await;
    let body = body.collect().await.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    Json(json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path_and_query().map(|path| path.as_str()),
        "headers": headers,
        "body": body.unwrap_or_else(|error| format!("(broken: {error})")),
    }))
}
