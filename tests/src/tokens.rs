//! A trusted issuer, and tokens that are wrong in one way each.

use std::{path::Path, time::SystemTime};

use catalyst_examples::issuer::{Issuer, Token};
use serde_json::Map;

/// `iss` of the trusted issuer.
pub const ISSUER: &str = "https://issuer.acme.example";
/// What the node wants to see in `aud`.
pub const AUDIENCE: &str = "catalyst";
/// `sub` of the tokens made here.
pub const SUBJECT: &str = "alice";

/// The trusted issuer's key.
pub struct Tokens(Issuer);

impl Tokens {
    /// Makes the key and its JWKS in a folder.
    ///
    /// # Panics
    /// It cannot.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self(Issuer::open(dir).expect("an issuer's key"))
    }

    /// The file with the public key.
    #[must_use]
    pub fn jwks(&self) -> &Path {
        self.0.jwks()
    }

    /// What a good token says; for a variation of it, see [`Tokens::sign`].
    #[must_use]
    pub fn good() -> Token {
        Token {
            issuer: ISSUER.to_owned(),
            subject: SUBJECT.to_owned(),
            audience: vec![AUDIENCE.to_owned()],
            expires_in: 3600,
            claims: Map::new(),
        }
    }

    /// A token that is as it should be.
    #[must_use]
    pub fn valid(&self) -> String {
        self.sign(&Self::good())
    }

    /// A token with these claims, signed with the trusted key.
    ///
    /// # Panics
    /// It cannot be signed.
    #[must_use]
    pub fn sign(&self, token: &Token) -> String {
        self.0.sign(token, SystemTime::now()).expect("signed")
    }

    /// A token that is good but for its signature, by a key that nobody trusts.
    ///
    /// # Panics
    /// It cannot be signed.
    #[must_use]
    pub fn forged(&self) -> String {
        self.0.forge(&Self::good(), SystemTime::now()).expect("signed")
    }
}
