//! The trusted issuers, and the checks a token must pass.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Refusal;
use super::token::Verified;
use crate::cache::{Caches, Window};
use crate::claims::{self, Claims, ClaimsError};
use crate::config::{PrincipalKind, TokenType};
use crate::decision::{DenyReason, Effort};
use crate::jose::jwk::Fingerprint;
use crate::jose::{Algorithm, Header, HeaderError, base64url, json, jws};
use crate::keys::{KeySet, NoCandidate};
use crate::request::{Request, Timestamp};
use crate::route::Route;

/// A token on its way to be verified.
struct Unverified<'t> {
    token: &'t [u8],
    hash: u64,
    parts: jws::Parts<'t>,
    header: Header,
    effort: &'t Cell<Effort>,
}

/// Whom to believe, and what a token must say.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) issuers: HashMap<Box<str>, Issuer>,
    pub(super) audiences: Vec<String>,
    pub(super) leeway: u64,
}

/// A trusted issuer with its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) profile: Arc<Profile>,
    pub(super) algorithms: BTreeSet<Algorithm>,
    pub(super) keys: Option<KeySet>,
    /// One for each of the keys, in their order.
    pub(super) signers: Vec<Arc<Signer>>,
    /// After this time the keys no longer serve.
    pub(super) serves_until: Option<Timestamp>,
    pub(super) token_type: TokenType,
    pub(super) revoked_tokens: HashSet<String>,
    pub(super) revoked_subjects: HashSet<String>,
}

/// One key of one issuer: what a verified token holds on to.
#[derive(Debug)]
#[cfg_attr(test, derive(Default))]
pub(super) struct Signer {
    pub(super) profile: Arc<Profile>,
    pub(super) key: Fingerprint,
}

/// What an issuer's tokens mean. Verified tokens hold on to it, so it is apart from the keys.
#[derive(Debug)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct Profile {
    pub(super) name: Arc<str>,
    pub(super) name_header: Box<str>,
    pub(super) organisation: Box<str>,
    pub(super) principal: PrincipalKind,
    pub(super) groups_claim: String,
    /// Identifies these settings, and those that decide which tokens are accepted, but for the keys.
    pub(super) settings: [u8; 32],
}

impl Profile {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(crate) fn name_header(&self) -> &str {
        &self.name_header
    }

    pub(crate) fn organisation(&self) -> &str {
        &self.organisation
    }

    pub(super) fn principal(&self) -> PrincipalKind {
        self.principal
    }

    pub(super) fn groups_claim(&self) -> &str {
        &self.groups_claim
    }
}

impl Issuer {
    fn refuse(&self, reason: DenyReason) -> Refusal {
        Refusal { reason, issuer: Some(self.profile.shared_name()) }
    }

    fn serving_keys(&self, now: Timestamp) -> Result<&KeySet, DenyReason> {
        let keys = self.keys.as_ref().ok_or(DenyReason::KeysUnavailable)?;
        match self.serves_until {
            Some(until) if now > until => Err(DenyReason::KeysStale),
            Some(_) | None => Ok(keys),
        }
    }

    fn is_revoked(&self, subject: &str, token_id: Option<&str>) -> bool {
        self.revoked_subjects.contains(subject) || token_id.is_some_and(|id| self.revoked_tokens.contains(id))
    }

    /// Whether a token verified under an earlier configuration, or by another engine, would verify here too.
    fn stands_by(&self, verified: &Verified) -> bool {
        self.profile.settings == verified.issuer().settings
            && self.keys.as_ref().is_some_and(|keys| keys.contains(verified.key()))
    }
}

impl Trust {
    /// A token that verified before, if this configuration still stands by it; anything else is forgotten, and
    /// verified from scratch.
    pub(super) fn recall(
        &self,
        caches: &Caches,
        hash: u64,
        token: &[u8],
    ) -> Option<Result<Arc<Verified>, Refusal>> {
        let verified = caches.verified(hash, token)?;
        let issuer = self.issuers.get(verified.issuer().name());
        let Some(issuer) = issuer.filter(|issuer| issuer.stands_by(&verified)) else {
            caches.forget_verified(hash);
            return None;
        };
        if issuer.is_revoked(verified.subject(), verified.token_id()) {
            caches.forget_verified(hash);
            return Some(Err(issuer.refuse(DenyReason::Revoked)));
        }
        Some(Ok(verified))
    }

    /// Verifies a token from scratch; `payload` is a buffer that the claims are decoded into. What is cheap is
    /// checked first: the claims are read, yet unverified, before the signature is, since they name the issuer.
    /// Nothing of them is believed until it has verified.
    pub(super) fn verify<'p>(
        &self,
        caches: &Caches,
        hash: u64,
        token: &[u8],
        now: Timestamp,
        effort: &Cell<Effort>,
        payload: &'p mut Vec<u8>,
    ) -> Result<(Arc<Verified>, Claims<'p>), Refusal> {
        let malformed = || Refusal::new(DenyReason::MalformedToken);
        let parts = jws::split(token).map_err(|_| malformed())?;
        let header = base64url::decode(parts.header).map_err(|_| malformed())?;
        let header = Header::parse(&header).map_err(|error| Refusal::new(header_reason(&error)))?;
        *payload = base64url::decode(parts.payload).map_err(|_| malformed())?;
        let members = json::parse_object(payload).map_err(|_| malformed())?;
        let issuer = claims::issuer(&members).map_err(|error| Refusal::new(claims_reason(&error)))?;
        let issuer = self.issuers.get(issuer).ok_or_else(|| Refusal::new(DenyReason::UnknownIssuer))?;
        let claims = Claims::from_members(members).map_err(|error| issuer.refuse(claims_reason(&error)))?;
        let unverified = Unverified { token, hash, parts, header, effort };
        let signer = self.verify_for(issuer, caches, &unverified, &claims, now);
        let signer = signer.map_err(|reason| issuer.refuse(reason))?;
        // What has verified is base64url and dots.
        let text = std::str::from_utf8(token).map_err(|_| malformed())?;
        let verified = Verified::new(text, Arc::clone(signer), &claims);
        Ok((Arc::new(verified), claims))
    }

    /// The key that verifies the token.
    fn verify_for<'i>(
        &self,
        issuer: &'i Issuer,
        caches: &Caches,
        unverified: &Unverified<'_>,
        claims: &Claims<'_>,
        now: Timestamp,
    ) -> Result<&'i Arc<Signer>, DenyReason> {
        let Unverified { token, hash, parts, header, effort } = unverified;
        if !issuer.algorithms.contains(&header.algorithm) {
            return Err(DenyReason::AlgorithmNotAllowed);
        }
        match issuer.token_type {
            TokenType::AccessToken if !header.is_access_token => return Err(DenyReason::WrongType),
            TokenType::AccessToken | TokenType::Any => {}
        }
        self.check_time(claims.expires, claims.valid_from, now)?;
        let keys = issuer.serving_keys(now)?;
        let mut candidates =
            keys.candidates(header.key_id.as_deref(), header.algorithm).map_err(|none| match none {
                NoCandidate::UnknownKey => DenyReason::UnknownKey,
                NoCandidate::WrongAlgorithm => DenyReason::AlgorithmNotAllowed,
                NoCandidate::TooMany => DenyReason::AmbiguousKey,
            })?;
        let signature = base64url::decode(parts.signature).map_err(|_| DenyReason::MalformedToken)?;
        if caches.is_forged(*hash, token, keys.id()) {
            return Err(DenyReason::BadSignature);
        }
        effort.set(Effort { verified_signature: true, ..effort.get() });
        let Some(key) =
            candidates.find(|key| key.verifies(header.algorithm, parts.signing_input, &signature))
        else {
            caches.keep_forged(*hash, token, *keys.id());
            return Err(DenyReason::BadSignature);
        };
        if issuer.is_revoked(&claims.subject, claims.token_id.as_deref()) {
            return Err(DenyReason::Revoked);
        }
        let signer = issuer.signers.iter().find(|signer| signer.key == *key.fingerprint());
        Ok(signer.expect("there is a signer for each key"))
    }

    /// Checks what depends on time and request, of cached tokens too. The answer is for how long this holds.
    pub(super) fn admit(
        &self,
        verified: &Verified,
        route: &Route,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<Window, Refusal> {
        let refuse = |reason| Refusal::of(reason, verified);
        self.check_time(verified.expires(), verified.valid_from(), now).map_err(refuse)?;
        let issuer = self.issuers.get(verified.issuer().name());
        let issuer = issuer.ok_or_else(|| refuse(DenyReason::UnknownIssuer))?;
        issuer.serving_keys(now).map_err(refuse)?;
        let accepted = |audience: &str| {
            self.audiences.iter().chain(&route.config().audiences).any(|accepted| accepted == audience)
        };
        if !verified.audiences().any(accepted) {
            return Err(refuse(DenyReason::WrongAudience));
        }
        if !verified.is_presented_by(request) {
            return Err(refuse(DenyReason::CertificateMismatch));
        }
        let expires = verified.expires().saturating_add(self.leeway);
        let stale = issuer.serves_until.map_or(u64::MAX, |until| until.unix_seconds().saturating_add(1));
        Ok(Window { from: verified.valid_from().saturating_sub(self.leeway), until: expires.min(stale) })
    }

    /// RFC 7519, 4.1.4 and 4.1.5: valid before `exp` and from `nbf` on, give or take the leeway.
    fn check_time(&self, expires: u64, valid_from: u64, now: Timestamp) -> Result<(), DenyReason> {
        let now = now.unix_seconds();
        if now >= expires.saturating_add(self.leeway) {
            return Err(DenyReason::Expired);
        }
        if now.saturating_add(self.leeway) < valid_from {
            return Err(DenyReason::NotYetValid);
        }
        Ok(())
    }
}

fn header_reason(error: &HeaderError) -> DenyReason {
    match error {
        HeaderError::Json(_) | HeaderError::Parameter(_) => DenyReason::MalformedToken,
        HeaderError::Algorithm => DenyReason::UnsupportedAlgorithm,
        HeaderError::Critical => DenyReason::CriticalHeader,
    }
}

fn claims_reason(error: &ClaimsError) -> DenyReason {
    match error {
        ClaimsError::Json(_) => DenyReason::MalformedToken,
        ClaimsError::Missing(_) => DenyReason::MissingClaim,
        ClaimsError::Invalid(_) => DenyReason::InvalidClaim,
    }
}
