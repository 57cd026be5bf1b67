//! Keeps the gateway's subgraphs as the node's GraphQL services are.

use std::sync::Arc;
use std::time::Duration;

use catalyst_gateway::{
    Fetch, Gateway, HttpClient, HttpFetch, Protocol as Http, SdlSource, Status, Subgraph, SubgraphState,
};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::{Config, DEFAULT_GRAPHQL_PATH, Protocol};

/// How soon a subgraph that could not be asked is asked again; doubles up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// The longest wait before a subgraph that is left out is asked again.
const LAST_RETRY: Duration = Duration::from_secs(5);

/// How often subgraphs that serve are asked whether their schema has changed.
const REFRESH: Duration = Duration::from_secs(30);

/// The GraphQL services, as the gateway reaches them: clients' requests through the egress listener, the node's own
/// through its socket. Envoy finds the service by its name, so both ways are the same for each.
pub(super) fn subgraphs(config: &Config) -> Vec<Subgraph> {
    let limits = &config.gateway.limits;
    let callers = HttpClient::via_tcp(config.egress.address, Http::Http2);
    let own = HttpClient::via_unix(config.egress.node_socket.clone(), Http::Http2);
    let graphql = config.services.iter().filter(|service| service.protocol == Protocol::Graphql);
    graphql
        .map(|service| {
            let url = format!("http://{}{DEFAULT_GRAPHQL_PATH}", service.name);
            let through = |client: &HttpClient| -> Arc<dyn Fetch> {
                Arc::new(HttpFetch::new(client.clone(), &url, limits).expect("a service's name is a host"))
            };
            Subgraph {
                name: service.name.to_string(),
                fetch: through(&callers),
                sdl: SdlSource::Asked(through(&own)),
                url,
            }
        })
        .collect()
}

/// Asks the subgraphs for their schemas now and again, until stopped.
pub(super) async fn keep(
    gateway: Arc<Gateway>,
    subgraphs: Vec<Subgraph>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut told: Option<Arc<Status>> = None;
    let mut retry = FIRST_RETRY;
    loop {
        let status = gateway.update(subgraphs.clone()).await;
        if told.as_ref() != Some(&status) {
            tell(&status, told.is_none());
            told = Some(Arc::clone(&status));
        }
        let wait = if status.subgraphs.iter().all(|subgraph| subgraph.state == SubgraphState::Serving) {
            retry = FIRST_RETRY;
            REFRESH
        } else {
            let wait = retry;
            retry = (retry * 2).min(LAST_RETRY);
            wait
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// One line for each subgraph. The first time they are asked, Envoy may not be there yet.
fn tell(status: &Status, first: bool) {
    for subgraph in &status.subgraphs {
        let name = &subgraph.name;
        match &subgraph.state {
            SubgraphState::Serving => info!(subgraph = name, revision = status.revision, "federated"),
            SubgraphState::Stale { reason } => {
                warn!(subgraph = name, reason, "asking for its schema failed; the last one serves");
            }
            SubgraphState::Unreachable { reason } if first => info!(subgraph = name, reason, "not there yet"),
            SubgraphState::Unreachable { reason } => {
                warn!(subgraph = name, reason, "left out of the federation: its schema could not be had");
            }
            SubgraphState::Refused { reasons } => {
                warn!(subgraph = name, reasons = reasons.join("; "), "left out of the federation");
            }
        }
    }
}
