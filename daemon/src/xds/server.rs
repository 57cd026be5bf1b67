//! The ADS server: one task for each client, around a [`Stream`].

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use super::snapshot::Snapshot;
use super::status::{ClientStatus, Clients, Registration};
use super::stream::{Dialect, Response, Stream};
use super::wire::{ClientMessage, DeltaResponse, SotwResponse};

/// Clients at a time; a further one is refused with `RESOURCE_EXHAUSTED`.
pub const MAX_CLIENTS: usize = 64;
/// Bytes of one request. The largest is the first after a reconnect, which lists every resource that the client has;
/// a larger one ends the stream.
pub const MAX_REQUEST: usize = 64 * 1024 * 1024;
/// Responses that wait for the connection. There is one for each type at most, since the next waits for the answer.
const QUEUE: usize = 8;
/// Silence after which a client is probed; one that is gone is forgotten.
const KEEPALIVE: Duration = Duration::from_secs(30);

const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const SOTW: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// A snapshot and which one it is.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Higher for each later snapshot.
    pub generation: u64,
    /// What is served.
    pub snapshot: Arc<Snapshot>,
}

/// The service `envoy.service.discovery.v3.AggregatedDiscoveryService`, in both dialects.
#[derive(Debug, Clone)]
pub struct AdsService {
    snapshots: watch::Receiver<Published>,
    clients: Clients,
}

impl AdsService {
    /// Serves what `snapshots` holds, and lists its clients in `clients`.
    pub fn new(snapshots: watch::Receiver<Published>, clients: Clients) -> Self {
        Self { snapshots, clients }
    }

    /// A server with this service alone.
    pub fn into_router(self) -> tonic::transport::server::Router {
        tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .add_service(self)
    }

    /// Starts the task of a new client and returns what it sends.
    fn open<Q, R>(&self, dialect: Dialect, requests: Streaming<Q>) -> Result<Responses<R>, Status>
    where
        Q: ClientMessage + Send + 'static,
        R: From<Response> + Send + 'static,
    {
        let status = ClientStatus { node: String::new(), dialect, settled: None, types: vec![] };
        let Some(registration) = self.clients.register(status, MAX_CLIENTS) else {
            return Err(Status::resource_exhausted(format!("{MAX_CLIENTS} clients are connected already")));
        };
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut snapshots = self.snapshots.clone();
        let published = snapshots.borrow_and_update().clone();
        let client = Client {
            stream: Stream::new(dialect, published.snapshot),
            generation: published.generation,
            node: String::new(),
            dialect,
            registration,
            sender,
        };
        tokio::spawn(client.run(requests, snapshots));
        Ok(ReceiverStream::new(receiver))
    }
}

type Responses<R> = ReceiverStream<Result<R, Status>>;

/// The task of one client.
struct Client<R> {
    stream: Stream,
    generation: u64,
    node: String,
    dialect: Dialect,
    registration: Registration,
    sender: mpsc::Sender<Result<R, Status>>,
}

/// The client is gone.
struct Gone;

impl<R: From<Response>> Client<R> {
    async fn run<Q: ClientMessage>(
        mut self,
        mut requests: Streaming<Q>,
        mut snapshots: watch::Receiver<Published>,
    ) {
        loop {
            let deadline = self.stream.next_deadline();
            let timeout = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            let outcome = tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => self.handle_request(request).await,
                    Ok(None) => Err(Gone),
                    Err(status) => {
                        tracing::debug!(node = self.node, %status, "xDS client disconnected");
                        Err(Gone)
                    }
                },
                changed = snapshots.changed() => match changed {
                    Ok(()) => {
                        let published = snapshots.borrow_and_update().clone();
                        self.generation = published.generation;
                        let responses = self.stream.handle_snapshot(published.snapshot, Instant::now());
                        self.respond(responses).await
                    }
                    // Nobody publishes any more: the daemon is about to end.
                    Err(_) => Err(Gone),
                },
                () = timeout => {
                    let responses = self.stream.handle_timeout(Instant::now());
                    self.respond(responses).await
                }
            };
            if let Err(Gone) = outcome {
                tracing::info!(node = self.node, "xDS client gone");
                return;
            }
        }
    }

    async fn handle_request<Q: ClientMessage>(&mut self, request: Q) -> Result<(), Gone> {
        let message = request.read();
        if let Some(node) = message.node
            && self.node.is_empty()
        {
            self.node = node.id;
            tracing::info!(node = self.node, dialect = ?self.dialect, "xDS client connected");
        }
        let request = match message.request {
            Ok(request) => request,
            Err(type_url) => {
                tracing::warn!(node = self.node, type_url, "xDS client asks for a type that is not served");
                return Ok(());
            }
        };
        if let Some(reason) = request.reply.as_ref().and_then(|reply| reply.error.as_deref()) {
            tracing::error!(node = self.node, ty = %request.ty, reason, "xDS client refused a response");
        }
        let responses = self.stream.handle_request(request, Instant::now());
        self.respond(responses).await
    }

    async fn respond(&mut self, responses: Vec<Response>) -> Result<(), Gone> {
        for response in responses {
            tracing::debug!(
                node = self.node,
                ty = %response.ty,
                nonce = response.nonce,
                resources = response.resources.len(),
                removed = response.removed.len(),
                "xDS response"
            );
            self.sender.send(Ok(R::from(response))).await.map_err(|_| Gone)?;
        }
        let settled = self.stream.is_settled().then_some(self.generation);
        self.registration.update(ClientStatus {
            node: self.node.clone(),
            dialect: self.dialect,
            settled,
            types: self.stream.status(),
        });
        Ok(())
    }
}

struct Delta(AdsService);
struct Sotw(AdsService);

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

macro_rules! streaming_service {
    ($service:ident, $request:ty => $response:ty) => {
        impl StreamingService<$request> for $service {
            type Response = $response;
            type ResponseStream = Responses<$response>;
            type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

            fn call(&mut self, request: tonic::Request<Streaming<$request>>) -> Self::Future {
                let responses = self.0.open(Dialect::$service, request.into_inner());
                std::future::ready(responses.map(tonic::Response::new))
            }
        }
    };
}
streaming_service!(Delta, DeltaDiscoveryRequest => DeltaResponse);
streaming_service!(Sotw, DiscoveryRequest => SotwResponse);

impl NamedService for AdsService {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl tower_service::Service<http::Request<Body>> for AdsService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let response = match request.uri().path() {
                DELTA => {
                    let codec: ProstCodec<DeltaResponse, DeltaDiscoveryRequest> = ProstCodec::default();
                    let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST);
                    grpc.streaming(Delta(service), request).await
                }
                SOTW => {
                    let codec: ProstCodec<SotwResponse, DiscoveryRequest> = ProstCodec::default();
                    let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST);
                    grpc.streaming(Sotw(service), request).await
                }
                _ => Status::unimplemented("only aggregated discovery is served").into_http(),
            };
            Ok(response)
        })
    }
}
