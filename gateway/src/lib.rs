//! GraphQL federation: subgraphs are composed to one schema, and operations on it planned, executed and
//! projected.
//!
//! - [`Gateway`] is told which subgraphs there are. It asks each for its schema, composes those that answer
//!   (`catalyst-compose`) and swaps to an engine for the result; one that does not fit is left out, with the
//!   reason in [`Status`].
//! - `engine` is one supergraph and all that was made for it: the planner (`hive-router-query-planner`), the
//!   `schema`, and prepared operations. A request keeps the engine it started with.
//! - `operation` parses, measures, validates and plans a query once; `plan` and `projection` are what that
//!   leaves to do for each request.
//! - `execute` runs a plan: it sends `transport` requests, parses answers (`json`) without copying them,
//!   links them together (`data`) and writes the response (`project`), `introspection` included.
//! - [`router`] is GraphQL over HTTP; [`standalone`] serves it without a node around it.
//!
//! Deliberately absent: authentication and authorization of the caller, TLS, routing, circuit breaking. Those
//! are Envoy's and the filter's: requests to subgraphs go through Envoy, with the caller's own token.

mod data;
mod engine;
mod error;
mod execute;
mod gateway;
mod introspection;
mod json;
mod limits;
mod operation;
mod persisted;
mod plan;
mod project;
mod projection;
mod schema;
mod server;
mod settings;
pub mod standalone;
mod transport;
mod variables;

#[cfg(test)]
mod fixture;

pub use error::Code;
pub use gateway::{Gateway, MAX_SUBGRAPHS, SdlSource, Status, Subgraph, SubgraphState, SubgraphStatus};
pub use limits::Limits;
pub use operation::Kind;
pub use persisted::{Persisted, Safelist, SafelistError};
pub use server::router;
pub use settings::Settings;
pub use transport::{
    Fetch, FetchError, FetchRequest, FetchResponse, HttpClient, HttpFetch, Protocol, TransportError,
};
