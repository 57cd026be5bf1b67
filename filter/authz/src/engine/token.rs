//! A token whose signature has verified.

use std::sync::Arc;

use super::outcome::percent_encoded;
use super::trust::Issuer;
use crate::claims::Claims;

/// A verified token. It keeps the token itself, to be compared in full and to have its claims read again, and
/// what is looked at on each request.
#[derive(Debug)]
pub(crate) struct Verified {
    issuer: Arc<Issuer>,
    expires: u64,
    valid_from: u64,
    subject: Box<str>,
    /// The subject as a header's value, where it differs.
    subject_header: Option<Box<str>>,
    audiences: Box<[Box<str>]>,
    certificate: Option<Box<[u8; 32]>>,
}

/// A token that was just verified, with its claims still at hand.
pub(super) struct Fresh<'p> {
    pub(super) verified: Arc<Verified>,
    pub(super) claims: Claims<'p>,
}

impl Verified {
    pub(super) fn new(_token: &[u8], issuer: Arc<Issuer>, claims: &Claims<'_>) -> Self {
        let encoded = percent_encoded(&claims.subject, |_| false);
        Self {
            issuer,
            expires: claims.expires,
            valid_from: claims.valid_from,
            subject: claims.subject.as_str().into(),
            subject_header: (encoded != claims.subject).then(|| encoded.into_boxed_str()),
            audiences: claims.audiences.iter().map(|audience| audience.as_str().into()).collect(),
            certificate: claims.certificate.map(Box::new),
        }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn subject_header(&self) -> &str {
        self.subject_header.as_deref().unwrap_or(&self.subject)
    }

    pub(super) fn expires(&self) -> u64 {
        self.expires
    }

    pub(super) fn valid_from(&self) -> u64 {
        self.valid_from
    }

    pub(super) fn audiences(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().map(AsRef::as_ref)
    }

    pub(super) fn certificate(&self) -> Option<&[u8; 32]> {
        self.certificate.as_deref()
    }
}
