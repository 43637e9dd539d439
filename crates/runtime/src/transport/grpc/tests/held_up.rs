//! A lane that takes nothing holds up those who send to it, and nobody else; and no more is queued for it than the windows say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Semaphore;

use super::desk::{Event, LANES, Slot, connect, open, rows, send};
use crate::transport::Outgoing;
use crate::transport::grpc::Settings;
use crate::transport::grpc::queue::ROOM;

const ROWS: u32 = 500;
const BYTES: usize = 100;
const BATCH: usize = ROWS as usize * BYTES;
const BATCHES: usize = 400;

#[tokio::test]
async fn a_stalled_lane_stops_its_sender_at_the_window_while_the_other_goes_on_and_then_all_comes() {
    let mut peer = Slot::start().await;
    let gate = peer.desk.gates[0].clone();
    gate.forget_permits(Semaphore::MAX_PERMITS);
    let connection = connect(peer.address).await;
    let mut stalled = open(&connection, LANES[0]).await;
    let mut free = open(&connection, LANES[1]).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let sender = tokio::spawn(async move {
        let batch = rows(ROWS, BYTES);
        for _ in 0..BATCHES {
            stalled.send(Outgoing::Rows(&batch)).await.unwrap();
            counted.fetch_add(BATCH, Relaxed);
        }
    });
    let batch = rows(ROWS, BYTES);
    for _ in 0..BATCHES {
        send(&mut free, &batch).await;
        assert!(matches!(peer.event().await, Event::Came(lane, _) if lane == LANES[1]));
    }
    let queued = sent.load(Relaxed) - peer.desk.taken[0].load(Relaxed);
    // The window, what the sender queues, and a frame each: in its hands, in HTTP/2's, in the receiver's.
    let most = Settings::DEFAULT.window as usize + ROOM + 4 * BATCH;
    assert!(queued <= most, "{queued} bytes are queued, of at most {most}");
    assert!(queued >= Settings::DEFAULT.window as usize / 2, "{queued} bytes are queued: the window isn't used");
    gate.add_permits(BATCHES);
    for _ in 0..BATCHES {
        assert!(matches!(peer.event().await, Event::Came(lane, _) if lane == LANES[0]));
    }
    sender.await.unwrap();
    assert_eq!(peer.desk.taken[0].load(Relaxed), BATCHES * BATCH);
}

#[tokio::test]
async fn stalled_lanes_of_several_peers_leave_the_others_their_whole_windows() {
    let mut peer = Slot::start().await;
    peer.desk.gates[0].forget_permits(Semaphore::MAX_PERMITS);
    let mut stalled = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let connection = connect(peer.address).await;
        let mut full = open(&connection, LANES[0]).await;
        stalled.spawn(async move {
            let batch = rows(ROWS, BYTES);
            while full.send(Outgoing::Rows(&batch)).await.is_ok() {}
        });
        let mut free = open(&connection, LANES[1]).await;
        for _ in 0..40 {
            send(&mut free, &rows(ROWS, BYTES)).await;
            assert!(matches!(peer.event().await, Event::Came(lane, _) if lane == LANES[1]));
        }
        drop(free);
        peer.dropped(LANES[1]).await;
    }
    assert_eq!(stalled.len(), 8);
}
