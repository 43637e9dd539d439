//! Who means harm harms himself.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::desk::{LANES, Slot, connect, open, rows, send};
use super::soon;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Sends what `more` makes until the other end has had enough of it.
async fn annoy(address: SocketAddr, first: &[u8], mut more: impl FnMut(u32) -> Vec<u8>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let writing = async {
        if to.write_all(first).await.is_err() {
            return;
        }
        for number in 0_u32.. {
            if to.write_all(&more(number)).await.is_err() {
                return;
            }
        }
    };
    let reading = async {
        let mut buffer = vec![0; 4_096];
        while let Ok(1..) = from.read(&mut buffer).await {}
    };
    soon(async {
        tokio::select! {
            () = writing => {}
            () = reading => {}
        }
    })
    .await;
}

/// Sees that a good peer's rows come while, and after, somebody means harm.
async fn harmless(first: &[u8], more: impl FnMut(u32) -> Vec<u8>) {
    let mut peer = Slot::start().await;
    let address = peer.address;
    let mut lane = open(&connect(peer.address).await, LANES[0]).await;
    let good = async {
        for _ in 0..100 {
            send(&mut lane, &rows(100, 100)).await;
            peer.comes(LANES[0]).await;
        }
    };
    tokio::join!(good, annoy(address, first, more));
    send(&mut lane, &rows(1, 1)).await;
    peer.comes(LANES[0]).await;
}

#[tokio::test]
async fn random_bytes_end_their_connection() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes().repeat(100)
    };
    harmless(&[], &mut random).await;
    harmless(&[PREFACE, SETTINGS].concat(), random).await;
}

#[tokio::test]
async fn headers_without_end_end_their_connection() {
    // A literal header, never indexed: a name of one byte and a value of 100.
    let header = [&[0x10, 1, b'a', 100][..], &[b'x'; 100]].concat();
    let first = [PREFACE, SETTINGS, &frame(1, 0, 1, &header)].concat();
    harmless(&first, |_| frame(9, 0, 1, &header)).await;
}

#[tokio::test]
async fn streams_opened_without_end_end_their_connection() {
    // `:method: POST`, `:scheme: http`, `:path: /` out of HPACK's static table; each stream is left open.
    let first = [PREFACE, SETTINGS].concat();
    harmless(&first, |number| frame(1, 4, 2 * number + 1, &[0x83, 0x86, 0x84])).await;
}

#[tokio::test]
async fn streams_opened_and_reset_without_end_end_their_connection() {
    let first = [PREFACE, SETTINGS].concat();
    harmless(&first, |number| {
        let stream = 2 * number + 1;
        [frame(1, 4, stream, &[0x83, 0x86, 0x84]), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
    })
    .await;
}
