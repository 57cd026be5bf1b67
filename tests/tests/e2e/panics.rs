//! A module that panics in any of its hooks denies that request, and Envoy lives on.

use std::{fs, process::Command};

use catalyst_tests::{
    call::Call,
    echo::Echo,
    envoy::Admin,
    eventually,
    ports::Reserved,
    process::{Process, Run},
    programs,
};
use serde_json::{Value, json};

/// An Envoy whose one listener has the module, and the service behind it.
struct Panicky {
    envoy: Process,
    echo: Echo,
    listener: Reserved,
    admin: Reserved,
    _run: Run,
}

/// The module is told in which hook to panic by the configuration of the filter.
async fn start(hook: &str) -> Panicky {
    let run = Run::new();
    let echo = Echo::start().await;
    let (listener, admin) = (Reserved::new(), Reserved::new());
    let config = run.dir().join("envoy.json");
    fs::write(&config, bootstrap(hook, &listener, &admin, &echo).to_string()).expect("written");
    let mut command = Command::new(programs::envoy());
    command.args(["--use-dynamic-base-id", "--concurrency", "1", "--config-path"]).arg(&config);
    let mut envoy = run.start("envoy", &mut command);
    eventually("Envoy is ready", async || {
        envoy.running().unwrap_or_else(|error| panic!("{error}"));
        Admin(admin.address()).get("/ready").await.map_err(|error| format!("{error:#}"))
    })
    .await;
    Panicky { envoy, echo, listener, admin, _run: run }
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn bootstrap(hook: &str, listener: &Reserved, admin: &Reserved, echo: &Echo) -> Value {
    let module = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
        "dynamic_module_config": {
            "module": {"local": {"filename": programs::program("examples/libpanics.so")}}, "do_not_close": true,
        },
        "filter_name": "panics",
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": hook},
    });
    let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "panics",
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "echo"}}],
        }]},
        "http_filters": [
            {"name": "panics", "typed_config": module},
            {"name": "router", "typed_config": router},
        ],
    });
    let endpoint = json!({"endpoint": {"address": address(echo.address().port())}});
    json!({
        "admin": {"address": address(admin.address().port())},
        "static_resources": {
            "listeners": [{
                "address": address(listener.address().port()),
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }],
            "clusters": [{
                "name": "echo", "type": "STATIC",
                "load_assignment": {"cluster_name": "echo", "endpoints": [{"lb_endpoints": [endpoint]}]},
            }],
        },
    })
}

/// Sends requests through a module that panics in `hook`: each is answered with `status`, `reach` of them reach the
/// service, and Envoy is the same process afterwards.
async fn check(hook: &str, status: u16, reach: bool) {
    const REQUESTS: usize = 20;
    let mut panicky = start(hook).await;
    for number in 0..REQUESTS {
        let call = Call::post("echo", "/", "a body").header("x-number", &number.to_string());
        let answer =
            call.send(panicky.listener.address()).await.unwrap_or_else(|error| panic!("{hook}: {error:#}"));
        assert_eq!(answer.status, status, "{hook}: {answer:?}");
    }
    assert_eq!(panicky.echo.received(), if reach { REQUESTS } else { 0 }, "{hook}");
    panicky.envoy.running().unwrap_or_else(|error| panic!("{hook}: {error}"));
    Admin(panicky.admin.address()).get("/ready").await.expect("Envoy is ready");
}

#[tokio::test]
async fn a_module_that_does_not_panic_lets_requests_through() {
    check("none", 200, true).await;
}

#[tokio::test]
async fn a_panic_before_the_service_is_asked_keeps_the_request_from_it() {
    check("new", 500, false).await;
    check("request_headers", 500, false).await;
}

#[tokio::test]
async fn a_panic_on_the_response_withholds_it() {
    check("response_headers", 500, true).await;
}

#[tokio::test]
async fn a_panic_after_the_answer_harms_nobody() {
    check("stream_complete", 200, true).await;
    check("drop", 200, true).await;
}
