//! A closed-loop HTTP/2 client (prior knowledge, plain TCP): a fixed number of requests, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What to send, and how hard.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where the proxy listens.
    pub target: SocketAddr,
    /// `:authority` of every request.
    pub authority: String,
    /// Path of every request.
    pub path: String,
    /// Bearer tokens, used in turn; none sends requests without one.
    pub tokens: Arc<Vec<String>>,
    /// Requests in all.
    pub requests: usize,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each connection.
    pub streams: usize,
}

/// What came back.
#[derive(Debug)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub wall: Duration,
    /// Answers with the status that was expected.
    pub expected: usize,
    /// Any other answer, by status.
    pub unexpected: Vec<(StatusCode, usize)>,
    latencies: Vec<Duration>,
}

impl Outcome {
    /// The latency below which `share` (0 to 1) of the answers came.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }
}

impl Load {
    /// Sends all requests and counts the answers whose status is `expected`.
    pub async fn run(&self, expected: StatusCode) -> anyhow::Result<Outcome> {
        let load = Arc::new(self.clone());
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        let mut senders = Vec::new();
        for _ in 0..self.connections {
            senders.push(connect(self.target).await?);
        }
        let started = Instant::now();
        for sender in senders {
            for _ in 0..self.streams {
                workers.spawn(work(Arc::clone(&load), sender.clone(), Arc::clone(&next)));
            }
        }
        let mut latencies = Vec::with_capacity(self.requests);
        let mut statuses = std::collections::BTreeMap::<StatusCode, usize>::new();
        while let Some(worker) = workers.join_next().await {
            for (status, latency) in worker?? {
                *statuses.entry(status).or_default() += 1;
                latencies.push(latency);
            }
        }
        let wall = started.elapsed();
        latencies.sort_unstable();
        let good = statuses.remove(&expected).unwrap_or(0);
        Ok(Outcome { wall, expected: good, unexpected: statuses.into_iter().collect(), latencies })
    }

    fn request(&self, index: usize) -> anyhow::Result<Request<Empty<Bytes>>> {
        let mut request = Request::get(format!("http://{}{}", self.authority, self.path));
        if !self.tokens.is_empty() {
            let token = &self.tokens[index % self.tokens.len()];
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Ok(request.body(Empty::new())?)
    }
}

async fn work(
    load: Arc<Load>,
    mut sender: SendRequest<Empty<Bytes>>,
    next: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<(StatusCode, Duration)>> {
    let mut answers = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= load.requests {
            return Ok(answers);
        }
        let request = load.request(index)?;
        let sent = Instant::now();
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        answers.push((status, sent.elapsed()));
    }
}

async fn connect(target: SocketAddr) -> anyhow::Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(target).await.with_context(|| format!("cannot connect to {target}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("connection to {target} ended: {error}");
        }
    });
    Ok(sender)
}
