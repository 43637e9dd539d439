//! Bytes, cut into messages.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use tonic::Status;

/// The most bytes in one message.
pub(crate) const CHUNK: usize = 1 << 20;

/// Messages that together hold some bytes.
pub(crate) type Chunks<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The bytes in messages, at least one.
pub(crate) fn of<T: Send + 'static>(bytes: Bytes, message: impl Fn(Bytes) -> T + Send + 'static) -> Chunks<T> {
    let count = bytes.len().div_ceil(CHUNK).max(1);
    let cut = move |number: usize| Ok(message(bytes.slice(number * CHUNK..bytes.len().min((number + 1) * CHUNK))));
    Box::pin(futures_util::stream::iter((0..count).map(cut)))
}
