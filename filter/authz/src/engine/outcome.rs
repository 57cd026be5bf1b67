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
    forwarded_headers: Arc<[Box<str>]>,
    forwarded_values: Box<[Option<Box<str>>]>,
}

impl Outcome {
    pub(super) fn anonymous(verdict: Verdict) -> Self {
        Self { verified: None, verdict, forwarded_headers: Arc::from([]), forwarded_values: Box::from([]) }
    }

    pub(super) fn identified(
        verified: Arc<Verified>,
        verdict: Verdict,
        route: &Route,
        claims: &Claims<'_>,
    ) -> Self {
        let values = route.config().forward_claims.iter().map(|forwarded| {
            claims.members.member(&forwarded.claim).map(|value| header_value(value).into_boxed_str())
        });
        Self {
            verified: Some(verified),
            verdict,
            forwarded_headers: route.shared_forwarded_headers(),
            forwarded_values: values.collect(),
        }
    }

    /// Headers made from claims; a claim that the token lacks makes none.
    pub(crate) fn forwarded(&self) -> impl Iterator<Item = (&str, &str)> {
        self.forwarded_headers
            .iter()
            .zip(&self.forwarded_values)
            .filter_map(|(name, value)| Some((name.as_ref(), value.as_deref()?)))
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
