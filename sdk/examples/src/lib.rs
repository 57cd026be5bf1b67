//! Two small Apollo Federation 2 subgraphs and the token issuer that the quickstart and the tests use with them.
//!
//! - [`books`]: owns `Book @key(fields: "id")`.
//! - [`reviews`]: adds `reviews` to `Book`, so that one query joins across both services.
//! - [`server`]: what both have in common: `POST /graphql`, `GET /health`, a clean stop on ctrl-c and SIGTERM.
//! - [`caller`]: who calls, as the node's Envoy verified it and wrote it into the `x-catalyst-*` headers.
//! - [`issuer`]: an ES256 key on disk, its JWKS, and the tokens signed with it (`dev-issuer` is its command line).
//!
//! The services check no token: Envoy has done so before a request arrives. That is why they listen on loopback.

pub mod books;
pub mod caller;
pub mod issuer;
pub mod reviews;
pub mod server;
