//! Events as a stream that changes masters without a gap.

use std::time::Duration;

use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_types::codes;
use tokio_stream::StreamExt as _;
use tonic::Streaming;

use super::Session;
use crate::error::CliError;

/// How long after a stream that broke the next is opened.
const PAUSE: Duration = Duration::from_millis(50);

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the oldest event that is kept.
    Oldest,
    /// At this revision.
    Revision(u64),
}

/// Where a watcher stands: a revision, and how many of its events it has had. One revision may have several.
pub struct Follow {
    from: From,
    had: usize,
    to: Option<u64>,
    subjects: Vec<String>,
    stream: Option<Streaming<v1::Event>>,
    skip: usize,
}

impl Follow {
    /// Events from a place on, up to a revision if one is given.
    pub const fn new(from: From, to: Option<u64>, subjects: Vec<String>) -> Self {
        Self { from, had: 0, to, subjects, stream: None, skip: 0 }
    }

    /// The next event; none, once all are there that were wanted. A stream that breaks is opened anew where it stood.
    pub async fn next(&mut self, session: &mut Session) -> Result<Option<v1::Event>, CliError> {
        loop {
            if self.stream.is_none() {
                self.stream = match self.open(session).await {
                    Err(CliError::Refused(failure)) if failure.code == codes::EVENTS_COMPACTED && self.had > 0 => {
                        eprintln!("warning: {}; what came between is missing here", failure.cause);
                        (self.from, self.had) = (From::Oldest, 0);
                        continue;
                    }
                    opened => Some(opened?),
                };
                self.skip = self.had;
            }
            match self.stream.as_mut().expect("opened above").next().await {
                Some(Ok(event)) if self.skip > 0 && self.from == From::Revision(event.revision) => self.skip -= 1,
                Some(Ok(event)) => {
                    self.skip = 0;
                    self.had = if self.from == From::Revision(event.revision) { self.had + 1 } else { 1 };
                    self.from = From::Revision(event.revision);
                    return Ok(Some(event));
                }
                None if self.to.is_some() => return Ok(None),
                // A master that went, or one that says no: the next call tells.
                Some(Err(_)) | None => {
                    self.stream = None;
                    session.client.forget();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn open(&self, session: &mut Session) -> Result<Streaming<v1::Event>, CliError> {
        let call = |link| {
            let (from_oldest, from_revision) = match self.from {
                From::Oldest => (true, 0),
                From::Revision(revision) => (false, revision),
            };
            let to_revision = self.to.unwrap_or(0);
            let subjects = self.subjects.clone();
            let request = v1::WatchRequest { from_revision, subjects, to_revision, from_oldest };
            async move { ClusterClient::new(link).watch(request).await }
        };
        session.client.ask(call).await
    }
}
