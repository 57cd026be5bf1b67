//! An issuer that publishes its key set by HTTP, and can be down.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::net::TcpListener;

/// The key set, or `None` while the issuer is down.
type Published = Arc<Mutex<Option<String>>>;

/// A running issuer; it ends with the test's runtime.
pub struct KeyPage {
    address: SocketAddr,
    published: Published,
}

impl KeyPage {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// There is no port.
    pub async fn start(jwks: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let published = Arc::new(Mutex::new(Some(jwks)));
        let router = Router::new().route("/jwks", get(answer)).with_state(Arc::clone(&published));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, published }
    }

    /// Where the key set is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    /// From now on it answers 503.
    pub fn fail(&self) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn answer(State(published): State<Published>) -> Result<String, StatusCode> {
    let text = published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    text.ok_or(StatusCode::SERVICE_UNAVAILABLE)
}
