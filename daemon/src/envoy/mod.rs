//! The Envoy of this node, as a program: what it is started with, and who keeps it alive.
//!
//! - [`bootstrap`]: pure; the little that Envoy must know before it has met the daemon. Everything else comes by xDS.
//! - [`module`]: the filter's `.so`, kept under a name that changes with its content.
//! - [`process`]: one Envoy process, started by this daemon or by the one before it.
//! - [`supervisor`]: the task that starts Envoy, starts it again when it dies, and ends it after draining.
//! - [`admin`]: the few calls of Envoy's admin interface that the daemon makes.
//!
//! An Envoy outlives a daemon that is killed: it goes on with what it was told, and still checks every request. The next
//! daemon takes it over if its bootstrap is the same, so that a restart of the daemon drops no connection.

pub mod admin;
pub mod bootstrap;
pub mod module;
pub mod process;
pub mod supervisor;

pub use bootstrap::{Bootstrap, bootstrap};
pub use supervisor::{Settings, State, supervise};
