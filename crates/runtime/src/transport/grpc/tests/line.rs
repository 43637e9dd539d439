//! The way between two slots, which can be counted, silenced and cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Whole,
    /// Nothing passes, and nobody is told.
    Silent,
    Cut,
}

/// A proxy in front of a slot.
pub struct Line {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    carried: Arc<AtomicUsize>,
}

impl Line {
    pub async fn to(peer: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::Whole);
        let carried = Arc::new(AtomicUsize::new(0));
        let count = carried.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(peer).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, seen.clone(), Some(count.clone())));
                tokio::spawn(carry(far_in, near_out, seen.clone(), None));
            }
        });
        Self { address, state, carried }
    }

    pub fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Bytes carried from near to far.
    pub fn carried(&self) -> usize {
        self.carried.load(Relaxed)
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    count: Option<Arc<AtomicUsize>>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            biased;
            _ = state.wait_for(|state| *state != State::Whole) => break,
            read = from.read(&mut buffer) => read,
        };
        let Ok(read @ 1..) = read else { return };
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        if let Some(count) = &count {
            count.fetch_add(read, Relaxed);
        }
    }
    // Silent until it is cut, or the test has ended.
    let _ = state.wait_for(|state| *state == State::Cut).await;
}
