//! The harness of the end-to-end tests: a node with the real Envoy, services behind it, and a client in front.
//!
//! - [`topology`]: starts services and a node together; where most tests begin.
//! - [`node`]: one `catalystd` and its Envoy: configuration, start, kill, restart, what it says.
//! - [`envoy`]: Envoy seen through its admin interface: configuration and counters.
//! - [`call`]: one HTTP request and its answer.
//! - [`tokens`]: a trusted issuer, and tokens that are wrong in one way each.
//! - [`keys`]: an issuer that publishes its key set, and can be down.
//! - [`echo`]: a plain HTTP service that answers with what it was sent.
//! - [`process`], [`ports`], [`programs`]: children, free ports, and where the built programs are.
//! - [`eventually`]: waiting for a state, with a limit, and never for a time.
//!
//! A test owns all it starts. Whatever it leaves is ended when it ends; when it fails, the ends of all logs are shown
//! and its folder is kept.
//!
//! Deliberately absent: anything of the filter. Only Envoy can load it.

pub mod call;
pub mod echo;
pub mod envoy;
pub mod eventually;
pub mod keys;
pub mod node;
pub mod ports;
pub mod process;
pub mod programs;
pub mod tokens;
pub mod topology;

pub use eventually::eventually;
