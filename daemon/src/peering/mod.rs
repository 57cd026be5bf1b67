//! Peering with other nodes: the routing core's shell.
//!
//! [`convert`] turns the wire's messages into the core's and back.

pub mod convert;
