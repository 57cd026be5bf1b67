//! The HTTP side that both services share.

use std::{io::Write, net::SocketAddr};

use anyhow::Context;
use async_graphql::{ObjectType, Request, Response, Schema, SchemaBuilder, SubscriptionType};
use axum::{Json, Router, extract::State, http::HeaderMap, routing};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::caller::Caller;

/// Deepest selection that is executed; the introspection query of GraphiQL needs 13.
const MAX_DEPTH: usize = 32;
/// Fields that one request may select; beyond, it is refused before anything runs.
const MAX_COMPLEXITY: usize = 10_000;

/// Enables federation and bounds what one request can cost.
pub fn bounded<Q, M, S>(builder: SchemaBuilder<Q, M, S>) -> SchemaBuilder<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    builder.enable_federation().limit_depth(MAX_DEPTH).limit_complexity(MAX_COMPLEXITY)
}

/// `POST /graphql` and `GET /health`.
pub fn router<Q, M, S>(schema: Schema<Q, M, S>) -> Router
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    Router::new()
        .route("/graphql", routing::post(execute::<Q, M, S>))
        .route("/health", routing::get(|| async { "ok\n" }))
        .with_state(schema)
}

async fn execute<Q, M, S>(
    State(schema): State<Schema<Q, M, S>>,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Json<Response>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    Json(schema.execute(request.data(Caller::from_headers(&headers))).await)
}

/// Serves until ctrl-c or SIGTERM. Prints `NAME listening on http://ADDRESS:PORT` once connections are accepted.
///
/// # Errors
/// The address cannot be listened on, or the signal handlers cannot be installed.
pub async fn serve(name: &str, listen: SocketAddr, router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("{name} cannot listen on {listen}; stop what listens there, or choose another address with --listen")
    })?;
    let address = listener.local_addr().context("the listener has no address")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    // Whoever started us reads this line from a pipe, which is not line-buffered by itself.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{name} listening on http://{address}")
        .and_then(|()| stdout.flush())
        .context("stdout")?;
    axum::serve(listener, router).with_graceful_shutdown(stop).await.context("the server failed")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_together_with_the_remedy() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = taken.local_addr().expect("bound");
        let error = serve("books", address, Router::new()).await.expect_err("the port is taken").to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
    }
}
