//! Who isn't let in hears why, and whose parcels make no sense loses that channel alone.

use std::net::SocketAddr;

use bytes::Bytes;
use squall_proto::internal::peers_client::PeersClient;
use squall_proto::internal::tuples_client::TuplesClient;
use squall_proto::internal::{Frame, LaneNotice};
use squall_types::cluster::{AssignmentVersion, Refusal, SlotIncarnation};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status, Streaming};

use super::desk::{LANES, Slot, connect, hello, open, rows, send, slot, transport, try_connect};
use super::soon;
use crate::transport::grpc::{CHANNEL, convert};
use crate::transport::{Channel, ConnectError, LaneNumber, Lost, Outgoing};
use crate::wire::limits;

#[tokio::test]
async fn a_stale_slot_is_not_let_in_and_hears_why() {
    let peer = Slot::start().await;
    for refusal in
        [Refusal::Stale { seen: SlotIncarnation::new(9) }, Refusal::NotYet { version: AssignmentVersion::new(3) }]
    {
        *peer.desk.closed.lock().unwrap() = Some(refusal.clone());
        match try_connect(&transport(), peer.address).await {
            Err(ConnectError::Refused(said)) => assert_eq!(said, refusal),
            other => panic!("{:?}", other.err()),
        }
    }
}

#[tokio::test]
async fn who_is_let_in_may_be_refused_later_and_keeps_what_is_open() {
    let mut peer = Slot::start().await;
    let connection = connect(peer.address).await;
    let mut lane = open(&connection, LANES[0]).await;
    assert!(soon(connection.greet(&hello())).await.is_ok());
    *peer.desk.closed.lock().unwrap() = Some(Refusal::Stopping);
    let refused = soon(connection.greet(&hello())).await;
    assert!(matches!(refused, Err(ConnectError::Refused(Refusal::Stopping))));
    send(&mut lane, &rows(1, 1)).await;
    peer.comes(LANES[0]).await;
}

#[tokio::test]
async fn a_lane_that_is_not_there_and_one_that_is_open_are_refused() {
    let mut peer = Slot::start().await;
    let connection = connect(peer.address).await;
    let refused = soon(connection.open(Channel::Lane(LaneNumber(7)))).await.err();
    assert!(matches!(refused, Some(ConnectError::Refused(Refusal::NoSuchLane))));
    let lane = open(&connection, LANES[0]).await;
    let refused = soon(connection.open(LANES[0])).await.err();
    assert!(matches!(refused, Some(ConnectError::Refused(Refusal::Malformed))));
    drop(lane);
    peer.dropped(LANES[0]).await;
    open(&connection, LANES[0]).await;
}

#[tokio::test]
async fn a_parcel_that_is_refused_ends_its_channel_alone() {
    let mut peer = Slot::start().await;
    let connection = connect(peer.address).await;
    *peer.desk.picky.lock().unwrap() = Some(Refusal::NotOwner { version: AssignmentVersion::new(4) });
    let mut picky = open(&connection, LANES[0]).await;
    *peer.desk.picky.lock().unwrap() = None;
    let mut easy = open(&connection, LANES[1]).await;
    let batch = rows(1, 1);
    let refused = async {
        while picky.send(Outgoing::Rows(&batch)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(refused).await;
    peer.dropped(LANES[0]).await;
    send(&mut easy, &batch).await;
    peer.comes(LANES[1]).await;
    assert_eq!(soon(picky.send(Outgoing::Rows(&batch))).await, Err(Lost));
}

/// A client of the protos alone.
struct Stranger {
    peers: PeersClient<tonic::transport::Channel>,
    tuples: TuplesClient<tonic::transport::Channel>,
}

impl Stranger {
    async fn at(address: SocketAddr) -> Self {
        let channel = soon(Endpoint::from_shared(format!("http://{address}")).unwrap().connect()).await.unwrap();
        let tuples = TuplesClient::new(channel.clone()).max_encoding_message_size(usize::MAX);
        Self { peers: PeersClient::new(channel), tuples }
    }

    /// Sends frames on a channel and waits for the end.
    async fn send(&mut self, channel: &str, frames: Vec<Vec<u8>>) -> Result<(), Status> {
        let frames = frames.into_iter().map(|data| Frame { data: Bytes::from(data) });
        let mut request = Request::new(futures_util::stream::iter(frames));
        request.metadata_mut().insert(CHANNEL, channel.parse().unwrap());
        let mut answers: Streaming<LaneNotice> = soon(self.tuples.send(request)).await?.into_inner();
        while soon(answers.message()).await?.is_some() {}
        Ok(())
    }
}

#[tokio::test]
async fn a_client_of_the_protos_alone_can_speak_and_must_say_hello_first() {
    let mut peer = Slot::start().await;
    let mut stranger = Stranger::at(peer.address).await;
    let barrier = || [&[1, 1, 8][..], &[0; 29]].concat();
    let refused = stranger.send("0", vec![barrier()]).await.unwrap_err();
    assert_eq!(
        (convert::read_refusal(&refused), refused.message()),
        (Some(Refusal::Malformed), "nobody has said hello")
    );
    soon(stranger.peers.greet(convert::hello(&hello(), false))).await.unwrap();
    stranger.send("0", vec![barrier(), barrier()]).await.unwrap();
    for _ in 0..2 {
        peer.comes(LANES[0]).await;
    }
    let mut another = hello();
    another.from = slot(5);
    let refused = soon(stranger.peers.greet(convert::hello(&another, false))).await.unwrap_err();
    assert_eq!(convert::read_refusal(&refused), Some(Refusal::Malformed));
}

#[tokio::test]
async fn what_is_no_frame_ends_the_stream_with_a_code_and_other_streams_go_on() {
    let mut peer = Slot::start().await;
    let mut good = open(&connect(peer.address).await, LANES[1]).await;
    let mut stranger = Stranger::at(peer.address).await;
    soon(stranger.peers.greet(convert::hello(&hello(), false))).await.unwrap();
    let acks = || vec![1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let packed = || vec![1, 5, 0, 0, 200, 0, 0, 0, 0x1f, 7, 1, 0, 0xae, 0x60, 7, 7, 7, 7, 7, 7];
    let cases = [
        ("0", vec![], "SQ2501: the frame ends before what it announces"),
        ("0", vec![7; 100], "SQ2502: the frame is of format 7, and this release reads format 1"),
        ("0", acks(), "SQ2501: a frame of kind 2 has no place here"),
        ("0", packed(), "SQ2501: a frame of kind 5 has no place here"),
        ("acks", [&[1, 1, 8][..], &[0; 29]].concat(), "SQ2501: a frame of kind 1 has no place here"),
    ];
    for (channel, frame, words) in cases {
        let refused = stranger
            .send(channel, vec![acks(); usize::from(channel == "acks")].into_iter().chain([frame]).collect())
            .await;
        let refused = refused.unwrap_err();
        assert_eq!((convert::read_refusal(&refused), refused.message()), (Some(Refusal::Malformed), words));
    }
    let refused = stranger.send("0", vec![vec![0; limits::FRAME + 100]]).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    send(&mut good, &rows(1, 1)).await;
    while !matches!(peer.event().await, super::desk::Event::Came(lane, _) if lane == LANES[1]) {}
}
