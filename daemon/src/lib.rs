//! The daemon of a Catalyst node: the shell that owns sockets, clocks, files and tasks.
//!
//! [`config`] says what the node is. [`xds`] tells Envoy what is routed.

pub mod config;
pub mod durable;
pub mod envoy;
pub mod jwks;
pub mod xds;
