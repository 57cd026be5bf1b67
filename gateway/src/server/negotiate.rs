//! Media types of requests and responses (GraphQL over HTTP specification).

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// What a response is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the HTTP status tells whether the query was run.
    GraphqlResponse,
    /// `application/json`: the status is 200 whenever the request was one of GraphQL.
    Json,
}

/// The client accepts no type that a GraphQL response has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAcceptable;

impl IntoResponse for NotAcceptable {
    fn into_response(self) -> Response {
        let text =
            "responses are `application/graphql-response+json` or `application/json`; accept one of them\n";
        (StatusCode::NOT_ACCEPTABLE, text).into_response()
    }
}

impl MediaType {
    /// The type that the client likes most; the specification's type on a draw, JSON if it does not say.
    pub(super) fn negotiate(accept: Option<&HeaderValue>) -> Result<Self, NotAcceptable> {
        let Some(accept) = accept else { return Ok(Self::Json) };
        let accept = accept.to_str().map_err(|_| NotAcceptable)?;
        let graphql = quality(accept, "application", "graphql-response+json");
        let json = quality(accept, "application", "json");
        match (graphql, json) {
            (Some((graphql, exact)), json) if exact && graphql >= json.map_or(0, |(json, _)| json) => {
                Ok(Self::GraphqlResponse)
            }
            (_, Some(_)) => Ok(Self::Json),
            (Some(_), None) => Ok(Self::GraphqlResponse),
            (None, None) => Err(NotAcceptable),
        }
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }

    /// The status for a query that can't be run, by no fault of HTTP's.
    pub(super) fn status_of_refused_query(self) -> StatusCode {
        match self {
            Self::GraphqlResponse => StatusCode::BAD_REQUEST,
            Self::Json => StatusCode::OK,
        }
    }
}

/// How much a type is liked, in thousandths, and whether it is named in full; `None` if it is not accepted.
fn quality(accept: &str, ty: &str, subtype: &str) -> Option<(u32, bool)> {
    let mut best: Option<(u8, u32)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some((range_type, range_subtype)) = parts.next().and_then(|name| name.split_once('/')) else {
            continue;
        };
        let specificity = match (range_type, range_subtype) {
            ("*", "*") => 0,
            (range_type, "*") if range_type.eq_ignore_ascii_case(ty) => 1,
            (range_type, range_subtype)
                if range_type.eq_ignore_ascii_case(ty) && range_subtype.eq_ignore_ascii_case(subtype) =>
            {
                2
            }
            _ => continue,
        };
        let weight = parts
            .find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")))
            .map_or(Some(1.0), |weight| weight.parse::<f64>().ok())
            .map_or(0, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u32);
        if best.is_none_or(|(best, _)| specificity > best) {
            best = Some((specificity, weight));
        }
    }
    best.filter(|(_, weight)| *weight > 0).map(|(specificity, weight)| (weight, specificity == 2))
}

/// Whether a body of this type is JSON (in UTF-8, which JSON always is).
pub(super) fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let Some(text) = content_type.and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Whether the client is a browser that wants a page.
pub(super) fn wants_html(accept: Option<&HeaderValue>) -> bool {
    accept
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| quality(accept, "text", "html").is_some_and(|(_, exact)| exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: Option<&'static str>, expected: Result<MediaType, NotAcceptable>) {
        let header = accept.map(HeaderValue::from_static);
        assert_eq!(MediaType::negotiate(header.as_ref()), expected, "{accept:?}");
    }

    #[test]
    fn answers_in_the_type_that_is_asked_for() {
        check(Some("application/graphql-response+json"), Ok(MediaType::GraphqlResponse));
        check(Some("application/json"), Ok(MediaType::Json));
        check(Some("Application/JSON; charset=utf-8"), Ok(MediaType::Json));
        check(Some("application/graphql-response+json, application/json"), Ok(MediaType::GraphqlResponse));
        check(Some("application/json, application/graphql-response+json"), Ok(MediaType::GraphqlResponse));
        check(Some("application/graphql-response+json;q=0.5, application/json"), Ok(MediaType::Json));
        check(
            Some("application/json;q=0, application/graphql-response+json"),
            Ok(MediaType::GraphqlResponse),
        );
    }

    #[test]
    fn answers_in_json_if_the_client_does_not_mind() {
        check(None, Ok(MediaType::Json));
        check(Some("*/*"), Ok(MediaType::Json));
        check(Some("application/*"), Ok(MediaType::Json));
        check(Some("text/html, */*;q=0.8"), Ok(MediaType::Json));
    }

    #[test]
    fn refuses_what_is_no_graphql() {
        check(Some("text/html"), Err(NotAcceptable));
        check(Some("application/json;q=0"), Err(NotAcceptable));
        check(Some(""), Err(NotAcceptable));
    }

    #[test]
    fn shows_a_page_to_browsers_only() {
        for (accept, expected) in [("text/html,application/xhtml+xml,*/*;q=0.8", true), ("*/*", false)] {
            assert_eq!(wants_html(Some(&HeaderValue::from_static(accept))), expected, "{accept}");
        }
        assert!(!wants_html(None));
    }
}
