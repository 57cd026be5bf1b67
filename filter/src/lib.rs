//! `libcatalyst_filter.so`: the filter that Envoy loads. It checks the caller's token and the policy of every
//! request, inside the proxy and without a network call.
//!
//! Everything that decides is in `catalyst-authz`; here is only the way there and back:
//!
//! ```text
//! filter_config ─► config ─► Engine (one per configuration, shared by all workers)
//!                              │
//! request headers ─► request ─►│─► Decision ─► filter ─► headers upstream, or a local reply
//! ```
//!
//! - [`config`]: the filter's and the routes' JSON become an engine and routes;
//! - [`request`]: what Envoy knows of a request;
//! - [`filter`]: strips what a client must not send, asks, and carries the decision out;
//! - [`files`]: what a configuration names is watched, and the engine replaced as a whole;
//! - [`stats`]: decisions in Envoy's own counters;
//! - [`settings`]: the few that are the module's and not the engine's.
//!
//! The module keeps no state of its own beside its configurations, and starts no thread unless a configuration
//! names files.

mod config;
mod files;
mod filter;
mod request;
mod settings;
mod stats;

envoy_dynamic_module::declare_init_functions!(
    || true,
    config::new_http_filter_config,
    config::new_http_filter_per_route_config,
);
