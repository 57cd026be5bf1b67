//! The decision: may this request pass? Token → verified claims → Cedar → [`Decision`].
//!
//! ```text
//! config ──► Engine::new ─────────────┐   (keys, policies, caches; built once per configuration)
//!                                     ▼
//! Request ─► credentials ─► token ─► claims ─► cedar ─► Decision::{Allow, Deny}
//!            (header,       (jose,   (iss, aud, (index,
//!             cookie)        keys)    exp, …)    evaluation)
//! ```
//!
//! | part | holds |
//! |---|---|
//! | [`config`] | what an operator writes: [`config::FilterConfig`], [`config::RouteConfig`] |
//! | [`engine`] | [`Engine`]: one configuration, ready to decide |
//! | [`request`], [`route`] | what a decision is about |
//! | [`decision`] | what comes out: identity and headers, or reason, status and deny id |
//! | [`proxy`] | both in the terms of a proxy, for the shells to share |
//! | [`jose`] | strict base64url, JSON, JOSE header, JWS, JWK |
//! | [`keys`] | the key sets of the issuers, each bound to one organisation |
//! | [`claims`] | the claims of a verified token |
//! | [`cedar`] | schema, entities, evaluation of the policy set by way of an index |
//! | [`cache`] | verified tokens, decisions and forged tokens, found again |
//!
//! **Pure.** The crate opens no socket or file and reads neither clock nor environment: time is an argument
//! ([`Timestamp`]) and files are read by whoever holds the configuration (see
//! [`config::FilterConfig::resolve_files`]). The single thing it takes from its surroundings is a random key per
//! engine from `std`'s `RandomState`, as every `HashMap` does: it spreads cache slots and makes deny ids
//! unguessable, and changes no decision.
//!
//! **Total.** [`Engine::decide`] returns a [`Decision`], never an error: whatever goes wrong is a denial with a
//! reason.
//!
//! **Signatures** are verified with `aws-lc-rs` on keys parsed when the configuration is loaded. The `jsonwebtoken`
//! crate parses a key anew for each call (20–30 µs dearer on ES256); it is the independent implementation that
//! the tests compare with.

pub mod cache;
pub mod cedar;
pub mod claims;
pub mod config;
pub mod decision;
pub mod engine;
pub mod jose;
pub mod keys;
pub mod proxy;
pub mod request;
pub mod route;

pub use cache::Caches;
pub use decision::{Allow, Decision, Deny, DenyReason, Effort};
pub use engine::Engine;
pub use request::{GraphqlOperation, Request, Timestamp, TlsPeer};
pub use route::Route;
