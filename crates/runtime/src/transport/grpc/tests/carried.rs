//! What is sent comes, in order, once.

use squall_engine::ledger::FailureKind;
use squall_types::cluster::SlotIncarnation;
use squall_types::{Batch, EdgeId, Mark, RootId, TaskId, Timestamp, Value};
use tokio::net::TcpSocket;

use super::desk::{LANES, Slot, connect, open, rows, send, slot, transport, try_connect, welcome};
use super::line::Line;
use super::soon;
use crate::AckBatch;
use crate::transport::grpc::{GrpcTransport, Security, Settings};
use crate::transport::{Channel, ConnectError, Incoming, Introduction, LaneNumber, Left, Outgoing, Sent};
use crate::wire::Unsendable;

#[tokio::test]
async fn parcels_of_all_kinds_come_in_order_and_the_channel_ends_behind_them() {
    let mut peer = Slot::start().await;
    let (connection, said) = try_connect(&transport(), peer.address).await.unwrap();
    assert_eq!(said, welcome());
    let mut lane = open(&connection, LANES[1]).await;
    let introduction = Introduction { input: 0, lane: LaneNumber(3), tasks: vec![TaskId::new(1)] };
    soon(lane.send(Outgoing::Introduction(&introduction))).await.unwrap();
    let mut batch = rows(3, 10);
    (batch.sender, batch.mark) = (3, Some(Mark::Watermark(Timestamp::MAX)));
    send(&mut lane, &batch).await;
    drop(lane);
    assert!(matches!(peer.comes(LANES[1]).await, Incoming::Introduction(it) if it == introduction));
    let Incoming::Rows(came) = peer.comes(LANES[1]).await else { panic!("rows") };
    assert_eq!((&came.values, came.sender, came.mark), (&batch.values, 3, batch.mark));
    peer.dropped(LANES[1]).await;

    let mut acks = open(&connection, Channel::Acks).await;
    let records = AckBatch {
        acked: vec![(RootId::from_bits(1), EdgeId::from_bits(2))],
        failed: vec![(RootId::from_bits(3), FailureKind::Failed)],
        extended: vec![],
    };
    soon(acks.send(Outgoing::Acks(&records))).await.unwrap();
    let left = Left { slot: slot(9), incarnation: SlotIncarnation::new(2), components: vec![1] };
    soon(acks.send(Outgoing::Left(&left))).await.unwrap();
    let Incoming::Acks(came) = peer.comes(Channel::Acks).await else { panic!("acks") };
    assert_eq!((came.acked, came.failed), (records.acked, records.failed));
    assert!(matches!(peer.comes(Channel::Acks).await, Incoming::Left(it) if it == left));
}

#[tokio::test]
async fn many_batches_of_any_size_come_whole_and_in_order() {
    let mut peer = Slot::start().await;
    let mut lane = open(&connect(peer.address).await, LANES[0]).await;
    let batch = |number: u32| {
        let values = vec![Value::Int(number.into()), Value::Bytes(vec![7; number as usize * 150].into())];
        Batch { width: 2, rows: 1, heap_bytes: number as usize * 150, values, ..Batch::default() }
    };
    let sending = async {
        for number in 0..1_000 {
            send(&mut lane, &batch(number)).await;
        }
    };
    let taking = async {
        for number in 0..1_000 {
            let Incoming::Rows(came) = peer.comes(LANES[0]).await else { panic!("rows") };
            assert_eq!(came.values, batch(number).values);
        }
    };
    tokio::join!(sending, taking);
}

#[tokio::test]
async fn a_batch_of_many_frames_is_one_row_after_the_other() {
    let mut peer = Slot::start().await;
    let mut lane = open(&connect(peer.address).await, LANES[0]).await;
    let sent = soon(lane.send(Outgoing::Rows(&rows(20_000, 100)))).await.unwrap();
    let mut came = 0;
    for _ in 0..sent.parcels {
        let Incoming::Rows(batch) = peer.comes(LANES[0]).await else { panic!("rows") };
        came += batch.rows;
    }
    assert_eq!((came, sent.left_out), (20_000, vec![]));
}

#[tokio::test]
async fn what_a_row_costs_there_is_told_to_the_sender() {
    let mut peer = Slot::start().await;
    let mut lane = open(&connect(peer.address).await, LANES[0]).await;
    assert_eq!(lane.row_cost_ns(), 0);
    for cost in [700, 90] {
        peer.desk.row_cost_ns.store(cost, std::sync::atomic::Ordering::Relaxed);
        send(&mut lane, &rows(1, 1)).await;
        peer.comes(LANES[0]).await;
        soon(async {
            while lane.row_cost_ns() != cost {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_sent_is_told_and_the_others_come() {
    let mut peer = Slot::start().await;
    let mut lane = open(&connect(peer.address).await, LANES[0]).await;
    let deep = (0..70).fold(Value::Null, |inner, _| Value::List(vec![inner].into()));
    let values = vec![Value::Int(1), deep, Value::Int(2)];
    let heap_bytes = values.iter().map(Value::heap_bytes).sum();
    let batch = Batch { width: 1, rows: 3, values, heap_bytes, ..Batch::default() };
    let sent = soon(lane.send(Outgoing::Rows(&batch))).await;
    assert_eq!(sent, Ok(Sent { parcels: 2, left_out: vec![(1, Unsendable::Deep)] }));
    for number in [1, 2] {
        let Incoming::Rows(came) = peer.comes(LANES[0]).await else { panic!("rows") };
        assert_eq!(came.values, [Value::Int(number)]);
    }
}

#[tokio::test]
async fn frames_to_a_peer_far_away_are_compressed_and_come_as_they_were() {
    let mut peer = Slot::start().await;
    let line = Line::to(peer.address).await;
    let transport = transport().packing_for(|peer| *peer == slot(1));
    let (connection, _) = try_connect(&transport, line.address).await.unwrap();
    let mut lane = open(&connection, LANES[0]).await;
    let batch = rows(500, 100);
    for _ in 0..20 {
        send(&mut lane, &batch).await;
    }
    for _ in 0..20 {
        let Incoming::Rows(came) = peer.comes(LANES[0]).await else { panic!("rows") };
        assert_eq!(came.values, batch.values);
    }
    let carried = line.carried();
    assert!(carried < 1_000_000 / 10, "{carried} bytes for a million");
}

#[tokio::test]
async fn a_peer_that_starts_a_little_later_is_reached() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let transport = transport();
    let starting = async {
        // Its port is taken and nobody listens there: calls are refused.
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        Slot::on(socket.listen(16).unwrap(), Security::Plain, Settings::DEFAULT)
    };
    let (connected, _peer) = tokio::join!(try_connect(&transport, address), starting);
    assert!(connected.is_ok());
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_given_up_in_the_time_it_has() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let settings = Settings { reach: std::time::Duration::from_millis(200), ..Settings::DEFAULT };
    let transport = GrpcTransport::new(settings, Security::Plain, tokio::runtime::Handle::current());
    let refused = try_connect(&transport, socket.local_addr().unwrap()).await;
    assert!(matches!(refused, Err(ConnectError::Unreachable(_))));
    // It takes the connection and says nothing.
    let mute = socket.listen(16).unwrap();
    let refused = try_connect(&transport, mute.local_addr().unwrap()).await;
    assert!(matches!(refused, Err(ConnectError::Unreachable(_))));
}
