//! An Envoy with one worker that answers every request itself, so that what is measured is its filters.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::process::Running;

/// How long Envoy may take to open its listener.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    /// Its process.
    pub process: Running,
    /// Where it takes requests.
    pub address: SocketAddr,
}

impl Envoy {
    /// Starts an Envoy whose HTTP filters are `filters` (without the router), all of whose requests are answered 200.
    /// `extra_clusters` are added to the bootstrap; files go to `dir/NAME.*`; modules are looked up in `modules`.
    pub fn start(
        binary: &Path,
        modules: &Path,
        dir: &Path,
        name: &str,
        filters: &[Value],
        extra_clusters: &[Value],
    ) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = dir.join(format!("{name}.json"));
        let bootstrap = bootstrap(address, filters, extra_clusters);
        std::fs::write(&config, serde_json::to_vec_pretty(&bootstrap)?)?;
        let log = dir.join(format!("{name}.log"));
        let mut command = Command::new(binary);
        command
            .args(["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn", "-c"])
            .arg(&config)
            .env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", modules);
        let process = Running::start(&mut command, &log)?;
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if started.elapsed() > START_LIMIT {
                bail!("Envoy `{name}` did not open {address}:\n{}", std::fs::read_to_string(&log)?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { process, address })
    }

    /// The first line of `envoy --version`.
    pub fn version(binary: &Path) -> anyhow::Result<String> {
        let output = Command::new(binary).arg("--version").output().context("cannot run envoy --version")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn bootstrap(address: SocketAddr, filters: &[Value], clusters: &[Value]) -> Value {
    let mut http_filters = filters.to_vec();
    http_filters.push(typed(
        "envoy.filters.http.router",
        json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}),
    ));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "AUTO",
        "generate_request_id": false,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
        ]}]},
        "http_filters": http_filters,
    });
    json!({
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {
            "listeners": [{
                "name": "bench",
                "address": {"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}},
                "filter_chains": [{"filters": [typed("envoy.filters.network.http_connection_manager", manager)]}],
            }],
            "clusters": clusters,
        },
    })
}

/// An Envoy extension: `{"name": …, "typed_config": …}`.
pub fn typed(name: &str, config: Value) -> Value {
    json!({"name": name, "typed_config": config})
}

/// Envoy's dynamic-module HTTP filter that loads `lib{module}.so` and hands it `config` as JSON text.
pub fn module_filter(module: &str, filter: &str, config: &Value) -> Value {
    typed(
        "module",
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": {"name": module, "do_not_close": true, "metrics_namespace": "catalyst"},
            "filter_name": filter,
            "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": config.to_string()},
        }),
    )
}
