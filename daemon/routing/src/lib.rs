//! The routing core of a Catalyst node: BGP for services, as a library without sockets, clocks, tasks or files. Time,
//! input and randomness are arguments, effects are returned, so that everything here can be tested with a table or in a
//! simulated network.
//!
//! [`router::Router`] is the whole: it takes [`router::Event`]s, gives [`router::Action`]s, hands out messages to peers as
//! there is room for them, and [`snapshot`]s to whoever builds on the routes. Beneath it:
//!
//! - [`fsm`]: RFC 4271's state machine, one per peer, over connections that the shell makes;
//! - `rib`: the tables (two, kept apart by type: [`table`]), each with a journal that all readers follow;
//! - [`decision`]: which path is best, and why each other is not;
//! - [`policy`]: ordered rules for what comes in and what goes out;
//! - [`damping`]: routes that come and go too often;
//! - [`message`] and [`notification`]: what is said on a session, free of any encoding;
//! - the domain's types, each checked once where it is made: [`name`], [`service`], [`path`], [`tag`], [`attributes`].
//!
//! Deliberately absent: the wire's encoding, signatures and keys (the shell checks before it hands in), addresses of peers
//! (the shell dials), and everything Envoy.

pub mod attributes;
pub mod damping;
pub mod decision;
pub mod fsm;
mod intern;
pub mod message;
pub mod name;
pub mod notification;
pub mod path;
mod persistent;
pub mod policy;
pub mod random;
mod rib;
pub mod router;
pub mod service;
pub mod snapshot;
pub mod table;
pub mod tag;
#[cfg(test)]
mod testing;
pub mod time;
