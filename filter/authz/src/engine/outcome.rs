//! What a decision is made of: the verified token, the verdict, and the claims that are sent on.

use std::fmt::Write;
use std::sync::Arc;

use super::token::Verified;
use crate::cedar::Verdict;
use crate::claims::Claims;
use crate::jose::json::Json;
use crate::route::Route;

/// A finished judgement. Cached and shared.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verified: Option<Arc<Verified>>,
    pub(crate) verdict: Verdict,
    /// What the judgement depends on beside the token.
    key: Box<[u8]>,
    forwarded: Option<Box<Forwarded>>,
}

/// Headers made from claims.
#[derive(Debug)]
struct Forwarded {
    names: Arc<[Box<str>]>,
    values: Box<[Option<Box<str>>]>,
}

impl Outcome {
    pub(crate) fn anonymous(verdict: Verdict, key: &[u8]) -> Self {
        Self { verified: None, verdict, key: key.into(), forwarded: None }
    }

    pub(super) fn identified(
        verified: Arc<Verified>,
        verdict: Verdict,
        key: &[u8],
        route: &Route,
        claims: &Claims<'_>,
    ) -> Self {
        let claim =
            |name: &str| claims.members.member(name).map(|value| header_value(value).into_boxed_str());
        let forwarded = route.config().forward_claims.as_slice();
        let forwarded = (!forwarded.is_empty()).then(|| {
            let values = forwarded.iter().map(|forwarded| claim(&forwarded.claim)).collect();
            Box::new(Forwarded { names: route.shared_forwarded_headers(), values })
        });
        Self { verified: Some(verified), verdict, key: key.into(), forwarded }
    }

    /// Whether this is the judgement on that token, or on none, under that key.
    pub(super) fn is_of_token(&self, token: Option<&[u8]>, key: &[u8]) -> bool {
        *self.key == *key && self.verified.as_deref().map(Verified::token) == token
    }

    /// Whether this is the judgement on that verified token under that key.
    pub(super) fn is_of(&self, verified: Option<&Arc<Verified>>, key: &[u8]) -> bool {
        let same_token = match (&self.verified, verified) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_token && *self.key == *key
    }

    /// About how much memory it takes, with the token it holds on to.
    pub(crate) fn bytes(&self) -> usize {
        let forwarded = self.forwarded.as_ref().map_or(0, |forwarded| {
            let texts: usize = forwarded.values.iter().flatten().map(|value| value.len()).sum();
            size_of::<Forwarded>() + size_of_val(&*forwarded.values) + texts
        });
        let token = self.verified.as_ref().map_or(0, |verified| verified.bytes());
        size_of::<Self>() + self.key.len() + forwarded + token
    }

    /// Headers made from claims; a claim that the token lacks makes none.
    pub(crate) fn forwarded(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.forwarded.iter().flat_map(|forwarded| forwarded.names.iter().zip(&forwarded.values));
        pairs.filter_map(|(name, value)| Some((name.as_ref(), value.as_deref()?)))
    }

    pub(crate) fn policies(&self) -> &[Box<str>] {
        match &self.verdict {
            Verdict::Permit(policies) | Verdict::Forbid(policies) | Verdict::Error(policies) => policies,
            Verdict::NotPermitted => &[],
        }
    }
}

/// A claim as a header's value; see [`crate::config::ForwardedClaim`].
fn header_value(value: &Json<'_>) -> String {
    match value {
        Json::String(text) => percent_encoded(text, |_| false),
        Json::Array(items) if items.iter().all(|item| item.as_str().is_some()) => {
            let items: Vec<String> = items
                .iter()
                .filter_map(Json::as_str)
                .map(|item| percent_encoded(item, |byte| byte == b','))
                .collect();
            items.join(",")
        }
        Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Float(_) | Json::Array(_) | Json::Object(_) => {
            percent_encoded(&value.to_string(), |_| false)
        }
    }
}

/// Encodes everything but visible ASCII, so that no value can end a header, hide at its edges, or be read in two
/// ways; `%` too, so that decoding gives back the text.
pub(super) fn percent_encoded(text: &str, also: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' && !also(byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::json;

    fn check(json_text: &str, expected: &str) {
        let text = format!("{{\"v\":{json_text}}}");
        let members = json::parse_object(text.as_bytes()).expect("JSON");
        assert_eq!(header_value(members.member("v").expect("present")), expected);
    }

    #[test]
    fn header_values_are_visible_ascii_and_can_be_decoded() {
        check(r#""alice@acme.example""#, "alice@acme.example");
        check(r#"" admin\r\nx: y""#, "%20admin%0D%0Ax:%20y");
        check(r#""100%""#, "100%25");
        check(r#""Zoë""#, "Zo%C3%AB");
        check(r#"["a","b,c"]"#, "a,b%2Cc");
        check("[]", "");
        check("7", "7");
        check("true", "true");
        check(r#"{"a":[1, null]}"#, r#"{"a":[1,null]}"#);
        check(r#"["a",1]"#, r#"["a",1]"#);
    }
}
