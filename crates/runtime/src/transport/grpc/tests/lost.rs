//! Both ends of a channel hear that it is lost.

use std::time::Instant;

use tokio::runtime::Handle;

use super::desk::{LANES, QUICK, Slot, open, rows, send, try_connect};
use super::line::Line;
use super::soon;
use crate::transport::grpc::{GrpcTransport, Security};
use crate::transport::{Channel, Lost, Outgoing};

#[tokio::test]
async fn a_line_gone_silent_is_lost_at_both_ends_within_the_keepalive() {
    let mut peer = Slot::with(Security::Plain, QUICK).await;
    let line = Line::to(peer.address).await;
    let transport = GrpcTransport::new(QUICK, Security::Plain, Handle::current());
    let (connection, _) = try_connect(&transport, line.address).await.unwrap();
    let mut lane = open(&connection, LANES[0]).await;
    let _acks = open(&connection, Channel::Acks).await;
    send(&mut lane, &rows(1, 1)).await;
    peer.comes(LANES[0]).await;
    line.silence();
    let silent = Instant::now();
    soon(connection.lost()).await;
    assert!(silent.elapsed() >= QUICK.patience, "nobody is given up without being asked");
    assert_eq!(soon(lane.send(Outgoing::Rows(&rows(1, 1)))).await, Err(Lost));
    assert!(soon(connection.open(LANES[1])).await.is_err());
    // In any order.
    for _ in 0..2 {
        assert!(matches!(peer.event().await, super::desk::Event::Dropped(_)));
    }
}

#[tokio::test]
async fn a_line_that_breaks_is_lost_at_once_to_a_sender_and_a_receiver_that_wait_for_room() {
    let mut peer = Slot::start().await;
    peer.desk.gates[0].forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let line = Line::to(peer.address).await;
    let (connection, _) = try_connect(&super::desk::transport(), line.address).await.unwrap();
    let mut lane = open(&connection, LANES[0]).await;
    let batch = rows(500, 100);
    let sending = async { while lane.send(Outgoing::Rows(&batch)).await.is_ok() {} };
    let cutting = async {
        // Once the window is full, bytes no longer pass.
        while line.carried() < 500_000 {
            tokio::task::yield_now().await;
        }
        line.cut();
    };
    soon(async { tokio::join!(sending, cutting) }).await;
    soon(connection.lost()).await;
    peer.dropped(LANES[0]).await;
}

#[tokio::test]
async fn who_lets_go_of_a_connection_ends_it_once_its_channels_have_ended() {
    let mut peer = Slot::start().await;
    let line = Line::to(peer.address).await;
    let (connection, _) = try_connect(&super::desk::transport(), line.address).await.unwrap();
    let mut lane = open(&connection, LANES[0]).await;
    drop(connection);
    send(&mut lane, &rows(1, 1)).await;
    peer.comes(LANES[0]).await;
    drop(lane);
    peer.dropped(LANES[0]).await;
}
