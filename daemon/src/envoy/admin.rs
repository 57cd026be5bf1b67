//! Envoy's admin interface.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take; the interface is on loopback.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one Envoy's admin interface.
#[derive(Debug, Clone)]
pub struct Admin {
    client: reqwest::Client,
    address: SocketAddr,
}

impl Admin {
    /// A client for the interface at `address`.
    ///
    /// # Errors
    /// The HTTP library cannot start.
    pub fn new(address: SocketAddr) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { client, address })
    }

    /// Whether Envoy has what it needs to serve: all clusters and listeners have been told and are warm.
    pub async fn is_ready(&self) -> bool {
        let answer = self.client.get(self.url("/ready")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Begins a graceful drain: listeners close, clients are told to go elsewhere, requests in flight go on.
    ///
    /// # Errors
    /// Envoy does not answer.
    pub async fn drain(&self) -> Result<(), reqwest::Error> {
        self.client.post(self.url("/drain_listeners?graceful")).send().await?.error_for_status().map(drop)
    }

    /// Requests that clients have under way.
    ///
    /// # Errors
    /// Envoy does not answer, or not with its statistics.
    pub async fn active_requests(&self) -> Result<u64, reqwest::Error> {
        let filter = "/stats?format=json&type=Gauges&filter=%5C.downstream_rq_active$";
        let answer = self.client.get(self.url(filter)).send().await?.error_for_status()?;
        let stats: Value = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
        let gauges = stats["stats"].as_array().map(Vec::as_slice).unwrap_or_default();
        // The interface counts this very request under its own name.
        let of_clients = gauges.iter().filter(|gauge| gauge["name"] != "http.admin.downstream_rq_active");
        Ok(of_clients.filter_map(|gauge| gauge["value"].as_u64()).sum())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
