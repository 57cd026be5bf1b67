//! The JOSE header of a token (RFC 7515, 4).

use super::Algorithm;
use super::json::{self, Json, JsonError, Members};

/// What of a header the verification uses. Everything that points at or contains a key (`jku`, `jwk`, `x5u`,
/// `x5c`, `x5t`) is ignored: keys come from the configuration alone (RFC 8725, 3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub key_id: Option<Box<str>>,
    /// Whether `typ` says `at+jwt`.
    pub is_access_token: bool,
}

/// Why a header is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a strict JSON object.
    #[error("the header is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// A parameter is missing or has the wrong type.
    #[error("the header's `{0}` is missing or not of the right type")]
    Parameter(&'static str),
    /// `alg` is none of the accepted ones; `none` and HMAC end here.
    #[error("the algorithm is not accepted")]
    Algorithm,
    /// `crit` or `b64`: no extension is understood, so a header that demands one must be refused (RFC 7515,
    /// 4.1.11; RFC 7797, 7).
    #[error("the header demands an extension that is not understood")]
    Critical,
}

impl Header {
    /// Reads the decoded header.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn parse(text: &[u8]) -> Result<Self, HeaderError> {
        let members = json::parse_object(text)?;
        let name = string(&members, "alg")?.ok_or(HeaderError::Parameter("alg"))?;
        let algorithm = Algorithm::from_name(name).ok_or(HeaderError::Algorithm)?;
        if members.member("crit").is_some() {
            return Err(HeaderError::Critical);
        }
        match members.member("b64") {
            None | Some(Json::Bool(true)) => {}
            Some(_) => return Err(HeaderError::Critical),
        }
        let key_id = string(&members, "kid")?.map(Box::from);
        let is_access_token = string(&members, "typ")?.is_some_and(is_access_token_type);
        Ok(Self { algorithm, key_id, is_access_token })
    }
}

fn string<'m>(members: &'m Members<'_>, name: &'static str) -> Result<Option<&'m str>, HeaderError> {
    match members.member(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(HeaderError::Parameter(name)),
    }
}

/// Media types compare without case, and `application/` may be left out (RFC 7515, 4.1.9).
fn is_access_token_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(Algorithm, Option<&str>, bool), HeaderError>) {
        let found = Header::parse(text.as_bytes());
        let found = found.as_ref().map(|h| (h.algorithm, h.key_id.as_deref(), h.is_access_token));
        assert_eq!(found.map_err(Clone::clone), expected, "{text}");
    }

    #[test]
    fn reads_algorithm_key_id_and_type() {
        check(r#"{"alg":"ES256"}"#, Ok((Algorithm::Es256, None, false)));
        check(r#"{"typ":"JWT","alg":"EdDSA","kid":"k"}"#, Ok((Algorithm::EdDsa, Some("k"), false)));
        check(r#"{"typ":"AT+jwt","alg":"PS512"}"#, Ok((Algorithm::Ps512, None, true)));
        check(r#"{"typ":"application/at+jwt","alg":"RS256"}"#, Ok((Algorithm::Rs256, None, true)));
    }

    #[test]
    fn accepts_no_algorithm_that_is_unsigned_symmetric_or_spelt_otherwise() {
        for name in [
            "none", "None", "NONE", "", "HS256", "HS384", "HS512", "es256", "ES256 ", "ES512", "ES256K",
            "RSA1_5",
        ] {
            check(&format!(r#"{{"alg":"{name}"}}"#), Err(HeaderError::Algorithm));
        }
        check(r#"{"kid":"k"}"#, Err(HeaderError::Parameter("alg")));
        check(r#"{"alg":["ES256"]}"#, Err(HeaderError::Parameter("alg")));
    }

    #[test]
    fn refuses_headers_that_demand_extensions() {
        check(r#"{"alg":"ES256","crit":["exp"],"exp":1}"#, Err(HeaderError::Critical));
        check(r#"{"alg":"ES256","crit":[]}"#, Err(HeaderError::Critical));
        check(r#"{"alg":"ES256","crit":["b64"],"b64":true}"#, Err(HeaderError::Critical));
        check(r#"{"alg":"ES256","b64":false}"#, Err(HeaderError::Critical));
        check(r#"{"alg":"ES256","b64":"true"}"#, Err(HeaderError::Critical));
    }

    #[test]
    fn ignores_keys_that_the_token_brings_along() {
        check(
            r#"{"alg":"ES256","jku":"https://evil.example/jwks","x5u":"https://evil.example","x5c":["AA"],"jwk":{"kty":"EC"}}"#,
            Ok((Algorithm::Es256, None, false)),
        );
    }

    #[test]
    fn refuses_parameters_of_the_wrong_type() {
        check(r#"{"alg":"ES256","kid":7}"#, Err(HeaderError::Parameter("kid")));
        check(r#"{"alg":"ES256","typ":null}"#, Err(HeaderError::Parameter("typ")));
    }
}
