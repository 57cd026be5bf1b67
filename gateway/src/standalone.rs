//! The gateway by itself: subgraphs from a file, reached directly, no Envoy and no node around it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpListener;

use crate::gateway::{Gateway, MAX_SUBGRAPHS, SdlSource, Status, Subgraph, SubgraphState};
use crate::server::router;
use crate::settings::Settings;
use crate::transport::{HttpClient, HttpFetch, Protocol, TransportError};

/// How long subgraphs that do not answer yet are waited for before the gateway serves without them.
const PATIENCE: Duration = Duration::from_secs(5);

/// How soon a subgraph that does not answer is asked again while the gateway waits for it.
const RETRY: Duration = Duration::from_millis(200);

/// How often subgraphs are asked for their schemas once the gateway serves.
const REFRESH: Duration = Duration::from_secs(10);

/// One entry of a file of subgraphs, which is an array of them in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubgraphEntry {
    /// Its name, unique in the file.
    pub name: String,
    /// The URL of its GraphQL endpoint, `http://…`.
    pub url: String,
    /// Its schema; if it is not given the subgraph is asked for it.
    #[serde(default)]
    pub sdl: Option<String>,
}

/// Why a file of subgraphs can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SubgraphsError {
    /// Not the JSON that it should be.
    #[error(
        "not an array of subgraphs: {0}; expected [{{\"name\": \"books\", \"url\": \"http://127.0.0.1:4001/graphql\"}}]"
    )]
    Json(#[from] serde_json::Error),
    /// Two of one name.
    #[error("[{index}].name: `{name}` is the name of an earlier subgraph too; rename one")]
    Repeated {
        /// Position of the second, from 0.
        index: usize,
        /// The name.
        name: String,
    },
    /// A URL that can't be reached.
    #[error("[{index}].url: {source}")]
    Url {
        /// Position, from 0.
        index: usize,
        /// What is wrong with it.
        source: TransportError,
    },
    /// Too many.
    #[error("{0} subgraphs; a gateway takes {MAX_SUBGRAPHS}")]
    TooMany(usize),
}

/// Reads a file of subgraphs.
pub fn read_subgraphs(json: &str, settings: &Settings) -> Result<Vec<Subgraph>, SubgraphsError> {
    let entries: Vec<SubgraphEntry> = serde_json::from_str(json)?;
    if entries.len() > MAX_SUBGRAPHS {
        return Err(SubgraphsError::TooMany(entries.len()));
    }
    let client = HttpClient::direct(Protocol::Http1);
    let mut subgraphs: Vec<Subgraph> = Vec::with_capacity(entries.len());
    for (index, SubgraphEntry { name, url, sdl }) in entries.into_iter().enumerate() {
        if subgraphs.iter().any(|subgraph| subgraph.name == name) {
            return Err(SubgraphsError::Repeated { index, name });
        }
        let fetch = HttpFetch::new(client.clone(), &url, &settings.limits)
            .map_err(|source| SubgraphsError::Url { index, source })?;
        let fetch = Arc::new(fetch);
        let sdl = sdl.map_or_else(|| SdlSource::Asked(fetch.clone()), SdlSource::Given);
        subgraphs.push(Subgraph { name, url, fetch, sdl });
    }
    Ok(subgraphs)
}

/// Why the gateway stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("listening on {address}: {source}; choose another port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The server failed.
    #[error("serving: {0}")]
    Serve(#[from] std::io::Error),
}

/// Serves `subgraphs` on `address` until `shutdown`; requests under way are finished then. Listens only once
/// every subgraph has told its schema, or five seconds have passed, so that whoever can connect is answered.
/// The schemas are asked for again from time to time. `ready` is told the address and what is served.
pub async fn serve(
    subgraphs: Vec<Subgraph>,
    settings: Settings,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr, &Status),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let gateway = Arc::new(Gateway::new(settings));
    let bind_error = |source| ServeError::Bind { address, source };
    // Bound first, so that a port in use is known at once; a backlog of connections waits meanwhile.
    let socket =
        if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }
            .map_err(bind_error)?;
    socket.set_reuseaddr(true).map_err(bind_error)?;
    socket.bind(address).map_err(bind_error)?;
    let status = introduce(&gateway, &subgraphs).await;
    let listener: TcpListener = socket.listen(1024).map_err(bind_error)?;
    ready(listener.local_addr()?, &status);
    let refresh = async {
        loop {
            tokio::time::sleep(REFRESH).await;
            gateway.update(subgraphs.clone()).await;
        }
    };
    let server = axum::serve(listener, router(Arc::clone(&gateway))).with_graceful_shutdown(shutdown);
    tokio::select! {
        served = server.into_future() => Ok(served?),
        () = refresh => Ok(()),
    }
}

async fn introduce(gateway: &Gateway, subgraphs: &[Subgraph]) -> Arc<Status> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let status = gateway.update(subgraphs.to_vec()).await;
        let is_missing = |state: &SubgraphState| matches!(state, SubgraphState::Unreachable { .. });
        let complete = !status.subgraphs.iter().any(|subgraph| is_missing(&subgraph.state));
        if complete || tokio::time::Instant::now() >= deadline {
            return status;
        }
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let message = read_subgraphs(json, &Settings::default()).map(drop).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn reads_subgraphs_with_and_without_schema() {
        let json = r#"[{"name": "a", "url": "http://127.0.0.1:1/g"}, {"name": "b", "url": "http://b/", "sdl": "type Query { b: Int }"}]"#;
        let read = read_subgraphs(json, &Settings::default()).unwrap();
        assert!(matches!(read[0].sdl, SdlSource::Asked(_)));
        assert!(matches!(&read[1].sdl, SdlSource::Given(sdl) if sdl.contains("b: Int")));
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        check("{}", "not an array of subgraphs");
        check(r#"[{"name": "a"}]"#, "missing field `url`");
        check(r#"[{"name": "a", "url": "http://a", "port": 1}]"#, "unknown field `port`");
        check(r#"[{"name": "a", "url": "http://a"}, {"name": "a", "url": "http://b"}]"#, "[1].name: `a`");
        check(r#"[{"name": "a", "url": "https://a"}]"#, "[0].url: `https://a` is not `http://");
        check(r#"[{"name": "a", "url": "a/b c"}]"#, "[0].url: `a/b c` is not a URL");
    }
}
