//! A session between a generated client and a generated server, over an in-memory connection.

use std::pin::Pin;

use bytes::Bytes;
use catalyst_proto::Frame;
use catalyst_proto::peering::v1::peering_client::PeeringClient;
use catalyst_proto::peering::v1::peering_server::{Peering, PeeringServer};
use catalyst_proto::peering::v1::session_message::Message;
use catalyst_proto::peering::v1::{Keepalive, SessionMessage};
use prost::Message as _;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// Says everything back.
struct Echo;

#[tonic::async_trait]
impl Peering for Echo {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<Frame, Status>> + Send>>;

    async fn session(
        &self,
        frames: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        Ok(Response::new(Box::pin(frames.into_inner())))
    }
}

/// What says `frames` gets back.
async fn echoed(frames: Vec<Frame>) -> Vec<Result<Frame, Status>> {
    // The generated server is a tower service and the generated client takes one: no socket is needed.
    let mut client = PeeringClient::new(PeeringServer::new(Echo));
    let stream = client.session(tokio_stream::iter(frames)).await.expect("the session begins").into_inner();
    stream.collect().await
}

#[tokio::test]
async fn frames_pass_unchanged_in_both_directions() {
    let keepalive = SessionMessage { message: Some(Message::Keepalive(Keepalive {})) };
    let frames = vec![Frame(keepalive.encode_to_vec().into()), Frame(Bytes::from_static(b"\xff no message"))];
    let back: Result<Vec<_>, _> = echoed(frames.clone()).await.into_iter().collect();
    assert_eq!(back.expect("all pass"), frames, "what can't be read is for the session to refuse");
}

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_stream() {
    let limit = 1024;
    let mut client = PeeringClient::new(PeeringServer::new(Echo).max_decoding_message_size(limit));
    let big = Frame(vec![0; limit + 1].into());
    let mut stream =
        client.session(tokio_stream::iter([big])).await.expect("the session begins").into_inner();
    let end = stream.next().await.expect("an answer").expect_err("too long");
    assert_eq!(end.code(), tonic::Code::OutOfRange);
}
