//! Events as a stream that changes masters without a gap.

use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use tokio_stream::StreamExt as _;
use tonic::Streaming;

use super::Session;
use crate::error::CliError;

/// Where a watcher stands: a revision, and how many of its events it has had. One revision may have several.
pub struct Follow {
    revision: u64,
    had: usize,
    subjects: Vec<String>,
    stream: Option<Streaming<v1::Event>>,
    skip: usize,
}

impl Follow {
    /// Events from a revision on; 0 from now on.
    pub const fn new(revision: u64, subjects: Vec<String>) -> Self {
        Self { revision, had: 0, subjects, stream: None, skip: 0 }
    }

    /// The next event. A stream that breaks is opened anew where it stood.
    pub async fn next(&mut self, session: &mut Session) -> Result<v1::Event, CliError> {
        loop {
            if self.stream.is_none() {
                self.stream = Some(self.open(session).await?);
                self.skip = self.had;
            }
            match self.stream.as_mut().expect("opened above").next().await {
                Some(Ok(event)) if self.skip > 0 && event.revision == self.revision => self.skip -= 1,
                Some(Ok(event)) => {
                    self.skip = 0;
                    self.had = if event.revision == self.revision { self.had + 1 } else { 1 };
                    self.revision = event.revision;
                    return Ok(event);
                }
                // A master that went, or one that says no: the next call tells.
                Some(Err(_)) | None => {
                    self.stream = None;
                    session.client.forget();
                }
            }
        }
    }

    async fn open(&self, session: &mut Session) -> Result<Streaming<v1::Event>, CliError> {
        let call = |link| {
            let request = v1::WatchRequest { from_revision: self.revision, subjects: self.subjects.clone() };
            async move { ClusterClient::new(link).watch(request).await }
        };
        session.client.ask(call).await
    }
}
