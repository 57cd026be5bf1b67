//! One request, answered or not.

use std::time::Duration;

use anyhow::Context;

/// How long one request may take. The first one after a start compiles a query plan on a machine that is still busy.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest body that is read; more is an error.
const MAX_BODY: u64 = 1 << 20;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) www_authenticate: Option<String>,
    pub(crate) body: String,
}

/// `POST` of a GraphQL query, with or without a token. Any status is an answer.
pub(crate) fn graphql(url: &str, query: &str, token: Option<&str>) -> anyhow::Result<Answer> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .proxy(None)
        .build()
        .into();
    let mut request = agent.post(url).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = serde_json::json!({ "query": query }).to_string();
    let mut response = request.send(body).with_context(|| format!("no answer from {url}"))?;
    let header = response.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
    let www_authenticate = header.map(str::to_owned);
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(MAX_BODY).read_to_string();
    Ok(Answer { status, www_authenticate, body: body.with_context(|| format!("half an answer from {url}"))? })
}
