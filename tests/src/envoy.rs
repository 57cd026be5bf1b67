//! Envoy, seen through its admin interface.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::Value;

use crate::call::Call;

/// The admin interface of one Envoy.
#[derive(Debug, Clone, Copy)]
pub struct Admin(pub SocketAddr);

impl Admin {
    /// `GET` of a path.
    ///
    /// # Errors
    /// There is no answer, or it is not 200.
    pub async fn get(&self, path: &str) -> anyhow::Result<String> {
        let answer = Call::get("admin", path).send(self.0).await?;
        answer.expect_status(200).map(|answer| answer.body).map_err(anyhow::Error::msg)
    }

    /// Envoy's whole configuration, by the type of its parts: `BootstrapConfigDump`, `ListenersConfigDump`, ….
    ///
    /// # Errors
    /// There is no answer, or it is not as expected.
    pub async fn config_dump(&self) -> anyhow::Result<BTreeMap<String, Value>> {
        let dump: Value = serde_json::from_str(&self.get("/config_dump?include_eds").await?)?;
        let configs = dump["configs"].as_array().cloned().unwrap_or_default();
        let named = configs.into_iter().map(|config| {
            let type_ = config["@type"].as_str().unwrap_or_default();
            (type_.rsplit('.').next().unwrap_or_default().to_owned(), config)
        });
        Ok(named.collect())
    }

    /// All counters and gauges.
    ///
    /// # Errors
    /// There is no answer, or it is not as expected.
    pub async fn stats(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let stats: Value = serde_json::from_str(&self.get("/stats?format=json&type=All").await?)?;
        let all = stats["stats"].as_array().cloned().unwrap_or_default();
        let numbers =
            all.iter().filter_map(|stat| Some((stat["name"].as_str()?.to_owned(), stat["value"].as_u64()?)));
        Ok(numbers.collect())
    }
}
