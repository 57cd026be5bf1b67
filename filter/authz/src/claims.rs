//! The claims of a token (RFC 7519, 4), parsed into types.

use crate::jose::base64url;
use crate::jose::json::{self, Json, JsonError, Members};

/// The longest subject accepted, in bytes: it becomes a header and part of a Cedar entity id.
pub const MAX_SUBJECT_BYTES: usize = 1024;

/// The most groups a token may list. More is refused; leaving some out could drop one that a `forbid` names.
pub const MAX_GROUPS: usize = 256;

/// The claims that every token is checked for, and all the others as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims<'a> {
    /// `sub`.
    pub subject: String,
    /// `jti`.
    pub token_id: Option<String>,
    /// `aud`; a single string is a list of one.
    pub audiences: Vec<String>,
    /// `exp`, rounded down: seconds since 1970.
    pub expires: u64,
    /// The later of `nbf` and `iat`, rounded up, or 0: before it the token is not valid.
    pub valid_from: u64,
    /// `cnf.x5t#S256` (RFC 8705, 3.1): the SHA-256 of the certificate that the token is bound to.
    pub certificate: Option<[u8; 32]>,
    /// All members of the token.
    pub members: Members<'a>,
}

/// Why claims are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Not a strict JSON object.
    #[error("the claims are not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// A required claim is missing.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// A claim has the wrong type or value.
    #[error("the claim `{0}` is not valid")]
    Invalid(&'static str),
}

/// The `iss` of decoded claims, before anything else is looked at.
///
/// # Errors
/// [`ClaimsError`] if it is missing or no string.
pub fn issuer<'m>(members: &'m Members<'_>) -> Result<&'m str, ClaimsError> {
    string(members, "iss")?.ok_or(ClaimsError::Missing("iss"))
}

impl<'a> Claims<'a> {
    /// Reads decoded claims.
    ///
    /// # Errors
    /// [`ClaimsError`].
    pub fn parse(text: &'a [u8]) -> Result<Self, ClaimsError> {
        Self::from_members(json::parse_object(text)?)
    }

    /// Reads claims that are JSON already.
    ///
    /// # Errors
    /// [`ClaimsError`].
    pub fn from_members(members: Members<'a>) -> Result<Self, ClaimsError> {
        issuer(&members)?;
        let subject = string(&members, "sub")?.ok_or(ClaimsError::Missing("sub"))?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES {
            return Err(ClaimsError::Invalid("sub"));
        }
        let audiences = match members.member("aud") {
            None => Vec::new(),
            Some(value) => value.as_strings().ok_or(ClaimsError::Invalid("aud"))?,
        };
        let expires = date(&members, "exp", f64::floor)?.ok_or(ClaimsError::Missing("exp"))?;
        let not_before = date(&members, "nbf", f64::ceil)?.unwrap_or(0);
        let issued_at = date(&members, "iat", f64::ceil)?.unwrap_or(0);
        Ok(Self {
            subject: subject.to_owned(),
            token_id: string(&members, "jti")?.map(str::to_owned),
            audiences: audiences.into_iter().map(str::to_owned).collect(),
            expires,
            valid_from: not_before.max(issued_at),
            certificate: confirmation(&members)?,
            members,
        })
    }

    /// The groups that `claim` lists: an array of strings, or one string; none if the claim is absent.
    ///
    /// # Errors
    /// [`ClaimsError`] if it has another type or lists more than [`MAX_GROUPS`].
    pub fn groups(&self, claim: &str) -> Result<Vec<&str>, ClaimsError> {
        let Some(value) = self.members.member(claim) else { return Ok(Vec::new()) };
        let groups = value.as_strings().ok_or(ClaimsError::Invalid("groups"))?;
        if groups.len() > MAX_GROUPS { Err(ClaimsError::Invalid("groups")) } else { Ok(groups) }
    }
}

/// `cnf` (RFC 7800). A token that is bound by a method which is not understood, such as DPoP's `jkt`, must not
/// pass as a bearer token.
fn confirmation(members: &Members<'_>) -> Result<Option<[u8; 32]>, ClaimsError> {
    let Some(cnf) = members.member("cnf") else { return Ok(None) };
    let methods = cnf.as_object().ok_or(ClaimsError::Invalid("cnf"))?;
    let mut thumbprint = None;
    for (method, value) in methods.iter() {
        if method != "x5t#S256" {
            return Err(ClaimsError::Invalid("cnf"));
        }
        let mut buffer = [0; 33];
        let decoded =
            value.as_str().and_then(|text| base64url::decode_into(text.as_bytes(), &mut buffer).ok());
        let decoded = decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        thumbprint = Some(decoded.ok_or(ClaimsError::Invalid("cnf"))?);
    }
    thumbprint.map(Some).ok_or(ClaimsError::Invalid("cnf"))
}

/// A NumericDate (RFC 7519, 2), which may have a fraction.
fn date(
    members: &Members<'_>,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<u64>, ClaimsError> {
    /// Far beyond any date, and exact as a float: 2^53 seconds.
    const LATEST: f64 = 9_007_199_254_740_992.0;
    match members.member(name) {
        None => Ok(None),
        Some(Json::Integer(seconds)) => {
            u64::try_from(*seconds).map(Some).map_err(|_| ClaimsError::Invalid(name))
        }
        Some(Json::Float(seconds)) if (0.0..=LATEST).contains(seconds) => Ok(Some(round(*seconds) as u64)),
        Some(_) => Err(ClaimsError::Invalid(name)),
    }
}

fn string<'m>(members: &'m Members<'_>, name: &'static str) -> Result<Option<&'m str>, ClaimsError> {
    match members.member(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(ClaimsError::Invalid(name)),
    }
}
