//! The routing core: BGP for services, as a library without sockets, clocks, tasks or files.
//!
//! What is here so far are the domain's types, each checked once where it is made: [`name`]s, [`service`]s, [`path`]s,
//! [`tag`]s and [`attributes`]; [`time`] and [`random`] numbers are arguments.

pub mod attributes;
pub mod fsm;
pub mod message;
pub mod name;
pub mod notification;
pub mod path;
pub mod random;
pub mod service;
pub mod tag;
pub mod time;
