//! One HTTP request and its answer.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// How long one request may take; beyond, it is an error like any other.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const MAX_BODY: usize = 16 << 20;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub body: String,
}

impl Call {
    /// `GET` of a path at a service, named by its authority.
    #[must_use]
    pub fn get(authority: &str, path: &str) -> Self {
        Self::new(Method::GET, authority, path, String::new())
    }

    /// `POST` of a text.
    #[must_use]
    pub fn post(authority: &str, path: &str, body: &str) -> Self {
        Self::new(Method::POST, authority, path, body.to_owned())
    }

    /// A GraphQL query to a service, or to the gateway of whichever node is asked.
    #[must_use]
    pub fn graphql(authority: &str, query: &str) -> Self {
        let body = json!({ "query": query }).to_string();
        Self::new(Method::POST, authority, "/graphql", body).header("content-type", "application/json")
    }

    fn new(method: Method, authority: &str, path: &str, body: String) -> Self {
        let call = Self { method, path: path.to_owned(), headers: HeaderMap::new(), body };
        call.header("host", authority)
    }

    /// With a bearer token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With a further header; several of the same name are all sent.
    ///
    /// # Panics
    /// It is not a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.append(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// Sends it on a connection of its own.
    ///
    /// # Errors
    /// There is no connection, or no whole answer in time.
    pub async fn send(&self, to: SocketAddr) -> anyhow::Result<Answer> {
        tokio::time::timeout(TIMEOUT, self.exchange(to))
            .await
            .with_context(|| format!("{to} has not answered within {} s", TIMEOUT.as_secs()))?
    }

    async fn exchange(&self, to: SocketAddr) -> anyhow::Result<Answer> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("no connection to {to}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the exchange; its error is that of the exchange too.
        tokio::spawn(connection);
        let mut request = Request::new(Full::new(Bytes::from(self.body.clone())));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().with_context(|| format!("`{}` is no path", self.path))?;
        *request.headers_mut() = self.headers.clone();
        let (parts, body) = sender.send_request(request).await.context("no answer")?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("half an answer: {error}"))?.to_bytes();
        let body = String::from_utf8(body.into()).context("the answer is not text")?;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// It is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header's text, if it is there once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok();
        value.filter(|_| values.next().is_none())
    }

    /// Itself if it has this status, for waiting.
    ///
    /// # Errors
    /// It has another one.
    pub fn expect_status(self, status: u16) -> Result<Self, String> {
        if self.status == status {
            Ok(self)
        } else {
            Err(format!("{} instead of {status}: {}", self.status, self.body))
        }
    }
}
