//! The daemon of a Catalyst node: the shell that owns sockets, clocks, files and tasks.
//!
//! [`cli`] reads the command line, and [`config`] says what the node is. [`xds`] tells Envoy what is routed.

pub mod cli;
pub mod config;
pub mod durable;
pub mod envoy;
pub mod ext_proc;
pub mod jwks;
pub mod node;
pub mod peering;
pub mod xds;
