//! The xDS server: what is routed becomes what Envoy is told.
//!
//! ```text
//! table ──► build ──► Snapshot ──(watch)──► stream (one for each Envoy) ──► Envoy
//!           pure      resources,            pure: versions, order,
//!                     encoded once          ACK and NACK
//! ```
//!
//! | part | holds |
//! |---|---|
//! | [`table`] | what is routed: the input |
//! | [`build`] | the pure function from table and node to a snapshot |
//! | [`resource`], [`snapshot`] | encoded resources, versioned by their content |
//! | [`stream`] | the pure state machine of one client: delta or state of the world |
//! | [`server`], [`status`] | the gRPC service around it, and who is connected |

pub mod build;
pub mod resource;
pub mod server;
pub mod snapshot;
pub mod status;
pub mod stream;
pub mod table;
mod wire;

pub use build::{NodeSettings, build};
pub use resource::{Name, Resource, ResourceType};
pub use server::{AdsService, Published};
pub use snapshot::Snapshot;
pub use status::{ClientStatus, Clients};
pub use table::Table;
