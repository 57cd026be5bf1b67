//! Policies in Cedar: how they are loaded, what they see of a request, and how they are evaluated.
//!
//! [`schema`] says what policies can name. [`Policies`] is a policy set that was checked against it, with the
//! operator's entities. [`Policies::evaluate`] turns a [`Question`] into a [`Verdict`].

mod entities;
mod error;
pub mod index;
mod load;
mod names;
mod question;
mod reads;
pub mod schema;
mod values;

pub use error::{Finding, PolicyError, Position};
pub use load::{MAX_POLICIES, MAX_TEXT_BYTES, Policies, Texts};
pub(crate) use question::{Principal, Question, Resource, action};
pub use reads::Reads;

use std::sync::Arc;

/// The answer of the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Permitted, by these policies.
    Permit(Arc<[Box<str>]>),
    /// No policy permits it, and none forbids it.
    NotPermitted,
    /// Forbidden, by these policies.
    Forbid(Arc<[Box<str>]>),
    /// These policies could not be evaluated. Cedar leaves such a policy out; a `forbid` left out would let
    /// through what it forbids, so the engine denies instead.
    Error(Arc<[Box<str>]>),
}
