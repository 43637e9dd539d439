//! A caller's stream of a header and then bytes.

use std::time::Duration;

use bytes::Bytes;
use squall_proto::v1::{self, put_blob_request, submit_request};
use tonic::Streaming;

use crate::fault::{Answer, Fault};

/// How long a caller may take over one message: a slow one harms itself alone, and not for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message of such a stream.
pub(crate) trait Part {
    /// What comes first.
    type Header;

    fn split(self) -> Option<Split<Self::Header>>;
}

pub(crate) enum Split<H> {
    Header(H),
    Chunk(Bytes),
}

impl Part for v1::SubmitRequest {
    type Header = v1::SubmitHeader;

    fn split(self) -> Option<Split<v1::SubmitHeader>> {
        self.part.map(|part| match part {
            submit_request::Part::Header(header) => Split::Header(header),
            submit_request::Part::Chunk(chunk) => Split::Chunk(chunk),
        })
    }
}

impl Part for v1::PutBlobRequest {
    type Header = v1::PutBlobHeader;

    fn split(self) -> Option<Split<v1::PutBlobHeader>> {
        self.part.map(|part| match part {
            put_blob_request::Part::Header(header) => Split::Header(header),
            put_blob_request::Part::Chunk(chunk) => Split::Chunk(chunk),
        })
    }
}

/// The stream, as it is read.
pub(crate) struct Parts<T>(Streaming<T>);

impl<T: Part> Parts<T> {
    pub(crate) fn new(stream: Streaming<T>) -> Self {
        Self(stream)
    }

    /// What comes first.
    pub(crate) async fn header(&mut self) -> Answer<T::Header> {
        match self.next().await? {
            Some(Split::Header(header)) => Ok(header),
            Some(Split::Chunk(_)) | None => Err(Fault::field("part", "the first message has the header")),
        }
    }

    /// The bytes that come next; none at the end.
    pub(crate) async fn chunk(&mut self) -> Answer<Option<Bytes>> {
        match self.next().await? {
            Some(Split::Chunk(chunk)) => Ok(Some(chunk)),
            Some(Split::Header(_)) => Err(Fault::field("part", "only the first message has a header")),
            None => Ok(None),
        }
    }

    async fn next(&mut self) -> Answer<Option<Split<T::Header>>> {
        let message = tokio::time::timeout(PATIENCE, self.0.message()).await;
        let message =
            message.map_err(|_| Fault::field("part", format!("nothing came for {} s", PATIENCE.as_secs())))?;
        match message.map_err(|status| Fault::field("part", format!("the stream broke: {}", status.message())))? {
            None => Ok(None),
            Some(message) => message.split().map(Some).ok_or_else(|| Fault::field("part", "the message is empty")),
        }
    }
}
