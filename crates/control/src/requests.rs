//! Which requests were run, so that a retry is answered and never run again.
//!
//! An id tells when it was made. One that isn't known is run only if it was made within [`WINDOW`] of the state's time, before or after; and
//! none is forgotten before that window has passed it by. So what is forgotten is refused, whatever the clocks do.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_types::Retry;
use squall_types::cluster::{RequestId, Revision, UnixMillis};

use crate::{Refusal, Reply};

/// For how long, by the state's time, a request id answers with the first reply.
pub const WINDOW: Duration = Duration::from_secs(120);

/// What a request was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// When, by the state's time.
    at: UnixMillis,
    /// Where in the log.
    pub(crate) revision: Revision,
    /// What.
    pub(crate) reply: Result<Reply, Box<Refusal>>,
}

/// Answers by request. Ids sort by when they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Requests(BTreeMap<RequestId, Answer>);

/// What to do with a request.
pub(crate) enum Verdict {
    /// It is new: run it.
    Run,
    /// It was run: this was its answer.
    Repeat(Answer),
    /// It must not be run.
    Refuse(Refusal),
}

impl Requests {
    /// What to do with a request at this time.
    pub(crate) fn judge(&self, request: RequestId, now: UnixMillis) -> Verdict {
        let made_at = request.made_at();
        if let Some(answer) = self.0.get(&request).filter(|answer| now <= answer.at.plus(WINDOW)) {
            Verdict::Repeat(answer.clone())
        } else if self.0.contains_key(&request) || made_at.plus(WINDOW) < now {
            Verdict::Refuse(Refusal::RequestTooOld { made_at, now })
        } else if now.plus(WINDOW) < made_at {
            Verdict::Refuse(Refusal::RequestFromTheFuture { made_at, now })
        } else {
            Verdict::Run
        }
    }

    /// Remembers an answer. A refusal that may not hold later leaves the id unused: it has changed nothing, and asking again is the cure.
    pub(crate) fn remember(
        &mut self,
        request: RequestId,
        now: UnixMillis,
        revision: Revision,
        reply: &Result<Reply, Refusal>,
    ) {
        if reply.as_ref().err().is_none_or(|refusal| refusal.retry() == Retry::No) {
            let reply = reply.clone().map_err(Box::new);
            self.0.insert(request, Answer { at: now, revision, reply });
        }
    }

    /// Forgets what the window has passed by.
    pub(crate) fn forget(&mut self, now: UnixMillis) {
        while let Some(oldest) = self.0.first_entry() {
            let until = oldest.get().at.max(oldest.key().made_at()).plus(WINDOW);
            if now <= until {
                break;
            }
            oldest.remove();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
