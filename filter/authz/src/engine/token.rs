//! A token whose signature has verified.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::outcome::percent_encoded;
use super::trust::{Profile, Signer};
use crate::claims::{Claims, ClaimsError};
use crate::jose::jwk::Fingerprint;
use crate::jose::{base64url, jws};
use crate::request::Request;

/// A verified token. It keeps the token itself, to be compared in full and to have its claims read again, and
/// what is looked at on each request. All its texts lie in one allocation: there can be very many of these.
#[derive(Debug)]
pub(crate) struct Verified {
    signer: Arc<Signer>,
    expires: u64,
    valid_from: u64,
    /// Token, subject, `jti`, and the audiences, one after the other.
    texts: Box<str>,
    token_end: u32,
    subject_end: u32,
    /// Where the `jti` ends, or before where the subject does if there is none.
    token_id_end: u32,
    /// Where the first audience ends; the others' ends are among what is unusual.
    audience_end: Option<NonZeroU32>,
    unusual: Option<Box<Unusual>>,
}

/// What few tokens have.
#[derive(Debug)]
struct Unusual {
    /// The subject as a header's value, where that differs from the subject.
    subject_header: Option<Box<str>>,
    certificate: Option<[u8; 32]>,
    more_audience_ends: Box<[u32]>,
}

impl Verified {
    /// `token` has verified, so it is ASCII and of bounded length, as are the claims within.
    pub(super) fn new(token: &str, signer: Arc<Signer>, claims: &Claims<'_>) -> Self {
        let mut texts = String::with_capacity(token.len() + claims.subject.len() + 64);
        let mut append = |text: &str| {
            texts.push_str(text);
            u32::try_from(texts.len()).expect("a token is bounded far below 4 GiB")
        };
        let token_end = append(token);
        let subject_end = append(&claims.subject);
        let token_id_end = claims.token_id.as_deref().map_or(0, &mut append);
        let mut audience_ends = claims.audiences.iter().map(|audience| append(audience));
        let audience_end = audience_ends.next().and_then(NonZeroU32::new);
        let more_audience_ends: Box<[u32]> = audience_ends.collect();
        let header = percent_encoded(&claims.subject, |_| false);
        let subject_header = (header != claims.subject).then(|| header.into_boxed_str());
        let certificate = claims.certificate;
        let is_unusual = subject_header.is_some() || certificate.is_some() || !more_audience_ends.is_empty();
        Self {
            signer,
            expires: claims.expires,
            valid_from: claims.valid_from,
            texts: texts.into_boxed_str(),
            token_end,
            subject_end,
            token_id_end,
            audience_end,
            unusual: is_unusual
                .then(|| Box::new(Unusual { subject_header, certificate, more_audience_ends })),
        }
    }

    pub(crate) fn token(&self) -> &[u8] {
        self.text(0, self.token_end).as_bytes()
    }

    pub(crate) fn issuer(&self) -> &Profile {
        &self.signer.profile
    }

    pub(crate) fn subject(&self) -> &str {
        self.text(self.token_end, self.subject_end)
    }

    pub(crate) fn subject_header(&self) -> &str {
        let encoded = self.unusual.as_ref().and_then(|unusual| unusual.subject_header.as_deref());
        encoded.unwrap_or_else(|| self.subject())
    }

    pub(super) fn key(&self) -> &Fingerprint {
        &self.signer.key
    }

    pub(super) fn expires(&self) -> u64 {
        self.expires
    }

    pub(super) fn valid_from(&self) -> u64 {
        self.valid_from
    }

    pub(super) fn token_id(&self) -> Option<&str> {
        (self.token_id_end >= self.subject_end).then(|| self.text(self.subject_end, self.token_id_end))
    }

    pub(super) fn audiences(&self) -> impl Iterator<Item = &str> {
        let first = self.token_id_end.max(self.subject_end);
        let more = self.unusual.as_ref().map_or(&[][..], |unusual| &unusual.more_audience_ends);
        let ends = self.audience_end.map(NonZeroU32::get).into_iter().chain(more.iter().copied());
        ends.scan(first, |start, end| Some(self.text(std::mem::replace(start, end), end)))
    }

    fn text(&self, start: u32, end: u32) -> &str {
        &self.texts[start as usize..end as usize]
    }

    /// Whether a token that is bound to a certificate comes with that certificate (RFC 8705, 3).
    pub(super) fn is_presented_by(&self, request: &Request<'_>) -> bool {
        match self.unusual.as_ref().and_then(|unusual| unusual.certificate) {
            None => true,
            bound_to @ Some(_) => request.tls_peer.and_then(|peer| peer.certificate_sha256) == bound_to,
        }
    }

    /// The claims, decoded into `payload`.
    pub(super) fn claims<'p>(&self, payload: &'p mut Vec<u8>) -> Result<Claims<'p>, ClaimsError> {
        let parts = jws::split(self.token()).map_err(|_| ClaimsError::Missing("iss"))?;
        *payload = base64url::decode(parts.payload).map_err(|_| ClaimsError::Missing("iss"))?;
        Claims::parse(payload)
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let unusual = self.unusual.as_ref().map_or(0, |unusual| {
            let header = unusual.subject_header.as_ref().map_or(0, |header| header.len());
            size_of::<Unusual>() + header + size_of_val(&*unusual.more_audience_ends)
        });
        size_of::<Self>() + self.texts.len() + unusual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(json: &str) -> Verified {
        let claims = Claims::parse(json.as_bytes()).expect("claims");
        Verified::new("a.b.c", Arc::new(Signer::default()), &claims)
    }

    #[test]
    fn texts_are_found_again() {
        let all = verified(r#"{"iss":"i","sub":"zoë","exp":1,"jti":"t1","aud":["x","","yy"]}"#);
        assert_eq!((all.token(), all.subject(), all.token_id()), (&b"a.b.c"[..], "zoë", Some("t1")));
        assert_eq!(all.audiences().collect::<Vec<_>>(), ["x", "", "yy"]);
        assert_eq!(all.subject_header(), "zo%C3%AB");
        let few = verified(r#"{"iss":"i","sub":"bob","exp":1,"aud":"x"}"#);
        assert_eq!((few.subject_header(), few.token_id()), ("bob", None));
        assert_eq!(few.audiences().collect::<Vec<_>>(), ["x"]);
        let empty = verified(r#"{"iss":"i","sub":"bob","exp":1,"jti":""}"#);
        assert_eq!((empty.token_id(), empty.audiences().count()), (Some(""), 0));
    }
}
