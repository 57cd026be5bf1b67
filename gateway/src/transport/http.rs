//! HTTP/1.1 and HTTP/2 over TCP or a Unix socket. Which service is asked (`:authority`) and where the
//! connection goes are two things: in a node they all go to Envoy's egress listener.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpStream, UnixStream};
use tower_service::Service;

use super::{Fetch, FetchError, FetchRequest, FetchResponse};
use crate::limits::Limits;

/// How long making a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long an unused connection is kept.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Unused connections kept for each authority; further ones are closed when they become idle.
const MAX_IDLE: usize = 256;

/// Why a transport can't be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Not a URL.
    #[error("`{0}` is not a URL like `http://books.acme.example/graphql`")]
    Url(String),
    /// Not plain HTTP.
    #[error(
        "`{0}` is not `http://…`: services behind TLS are reached through Envoy, which does TLS for them"
    )]
    Scheme(String),
}

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, with as many connections as there are requests under way.
    #[default]
    Http1,
    /// HTTP/2 with prior knowledge, one connection for all requests to an authority.
    Http2,
}

/// A pool of connections. Clones share it.
#[derive(Clone, Debug)]
pub struct HttpClient(Client<Connector, Full<Bytes>>);

impl HttpClient {
    /// Connects to the host and port of each request's URL.
    pub fn direct(protocol: Protocol) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIME));
        Self::new(Connector::Direct(connector), protocol)
    }

    /// Connects to `address`, whatever the URL's authority.
    pub fn via_tcp(address: SocketAddr, protocol: Protocol) -> Self {
        Self::new(Connector::Tcp(address), protocol)
    }

    /// Connects to a Unix socket, whatever the URL's authority.
    pub fn via_unix(path: PathBuf, protocol: Protocol) -> Self {
        Self::new(Connector::Unix(Arc::new(path)), protocol)
    }

    fn new(connector: Connector, protocol: Protocol) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(MAX_IDLE)
            .http2_only(protocol == Protocol::Http2)
            .http2_adaptive_window(true)
            .build(connector);
        Self(client)
    }
}

/// A subgraph at a URL.
#[derive(Debug)]
pub struct HttpFetch {
    client: HttpClient,
    url: Uri,
    max_bytes: usize,
    max_time: Duration,
}

impl HttpFetch {
    /// `url` names the service by its authority, and the path of its GraphQL endpoint. Of `limits` those of
    /// one request to a subgraph hold.
    pub fn new(client: HttpClient, url: &str, limits: &Limits) -> Result<Self, TransportError> {
        let uri: Uri = url.parse().map_err(|_| TransportError::Url(url.to_owned()))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(_)) => Ok(Self {
                client,
                url: uri,
                max_bytes: limits.subgraph_response_bytes,
                max_time: limits.fetch_time,
            }),
            (Some("https"), Some(_)) => Err(TransportError::Scheme(url.to_owned())),
            _ => Err(TransportError::Url(url.to_owned())),
        }
    }

    async fn send(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let mut outgoing = Request::new(Full::new(request.body));
        *outgoing.method_mut() = Method::POST;
        *outgoing.uri_mut() = self.url.clone();
        let headers = outgoing.headers_mut();
        headers.reserve(request.headers.len() + 2);
        for (name, value) in &*request.headers {
            headers.append(name, value.clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9"),
        );
        let response = self.client.0.request(outgoing).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), root_cause);
            if error.is_connect() { FetchError::Connect(cause) } else { FetchError::Request(cause) }
        })?;
        let status = response.status();
        let limit = self.max_bytes;
        let body = Limited::new(response.into_body(), limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                FetchError::TooLarge(limit)
            } else {
                FetchError::Request(error.to_string())
            }
        })?;
        Ok(FetchResponse { status, body: body.to_bytes() })
    }
}

/// The innermost message of an error, which is the one that tells something.
fn root_cause(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        let limit = self.max_time;
        async move {
            tokio::time::timeout(limit, self.send(request)).await.unwrap_or(Err(FetchError::TimedOut(limit)))
        }
        .boxed()
    }
}

#[derive(Clone, Debug)]
enum Connector {
    Direct(HttpConnector),
    Tcp(SocketAddr),
    Unix(Arc<PathBuf>),
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Stream>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Direct(connector) => connector.poll_ready(cx).map_err(io::Error::other),
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Direct(connector) => {
                let connecting = connector.call(uri);
                async move { connecting.await.map(Stream::Tcp).map_err(io::Error::other) }.boxed()
            }
            Self::Tcp(address) => {
                let address = *address;
                async move {
                    let stream = in_time(TcpStream::connect(address)).await?;
                    stream.set_nodelay(true)?;
                    Ok(Stream::Tcp(TokioIo::new(stream)))
                }
                .boxed()
            }
            Self::Unix(path) => {
                let path = Arc::clone(path);
                async move {
                    let stream = in_time(UnixStream::connect(&*path)).await?;
                    Ok(Stream::Unix(TokioIo::new(stream)))
                }
                .boxed()
            }
        }
    }
}

async fn in_time<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(CONNECT_TIME, connecting)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

enum Stream {
    Tcp(TokioIo<TcpStream>),
    Unix(TokioIo<UnixStream>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Tcp(stream) => stream.connected(),
            Self::Unix(_) => Connected::new(),
        }
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }
}
