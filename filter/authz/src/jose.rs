//! JSON Object Signing: parsing that is strict where the RFCs allow one reading only.
//!
//! [`jws::split`] cuts a token, [`Header::parse`] reads its header, [`jwk::Jwk`] holds a public key that was
//! parsed once, and [`json`] and [`base64url`] refuse what other parsers let pass: duplicate members, deep
//! nesting, padding, stray bits.

mod algorithm;
pub mod base64url;
mod header;
pub mod json;
pub mod jwk;
pub mod jws;

pub use algorithm::{Algorithm, KeyType};
pub use header::{Header, HeaderError};
