//! Key sets of issuers that publish them at a URL, kept fresh without a request ever waiting for one.
//!
//! - [`schedule`]: pure; when to fetch, from what the issuer said about freshness, from failures, and from tokens that
//!   named a key nobody knows.
//! - [`freshness`]: `Cache-Control` and `Age` (RFC 9111) to a lifetime within our bounds.
//! - [`fetch`]: one bounded HTTP request: no redirects, no private or link-local targets unless allowed, at most
//!   [`fetch::MAX_BYTES`].
//! - [`cache`]: the last good set on disk, so that a restart while the issuer is down still verifies tokens.
//! - [`follow`]: the task that joins these, one for each issuer.
//!
//! How long a set serves while its issuer is down is not decided here: each set carries the time it was last
//! confirmed, and the filter denies once that is older than the issuer's `max_stale`.

pub mod cache;
pub mod fetch;
mod follow;
pub mod freshness;
pub mod schedule;

pub use follow::{Check, Follower, KeySet, follow};
