//! A thin safe binding of the HTTP-filter part of Envoy's dynamic-module ABI `v0.2.0` (Envoy 1.40).
//!
//! Envoy loads a shared library, looks up functions by name (*hooks*, [`hooks`]) and exports functions that the
//! library calls (*callbacks*, [`abi`]). A module built on this crate implements [`HttpFilterConfig`] and
//! [`HttpFilter`], names its constructors with [`declare_init_functions!`], and is built as a `cdylib`:
//!
//! - [`http`]: the traits of both sides, named and shaped after Envoy's official Rust SDK, so that moving to it is a
//!   change of imports;
//! - [`host`](EnvoyHttpFilterImpl): Envoy behind those traits; what it lends is tied to the borrow it came from;
//! - [`hooks`]: the exports, where every panic ends: the stream it struck is answered with 500 and Envoy lives on;
//! - `compat`: the check that the running Envoy speaks this ABI version;
//! - [`log`]: lines in Envoy's log.
//!
//! Deliberately absent: bodies, callouts, schedulers, secrets, and everything that is not an HTTP filter.
//!
//! A program that links this crate does not start outside Envoy, which alone has the callbacks.

pub mod abi;
mod buffer;
mod compat;
pub mod hooks;
mod host;
pub mod http;
pub mod log;

pub use buffer::EnvoyBuffer;
pub use host::{EnvoyHttpFilterConfigImpl, EnvoyHttpFilterImpl, MAX_HEADERS_ON_STACK};
pub use http::{
    EnvoyCounterId, EnvoyGaugeId, EnvoyHistogramId, EnvoyHttpFilter, EnvoyHttpFilterConfig, HttpFilter,
    HttpFilterConfig, NewHttpFilterConfigFunction, NewHttpFilterPerRouteConfigFunction, ProgramInitFunction,
};

/// Exports the module's entry point. Takes a [`ProgramInitFunction`], a [`NewHttpFilterConfigFunction`] over
/// [`EnvoyHttpFilterConfigImpl`] and [`EnvoyHttpFilterImpl`], and a [`NewHttpFilterPerRouteConfigFunction`].
#[macro_export]
macro_rules! declare_init_functions {
    ($init:expr, $new_http_filter_config:expr, $new_http_filter_per_route_config:expr $(,)?) => {
        #[unsafe(no_mangle)]
        extern "C" fn envoy_dynamic_module_on_program_init()
        -> $crate::abi::envoy_dynamic_module_type_abi_version_module_ptr {
            $crate::hooks::program_init($init, $new_http_filter_config, $new_http_filter_per_route_config)
        }
    };
}
