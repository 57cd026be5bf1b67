//! The gateway over real subgraphs: servers on loopback that know nothing of it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod basics;
mod http;
mod subgraphs;
mod support;
