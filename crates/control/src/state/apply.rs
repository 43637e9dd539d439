//! One command after the other.

use serde::{Deserialize, Serialize};
use squall_types::cluster::{Epoch, RequestId, Revision, TopologyVersion, UnixMillis};

use super::{Done, State};
use crate::command::{Command, Envelope};
use crate::requests::{Verdict, WINDOW};
use crate::{Event, Refusal, Subject, Supported, What};

/// What applying a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where the change stands in the log; of a repeated request, where it was run first.
    pub revision: Revision,
    /// The answer.
    pub reply: Result<Reply, Refusal>,
    /// What has happened. Nothing, if the command changed nothing.
    pub events: Vec<Event>,
    /// Whether this is the answer that the request was given before.
    pub repeated: bool,
}

/// The answer to a command that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is so now.
    Done,
    /// The topology has this version now.
    Version(TopologyVersion),
    /// The topology will be stopped then.
    StopsAt(UnixMillis),
    /// The cluster is in this epoch now.
    Epoch(Epoch),
}

impl State {
    /// Applies the command at this place in the log. Deterministic: every master comes to the same state and the same outcome. Every
    /// precondition is decided here, whatever was found when the command was proposed.
    pub fn apply(&mut self, revision: Revision, envelope: &Envelope) -> Outcome {
        if revision <= self.revision {
            let refusal = Refusal::NotNewer { given: revision, current: self.revision };
            return Outcome { revision, reply: Err(refusal), events: Vec::new(), repeated: false };
        }
        self.revision = revision;
        self.now = self.now.max(self.believed(envelope.at, envelope.request));
        self.requests.forget(self.now);
        match self.requests.judge(envelope.request, self.now) {
            Verdict::Run => self.run(envelope),
            Verdict::Refuse(refusal) => Outcome { revision, reply: Err(refusal), events: Vec::new(), repeated: false },
            Verdict::Repeat(answer) => Outcome {
                revision: answer.revision,
                reply: answer.reply.map_err(|refusal| *refusal),
                events: Vec::new(),
                repeated: true,
            },
        }
    }

    /// The stamp, as far as the clock that the request was made by vouches for it: a leader's clock that has run away would else take the
    /// state's time with it, which never comes back, and nobody's requests would be young enough any more.
    pub(super) fn believed(&self, at: UnixMillis, request: RequestId) -> UnixMillis {
        if self.level < Supported::TWO_CLOCKS { at } else { at.min(request.made_at().plus(WINDOW)) }
    }

    fn run(&mut self, envelope: &Envelope) -> Outcome {
        let done = self.as_expected(envelope).and_then(|()| self.decide(envelope));
        let (reply, whats) = match done {
            Ok((reply, whats)) => (Ok(reply), whats),
            Err(refusal) => (Err(refusal), Vec::new()),
        };
        let event = |what: What| Event {
            revision: self.revision,
            at: self.now,
            what,
            actor: envelope.actor.clone(),
            origin: envelope.origin.clone(),
            request: Some(envelope.request),
        };
        let events: Vec<_> = whats.into_iter().map(event).collect();
        self.events.add(&events);
        self.requests.remember(envelope.request, self.now, self.revision, &reply);
        Outcome { revision: self.revision, reply, events, repeated: false }
    }

    fn decide(&mut self, envelope: &Envelope) -> Done {
        match &envelope.command {
            Command::Submit(submit) => self.submit(submit, envelope.actor.as_ref()),
            Command::Activate(name) => self.activate(name),
            Command::Deactivate(name) => self.deactivate(name),
            Command::Rebalance(rebalance) => self.rebalance(rebalance),
            Command::Kill { name, wait } => self.kill(name, *wait),
            Command::FinishKill(name) => self.finish_kill(name),
            Command::Rollback { name, to } => self.roll_back(name, *to, envelope.actor.as_ref()),
            Command::Assign(assign) => self.assign(assign),
            Command::RegisterWorker { name, registration } => self.register_worker(name, registration),
            Command::Drain(name) => self.drain(name),
            Command::Undrain(name) => self.undrain(name),
            Command::ForgetWorker(name) => self.forget_worker(name),
            Command::RecordWorkers(records) => self.record_workers(records),
            Command::Quarantine { worker, until, strikes } => self.quarantine(worker, *until, *strikes),
            Command::ReportMember { raft_id, name, address, level } => {
                self.report_member(*raft_id, name, address, *level)
            }
            Command::StoreBlob { id, size, held_by } => self.store_blob(*id, *size, held_by),
            Command::CollectBlobs(ids) => self.collect_blobs(ids),
            Command::CreateToken(token) => self.create_token(token),
            Command::RevokeToken(id) => self.revoke_token(*id),
            Command::RaiseLevel(level) => self.raise_level(*level),
            Command::BeginEpoch(by) => {
                self.epoch = self.epoch.next();
                Ok((Reply::Epoch(self.epoch), vec![What::EpochBegun { epoch: self.epoch, by: *by }]))
            }
            Command::Audit(audit) => Ok((Reply::Done, vec![What::Audited(audit.clone())])),
        }
    }

    /// Compares what is to be changed with what the caller has seen of it. What isn't there can only be expected not to be there; that it is
    /// unknown is for the command to say.
    fn as_expected(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let Some((expected, subject)) = envelope.expected.zip(envelope.command.subject()) else { return Ok(()) };
        match self.changed_at(&subject) {
            None if expected == Revision::ZERO || !envelope.command.makes_its_subject() => Ok(()),
            Some(actual) if actual == expected => Ok(()),
            actual => Err(Refusal::NotAsExpected { subject, expected, actual: actual.unwrap_or(Revision::ZERO) }),
        }
    }
}

impl Command {
    /// What a compare-and-set on this command compares; none, where it has nothing of its own to change.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Submit(submit) => Some(Subject::Topology(submit.name.clone())),
            Self::Rebalance(rebalance) => Some(Subject::Topology(rebalance.name.clone())),
            Self::Activate(name)
            | Self::Deactivate(name)
            | Self::Kill { name, .. }
            | Self::FinishKill(name)
            | Self::Rollback { name, .. } => Some(Subject::Topology(name.clone())),
            Self::RegisterWorker { name, .. }
            | Self::Drain(name)
            | Self::Undrain(name)
            | Self::ForgetWorker(name)
            | Self::Quarantine { worker: name, .. } => Some(Subject::Worker(name.clone())),
            Self::CreateToken(token) => Some(Subject::Token(token.id)),
            Self::RevokeToken(id) => Some(Subject::Token(*id)),
            Self::StoreBlob { id, .. } => Some(Subject::Blob(*id)),
            Self::Assign(_)
            | Self::RecordWorkers(_)
            | Self::ReportMember { .. }
            | Self::CollectBlobs(_)
            | Self::RaiseLevel(_)
            | Self::BeginEpoch(_)
            | Self::Audit(_) => None,
        }
    }

    /// Whether the command may be about something that isn't there yet.
    const fn makes_its_subject(&self) -> bool {
        matches!(self, Self::Submit(_) | Self::RegisterWorker { .. } | Self::CreateToken(_) | Self::StoreBlob { .. })
    }
}
