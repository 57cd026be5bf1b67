//! What was found out before, bounded and never trusted beyond its time.
//!
//! | cache | from | to | shared |
//! |---|---|---|---|
//! | front | token, route, and what policies read | decision | no: each thread of each engine |
//! | tokens | token | verified claims | by all engines given the same [`Caches`] |
//! | decisions | verified token, route, and what policies read | decision | by engines with the same policy |
//! | forged | token, key set | "its signature is wrong" | like tokens |
//!
//! Entries are found by a keyed hash and compared in full. A cached token is checked against the engine that finds
//! it: its time, its issuer's settings, its key, and revocation; so the caches survive a change of configuration
//! while nothing that was taken back does. Decisions live with their policy set and go with it as a whole. Bad
//! tokens never enter the caches of good ones.

mod front;
mod shared;

pub(crate) use front::{Front, Window};
pub use shared::Caches;
pub(crate) use shared::{Decisions, PolicyDigest};
