//! The caller of a request, as the node verified it.

use async_graphql::SimpleObject;
use axum::http::HeaderMap;

/// Who calls: the claims of the token that Envoy's filter has verified.
///
/// All fields are absent for a request that did not come through a node. The filter removes every `x-catalyst-*`
/// header that a client sends before it writes its own, so what is read here was not chosen by the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, SimpleObject)]
pub struct Caller {
    /// The token's `sub`.
    pub subject: Option<String>,
    /// The token's `iss`.
    pub issuer: Option<String>,
    /// The organisation whose issuer signed the token.
    pub organisation: Option<String>,
}

impl Caller {
    /// Reads the headers that the node sets. One that is not text counts as absent: nobody, rather than somebody else.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            subject: text("x-catalyst-subject"),
            issuer: text("x-catalyst-issuer"),
            organisation: text("x-catalyst-organisation"),
        }
    }
}
