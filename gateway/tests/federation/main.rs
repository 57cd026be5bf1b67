//! The gateway over real subgraphs: servers on loopback that know nothing of it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod abuse;
mod alone;
mod basics;
mod features;
mod http;
mod resilience;
mod subgraphs;
mod support;
mod world;
