//! Finding the token in a request: exactly one, or none.

use super::Refusal;
use crate::config::TokenSource;
use crate::decision::DenyReason;

/// The token of a request, or `None` if it has none.
pub(super) fn token<'r>(source: &TokenSource, values: &[&'r [u8]]) -> Result<Option<&'r [u8]>, Refusal> {
    match source {
        TokenSource::Authorization => only(values)?.map(bearer).transpose(),
        TokenSource::Header(_) => Ok(only(values)?.map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())),
        TokenSource::Cookie(name) => cookie(name, values),
    }
}

/// RFC 9110, 11.6.2 knows one `Authorization` only. Whoever sends two hopes that two readers differ.
fn only<'r>(values: &[&'r [u8]]) -> Result<Option<&'r [u8]>, Refusal> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        [_, _, ..] => Err(Refusal::new(DenyReason::SeveralCredentials)),
    }
}

/// `Bearer TOKEN`: the scheme without regard to case (RFC 9110, 11.1), then spaces.
fn bearer(value: &[u8]) -> Result<&[u8], Refusal> {
    const SCHEME: &[u8] = b"Bearer";
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at_checked(SCHEME.len()).unwrap_or((value, b""));
    if !scheme.eq_ignore_ascii_case(SCHEME) || !matches!(rest.first(), None | Some(b' ')) {
        return Err(Refusal::new(DenyReason::UnsupportedScheme));
    }
    let token = rest.trim_ascii_start();
    if token.contains(&b',') {
        // No token has a comma (RFC 6750, 2.1), but a proxy may have joined several lines with it (RFC 9110, 5.3).
        return Err(Refusal::new(DenyReason::SeveralCredentials));
    }
    if token.is_empty() { Err(Refusal::new(DenyReason::MalformedToken)) } else { Ok(token) }
}

/// RFC 6265, 5.4: pairs separated by `; `, in any number of lines (RFC 9113, 8.2.3).
fn cookie<'r>(name: &str, values: &[&'r [u8]]) -> Result<Option<&'r [u8]>, Refusal> {
    let pairs = values.iter().flat_map(|line| line.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    let mut found =
        pairs.filter_map(|pair| pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")));
    let token = found.next();
    if found.next().is_some() {
        return Err(Refusal::new(DenyReason::SeveralCredentials));
    }
    Ok(token.filter(|token| !token.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &TokenSource, values: &[&str], expected: Result<Option<&str>, DenyReason>) {
        let bytes: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let found = token(source, &bytes).map_err(|refusal| refusal.reason);
        assert_eq!(found, expected.map(|token| token.map(str::as_bytes)), "{values:?}");
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_the_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer   a.b.c", " Bearer a.b.c "] {
            check(&TokenSource::Authorization, &[value], Ok(Some("a.b.c")));
        }
        check(&TokenSource::Authorization, &[], Ok(None));
    }

    #[test]
    fn anything_but_one_bearer_credential_is_refused() {
        use DenyReason::{MalformedToken, SeveralCredentials, UnsupportedScheme};
        for (values, reason) in [
            (&["Bearer a.b.c", "Bearer a.b.c"][..], SeveralCredentials),
            (&["Bearer a.b.c", ""], SeveralCredentials),
            (&["Bearer a.b.c,Bearer a.b.c"], SeveralCredentials),
            (&["Bearer a.b.c, Basic YTpi"], SeveralCredentials),
            (&["xBearer a.b.c"], UnsupportedScheme),
            (&["Bearera.b.c"], UnsupportedScheme),
            (&["Bearer\ta.b.c"], UnsupportedScheme),
            (&["Bearer,a.b.c"], UnsupportedScheme),
            (&["Basic YTpi"], UnsupportedScheme),
            (&["a.b.c"], UnsupportedScheme),
            (&["Bea"], UnsupportedScheme),
            (&[""], UnsupportedScheme),
            (&["Bearer"], MalformedToken),
            (&["Bearer "], MalformedToken),
        ] {
            check(&TokenSource::Authorization, values, Err(reason));
        }
    }

    #[test]
    fn a_header_holds_the_token_alone() {
        let source = TokenSource::Header("x-token".to_owned());
        check(&source, &["a.b.c"], Ok(Some("a.b.c")));
        check(&source, &[""], Ok(None));
        check(&source, &["a.b.c", "a.b.c"], Err(DenyReason::SeveralCredentials));
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name_once() {
        let source = TokenSource::Cookie("session".to_owned());
        check(&source, &["a=1; session=a.b.c; b=2"], Ok(Some("a.b.c")));
        check(&source, &["a=1", "session=a.b.c"], Ok(Some("a.b.c")));
        check(&source, &["xsession=a.b.c; sessionx=a; Session=a"], Ok(None));
        check(&source, &["session="], Ok(None));
        check(&source, &["session=a.b.c; session=d"], Err(DenyReason::SeveralCredentials));
        check(&source, &["session=a.b.c", "session=a.b.c"], Err(DenyReason::SeveralCredentials));
        check(&source, &[], Ok(None));
    }
}
