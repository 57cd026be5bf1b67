//! What comes out of the engine.

use std::fmt;
use std::sync::Arc;

use crate::engine::Outcome;

/// May the request pass?
#[derive(Debug, Clone)]
pub enum Decision {
    /// Yes, with these headers.
    Allow(Allow),
    /// No, for this reason.
    Deny(Deny),
}

impl Decision {
    /// Whether the request may pass.
    pub fn is_allow(&self) -> bool {
        match self {
            Self::Allow(_) => true,
            Self::Deny(_) => false,
        }
    }

    /// What it cost to decide.
    pub fn effort(&self) -> Effort {
        match self {
            Self::Allow(allow) => allow.effort(),
            Self::Deny(deny) => deny.effort(),
        }
    }
}

/// What a decision cost, for counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effort {
    /// A signature was verified, well or not; otherwise the token was known, or refused before it came to that.
    pub verified_signature: bool,
    /// The policies were evaluated; otherwise the decision was known, or none was needed.
    pub evaluated_policies: bool,
}

/// The request may pass. Cheap to clone.
#[derive(Clone)]
pub struct Allow {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) effort: Effort,
}

/// Header that carries the verified `sub` upstream, percent-encoded outside visible ASCII.
pub const SUBJECT_HEADER: &str = "x-catalyst-subject";
/// Header that carries the verified `iss` upstream.
pub const ISSUER_HEADER: &str = "x-catalyst-issuer";
/// Header that carries the organisation of the issuer upstream.
pub const ORGANISATION_HEADER: &str = "x-catalyst-organisation";
/// Header of a denial's response that carries its id.
pub const DENY_ID_HEADER: &str = "x-catalyst-deny-id";
/// No client may send a header that begins so; the shell strips them all before it sets its own.
pub const RESERVED_HEADER_PREFIX: &str = "x-catalyst-";

impl Allow {
    /// The verified `sub`; `None` for an anonymous request.
    pub fn subject(&self) -> Option<&str> {
        self.outcome.verified.as_ref().map(|verified| verified.subject())
    }

    /// The verified `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.outcome.verified.as_ref().map(|verified| verified.issuer().name())
    }

    /// The organisation that the issuer belongs to.
    pub fn organisation(&self) -> Option<&str> {
        self.outcome.verified.as_ref().map(|verified| verified.issuer().organisation())
    }

    /// The headers to set upstream, after the client's own of these names and of
    /// [`RESERVED_HEADER_PREFIX`] were stripped: identity first, then forwarded claims. Values are visible ASCII.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let identity = self.outcome.verified.as_deref().map(|verified| {
            [
                (SUBJECT_HEADER, verified.subject_header()),
                (ISSUER_HEADER, verified.issuer().name_header()),
                (ORGANISATION_HEADER, verified.issuer().organisation()),
            ]
        });
        identity.into_iter().flatten().chain(self.outcome.forwarded())
    }

    /// The ids of the policies that permitted the request; empty where no policy was asked.
    pub fn policies(&self) -> &[Box<str>] {
        self.outcome.policies()
    }

    /// What it cost to decide.
    pub fn effort(&self) -> Effort {
        self.effort
    }
}

impl fmt::Debug for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allow")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .field("organisation", &self.organisation())
            .field("policies", &self.policies())
            .finish()
    }
}

/// The request may not pass. The client is told [`Deny::status`], [`Deny::www_authenticate`] and the id, and
/// nothing else.
#[derive(Debug, Clone)]
pub struct Deny {
    pub(crate) reason: DenyReason,
    pub(crate) anonymous: bool,
    pub(crate) id: DenyId,
    pub(crate) policies: Arc<[Box<str>]>,
    pub(crate) issuer: Option<Arc<str>>,
    pub(crate) realm: Arc<str>,
    pub(crate) effort: Effort,
}

impl Deny {
    /// Why.
    pub fn reason(&self) -> DenyReason {
        self.reason
    }

    /// Identifies this denial in logs and to the client.
    pub fn id(&self) -> &DenyId {
        &self.id
    }

    /// The ids of the determining policies: the `forbid`s that applied, or those whose evaluation failed. For
    /// logs; never for the client.
    pub fn policies(&self) -> &[Box<str>] {
        &self.policies
    }

    /// The trusted issuer that the token named, as far as the check came; its signature may be unverified. For
    /// [`DenyReason::UnknownKey`] this is the issuer whose key set may have to be fetched again.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What it cost to decide.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// Whether the request carried no token and was judged as anonymous.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// The HTTP status of the response.
    pub fn status(&self) -> u16 {
        match self.reason.class() {
            Class::Policy if self.anonymous => 401,
            class => class.status(),
        }
    }

    /// The `error` code of RFC 6750, 3.1. None where the request carried no token.
    pub fn error(&self) -> Option<&'static str> {
        match self.reason.class() {
            Class::Policy if self.anonymous => None,
            class => class.error(),
        }
    }

    /// A sentence for humans that tells an attacker nothing he did not send himself.
    pub fn description(&self) -> &'static str {
        self.reason.description()
    }

    /// The value of `WWW-Authenticate` (RFC 6750, 3), where the status calls for one.
    pub fn www_authenticate(&self) -> Option<String> {
        if !matches!(self.status(), 400 | 401 | 403) {
            return None;
        }
        let realm = &self.realm;
        Some(match self.error() {
            None => format!("Bearer realm=\"{realm}\""),
            Some(error) => {
                let description = self.description();
                format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"{description}\"")
            }
        })
    }
}

/// The id of a denial: 24 characters of lower-case hexadecimal, unique and unguessable.
///
/// It is a keyed hash of a counter; the key is drawn when the engine is built.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DenyId([u8; 24]);

impl DenyId {
    pub(crate) fn new(bits: [u8; 12]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 24];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bits) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(digits)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of hexadecimal digits")
    }
}

impl fmt::Display for DenyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DenyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the client is to do about a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    NoToken,
    BadRequest,
    BadToken,
    Policy,
    Configuration,
    Keys,
}

impl Class {
    fn status(self) -> u16 {
        match self {
            Self::NoToken | Self::BadToken => 401,
            Self::BadRequest => 400,
            Self::Policy | Self::Configuration => 403,
            Self::Keys => 503,
        }
    }

    fn error(self) -> Option<&'static str> {
        match self {
            Self::NoToken | Self::Configuration | Self::Keys => None,
            Self::BadRequest => Some("invalid_request"),
            Self::BadToken => Some("invalid_token"),
            Self::Policy => Some("insufficient_scope"),
        }
    }
}

macro_rules! deny_reasons {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $class:ident, $description:literal;)+) => {
        /// Why a request is denied.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DenyReason {
            $($(#[$doc])* $variant,)+
        }

        impl DenyReason {
            /// All reasons, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in counters and logs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// A sentence for the client.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)+ }
            }

            const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }
        }
    };
}

deny_reasons! {
    /// The route wants a token and the request has none.
    MissingToken, "missing_token", NoToken, "a token is required";
    /// `Authorization` has another scheme than `Bearer`.
    UnsupportedScheme, "unsupported_scheme", NoToken, "a bearer token is required";
    /// More than one `Authorization` line, or more than one cookie of the name.
    SeveralCredentials, "several_credentials", BadRequest, "the request carries more than one credential";
    /// Method, path, host or a header that policies read is not valid UTF-8.
    MalformedRequest, "malformed_request", BadRequest, "the request is malformed";
    /// Not a signed token in compact form, not canonical base64url, not strict JSON, or beyond a limit.
    MalformedToken, "malformed_token", BadToken, "the token is malformed";
    /// `alg` is none of the accepted ones; `none` and HMAC are never.
    UnsupportedAlgorithm, "unsupported_algorithm", BadToken, "the token's algorithm is not accepted";
    /// `alg` is not on the issuer's list, or does not go with the key.
    AlgorithmNotAllowed, "algorithm_not_allowed", BadToken, "the token's algorithm is not allowed for its issuer";
    /// The header demands an extension (`crit`, `b64`).
    CriticalHeader, "critical_header", BadToken, "the token demands an extension that is not supported";
    /// `typ` is not `at+jwt`, which the issuer's tokens must have.
    WrongType, "wrong_type", BadToken, "the token is not an access token";
    /// A required claim is missing.
    MissingClaim, "missing_claim", BadToken, "the token lacks a required claim";
    /// A claim has the wrong type or an impossible value.
    InvalidClaim, "invalid_claim", BadToken, "the token has an invalid claim";
    /// `iss` is not trusted.
    UnknownIssuer, "unknown_issuer", BadToken, "the token's issuer is not trusted";
    /// The issuer has no key of that `kid`.
    UnknownKey, "unknown_key", BadToken, "the token's key is not known";
    /// The token names no `kid` and too many keys fit.
    AmbiguousKey, "ambiguous_key", BadToken, "the token does not say which key signed it";
    /// The signature does not verify.
    BadSignature, "bad_signature", BadToken, "the token's signature is not valid";
    /// `exp` has passed.
    Expired, "expired", BadToken, "the token has expired";
    /// `nbf` or `iat` lies in the future.
    NotYetValid, "not_yet_valid", BadToken, "the token is not yet valid";
    /// `aud` names none of the audiences accepted on this route.
    WrongAudience, "wrong_audience", BadToken, "the token is not meant for this audience";
    /// The token or its subject is revoked.
    Revoked, "revoked", BadToken, "the token has been revoked";
    /// The token is bound to a certificate that the client did not present.
    CertificateMismatch, "certificate_mismatch", BadToken, "the token is bound to another certificate";
    /// No key set of the issuer is at hand.
    KeysUnavailable, "keys_unavailable", Keys, "the keys of the token's issuer are not available";
    /// The key set of the issuer is older than allowed.
    KeysStale, "keys_stale", Keys, "the keys of the token's issuer are out of date";
    /// The request has no route and the configuration no default.
    NoRoute, "no_route", Configuration, "no route is configured for this request";
    /// No policy permits it.
    NotPermitted, "not_permitted", Policy, "the policy does not permit this request";
    /// A policy forbids it.
    Forbidden, "forbidden", Policy, "the policy forbids this request";
    /// A policy could not be evaluated.
    PolicyError, "policy_error", Policy, "the policy could not be evaluated";
}
