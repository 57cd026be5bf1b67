//! The engine from outside: a configuration and a request in, a decision out.

#[path = "../support/mod.rs"]
mod support;

mod caches;
mod identity;
mod policies;
mod tokens;
