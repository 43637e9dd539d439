//! What is to be sent on a channel, between who writes frames and the HTTP/2 stream that takes them when its window allows.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};

use crate::transport::Lost;

/// Bytes that wait before the sender does.
pub(super) const ROOM: usize = 128 << 10;
/// Small messages are put together into pieces of up to so many bytes.
const PIECE: usize = 64 << 10;

#[derive(Default)]
struct State {
    pieces: VecDeque<BytesMut>,
    bytes: usize,
    /// No more will come.
    ended: bool,
    /// Nobody takes any.
    broken: bool,
    taker: Option<Waker>,
    sender: Option<Waker>,
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    // A panic can't happen while the lock is held: only buffers are moved under it.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both ends of an empty queue.
pub(super) fn queue() -> (Sending, Taking) {
    let shared = Shared::default();
    (Sending(shared.clone()), Taking(shared))
}

/// Where messages are put. When it is dropped, the stream ends behind them.
pub(super) struct Sending(Shared);

impl Sending {
    /// Puts a message in once there is room; one that is larger than the room has it alone.
    pub(super) async fn send(&mut self, message: BytesMut) -> Result<(), Lost> {
        poll_fn(|cx| self.poll_room(cx, message.len())).await?;
        let mut state = lock(&self.0);
        state.bytes += message.len();
        match state.pieces.back_mut() {
            Some(last) if last.len() + message.len() <= PIECE => last.extend_from_slice(&message),
            _ => state.pieces.push_back(message),
        }
        let taker = state.taker.take();
        drop(state);
        if let Some(taker) = taker {
            taker.wake();
        }
        Ok(())
    }

    fn poll_room(&self, cx: &mut Context<'_>, bytes: usize) -> Poll<Result<(), Lost>> {
        let mut state = lock(&self.0);
        if state.broken {
            return Poll::Ready(Err(Lost));
        }
        if state.bytes == 0 || state.bytes + bytes <= ROOM {
            return Poll::Ready(Ok(()));
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.0).bytes
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.ended = true;
        let taker = state.taker.take();
        drop(state);
        if let Some(taker) = taker {
            taker.wake();
        }
    }
}

/// The body of a request: what was sent, in its order. When it is dropped, the channel is lost to the sender.
pub(super) struct Taking(Shared);

impl Body for Taking {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = lock(&self.0);
        if let Some(piece) = state.pieces.pop_front() {
            state.bytes -= piece.len();
            let sender = state.sender.take();
            drop(state);
            if let Some(sender) = sender {
                sender.wake();
            }
            return Poll::Ready(Some(Ok(Frame::data(piece.freeze()))));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.taker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.broken = true;
        state.pieces.clear();
        state.bytes = 0;
        let sender = state.sender.take();
        drop(state);
        if let Some(sender) = sender {
            sender.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn message(bytes: usize) -> BytesMut {
        BytesMut::zeroed(bytes)
    }

    fn take(taking: &mut Taking) -> Option<usize> {
        let taken = poll_fn(|cx| Pin::new(&mut *taking).poll_frame(cx)).now_or_never()?;
        Some(taken.map_or(0, |frame| frame.unwrap().into_data().unwrap().len()))
    }

    #[test]
    fn the_sender_waits_without_room_and_goes_on_once_a_piece_is_taken() {
        let (mut sending, mut taking) = queue();
        for _ in 0..2 {
            assert_eq!(sending.send(message(PIECE)).now_or_never(), Some(Ok(())));
        }
        assert_eq!(sending.send(message(1)).now_or_never(), None);
        assert_eq!(sending.waiting(), ROOM);
        assert_eq!(take(&mut taking), Some(PIECE));
        assert_eq!(sending.send(message(1)).now_or_never(), Some(Ok(())));
    }

    #[test]
    fn small_messages_are_taken_together_and_large_ones_alone() {
        let (mut sending, mut taking) = queue();
        for bytes in [10, 20, PIECE, 5] {
            sending.send(message(bytes)).now_or_never().unwrap().unwrap();
        }
        assert_eq!([(); 4].map(|()| take(&mut taking)), [Some(30), Some(PIECE), Some(5), None]);
    }

    #[test]
    fn a_message_larger_than_the_room_passes_alone() {
        let (mut sending, mut taking) = queue();
        assert_eq!(sending.send(message(10 * ROOM)).now_or_never(), Some(Ok(())));
        assert_eq!(sending.send(message(1)).now_or_never(), None);
        assert_eq!(take(&mut taking), Some(10 * ROOM));
    }

    #[test]
    fn the_stream_ends_behind_what_was_sent() {
        let (mut sending, mut taking) = queue();
        sending.send(message(3)).now_or_never().unwrap().unwrap();
        drop(sending);
        assert_eq!([take(&mut taking), take(&mut taking)], [Some(3), Some(0)]);
    }

    #[test]
    fn who_waits_for_room_hears_that_the_stream_is_gone() {
        let (mut sending, taking) = queue();
        sending.send(message(ROOM)).now_or_never().unwrap().unwrap();
        drop(taking);
        assert_eq!(sending.send(message(1)).now_or_never(), Some(Err(Lost)));
    }
}
