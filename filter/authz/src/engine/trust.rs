//! The trusted issuers, and the checks a token must pass.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Refusal;
use super::outcome::percent_encoded;
use super::token::{Fresh, Verified};
use crate::claims::{self, Claims, ClaimsError};
use crate::config::{PrincipalKind, TokenType};
use crate::decision::DenyReason;
use crate::jose::{Algorithm, Header, HeaderError, base64url, json, jws};
use crate::keys::{KeySet, NoCandidate};
use crate::request::{Request, Timestamp};
use crate::route::Route;

/// Whom to believe, and what a token must say.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) issuers: HashMap<Box<str>, Arc<Issuer>>,
    pub(super) audiences: Vec<String>,
    pub(super) leeway: u64,
}

/// A trusted issuer with its keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(super) name: Arc<str>,
    pub(super) name_header: Box<str>,
    pub(super) organisation: Arc<str>,
    pub(super) principal: PrincipalKind,
    pub(super) algorithms: BTreeSet<Algorithm>,
    pub(super) keys: Option<KeySet>,
    /// After this time the keys no longer serve.
    pub(super) serves_until: Option<Timestamp>,
    pub(super) token_type: TokenType,
    pub(super) groups_claim: String,
    pub(super) revoked_tokens: HashSet<String>,
    pub(super) revoked_subjects: HashSet<String>,
}

impl Issuer {
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

    pub(crate) fn principal(&self) -> PrincipalKind {
        self.principal
    }

    pub(crate) fn groups_claim(&self) -> &str {
        &self.groups_claim
    }

    fn refuse(&self, reason: DenyReason) -> Refusal {
        Refusal { reason, issuer: Some(self.shared_name()) }
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
}

impl Trust {
    /// Verifies a token from scratch; `payload` is a buffer that the claims are decoded into. What is cheap is
    /// checked first: the claims are read, yet unverified, before the signature is, since they name the issuer.
    /// Nothing of them is believed until it has verified.
    pub(super) fn verify<'p>(
        &self,
        token: &[u8],
        now: Timestamp,
        payload: &'p mut Vec<u8>,
    ) -> Result<Fresh<'p>, Refusal> {
        let malformed = || Refusal::new(DenyReason::MalformedToken);
        let parts = jws::split(token).map_err(|_| malformed())?;
        let header = base64url::decode(parts.header).map_err(|_| malformed())?;
        let header = Header::parse(&header).map_err(|error| Refusal::new(header_reason(&error)))?;
        *payload = base64url::decode(parts.payload).map_err(|_| malformed())?;
        let members = json::parse_object(payload).map_err(|_| malformed())?;
        let issuer = claims::issuer(&members).map_err(|error| Refusal::new(claims_reason(&error)))?;
        let issuer = self.issuers.get(issuer).ok_or_else(|| Refusal::new(DenyReason::UnknownIssuer))?;
        let claims = Claims::from_members(members).map_err(|error| issuer.refuse(claims_reason(&error)))?;
        self.verify_for(issuer, &parts, &header, &claims, now).map_err(|reason| issuer.refuse(reason))?;
        let verified = Arc::new(Verified::new(token, Arc::clone(issuer), &claims));
        Ok(Fresh { verified, claims })
    }

    fn verify_for(
        &self,
        issuer: &Issuer,
        parts: &jws::Parts<'_>,
        header: &Header,
        claims: &Claims<'_>,
        now: Timestamp,
    ) -> Result<(), DenyReason> {
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
            keys.candidates(header.key_id.as_deref(), header.algorithm).map_err(|no_candidate| {
                match no_candidate {
                    NoCandidate::UnknownKey => DenyReason::UnknownKey,
                    NoCandidate::WrongAlgorithm => DenyReason::AlgorithmNotAllowed,
                    NoCandidate::TooMany => DenyReason::AmbiguousKey,
                }
            })?;
        let signature = base64url::decode(parts.signature).map_err(|_| DenyReason::MalformedToken)?;
        if !candidates.any(|key| key.verifies(header.algorithm, parts.signing_input, &signature)) {
            return Err(DenyReason::BadSignature);
        }
        if issuer.is_revoked(&claims.subject, claims.token_id.as_deref()) {
            return Err(DenyReason::Revoked);
        }
        Ok(())
    }

    /// What depends on the time and the request, and is checked for cached tokens too.
    pub(super) fn admit(
        &self,
        verified: &Verified,
        route: &Route,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let refuse = |reason| Refusal::of(reason, verified);
        self.check_time(verified.expires(), verified.valid_from(), now).map_err(refuse)?;
        verified.issuer().serving_keys(now).map_err(refuse)?;
        let accepted = |audience: &&str| {
            self.audiences.iter().chain(&route.config().audiences).any(|accepted| accepted == audience)
        };
        if !verified.audiences().any(|audience| accepted(&audience)) {
            return Err(refuse(DenyReason::WrongAudience));
        }
        if let Some(bound_to) = verified.certificate()
            && request.tls_peer.and_then(|peer| peer.certificate_sha256) != Some(*bound_to)
        {
            return Err(refuse(DenyReason::CertificateMismatch));
        }
        Ok(())
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

/// An organisation or issuer as a header's value.
pub(super) fn name_header(name: &str) -> Box<str> {
    percent_encoded(name, |_| false).into_boxed_str()
}
