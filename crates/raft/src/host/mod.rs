//! The host's decisions: everything that happens to Raft, its log and the state machine, without a clock, a disk or a network.
//!
//! Inputs come one by one ([`Host::step`]); a [`turn`](Host::turn) then takes out what Raft has ready: many inputs, one batch for the disk.

pub(crate) mod change;
#[cfg(test)]
mod fuzz;
#[cfg(any(test, feature = "planted"))]
pub(crate) mod planted;
mod propose;
mod read;
mod ready;
#[cfg(test)]
mod sim;
mod snapshot;
mod transfer;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use raft::eraftpb::{Message, MessageType};
use raft::{RawNode, StateRole};
use squall_types::cluster::{ClusterId, RaftId, Revision, Term};
use tokio::sync::oneshot;

use self::change::Changing;
use self::propose::Proposals;
use self::read::Reads;
use self::ready::InFlight;
use self::transfer::Transferring;
use crate::error::{ChangeError, ProposeError, ReadError, StopReason, TransferError};
use crate::handle::Terms;
use crate::log::Log;
use crate::logger::logger;
use crate::machine::{Applied, StateMachine};
use crate::members::{Member, Members, Standing};
use crate::status::{Health, Progress, Role, Status};
use crate::store::{self, Batch, Contents, StorageError};

/// The shortest election timeout in ticks; the longest is twice that.
const ELECTION_TICKS: u64 = 8;
const HEARTBEAT_TICKS: usize = 2;
/// A member counts as alive for so many ticks after its last message.
const ALIVE_TICKS: u64 = 16;

/// How the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// A snapshot is taken after so many entries.
    pub snapshot_every: u64,
    /// So many entries before it are kept for followers that are a little behind.
    pub tail: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { snapshot_every: 10_000, tail: 5_000 }
    }
}

/// Where an answer goes. Whoever has given up waiting misses nothing.
pub(crate) type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// Answers who asked. Nobody may be waiting any more.
fn tell<T>(who: oneshot::Sender<T>, what: T) {
    let _ = who.send(what);
}

/// What is asked of the members' list.
#[derive(Debug)]
pub(crate) enum Change {
    AddLearner(Member),
    Promote(RaftId),
    Remove(RaftId),
}

/// What happens to a host.
pub(crate) enum Input<R> {
    Tick,
    Peer {
        message: Message,
        stored: Option<oneshot::Sender<bool>>,
    },
    Address {
        id: RaftId,
        address: String,
    },
    Propose {
        command: Bytes,
        answer: Answer<Applied<R>, ProposeError>,
    },
    Read {
        answer: Answer<Revision, ReadError>,
    },
    Change {
        change: Change,
        terms: Terms,
        answer: Answer<Revision, ChangeError>,
    },
    Transfer {
        to: Option<RaftId>,
        answer: Answer<RaftId, TransferError>,
    },
    Unreachable(RaftId),
    SnapshotSent {
        to: RaftId,
        stored: bool,
    },
    /// Another member says that this one is none any more.
    Removed,
    Written(u64),
}

/// What is to be done after a turn, in this order.
#[derive(Default)]
pub(crate) struct Output {
    pub messages: Vec<Message>,
    pub batches: Vec<(u64, Batch)>,
}

pub(crate) struct Host<M: StateMachine> {
    id: RaftId,
    cluster: ClusterId,
    raw: RawNode<Log>,
    machine: M,
    members: Arc<Members>,
    /// Addresses of members that this master doesn't know as such yet.
    heard_from: BTreeMap<RaftId, String>,
    keeping: Keeping,
    seed: u64,
    ticks: u64,
    last_heard: BTreeMap<u64, u64>,
    applied: u64,
    /// In which term, and by which entry.
    established: Option<(u64, u64)>,
    removed: bool,
    /// The last write handed to the disk.
    write: u64,
    in_flight: VecDeque<InFlight>,
    /// Whether term, vote or commit changed since they were last handed to the disk.
    hard_is_dirty: bool,
    proposals: Proposals<M::Reply>,
    reads: Reads,
    changing: Option<Changing>,
    transferring: Option<Transferring>,
    out: Output,
    #[cfg(any(test, feature = "planted"))]
    planted: Option<planted::Planted>,
}

impl<M: StateMachine> Host<M> {
    /// Raft on what a disk held. `seed` decides how long elections wait; it should differ from master to master.
    pub(crate) fn new(
        id: RaftId,
        cluster: ClusterId,
        contents: Contents,
        mut machine: M,
        keeping: Keeping,
        seed: u64,
    ) -> Result<Self, StopReason> {
        let Some(log) = contents.log else {
            return Self::with(id, cluster, Log::empty(contents.hard), machine, Arc::default(), keeping, seed);
        };
        log.validate().map_err(StopReason::Storage)?;
        let image = store::decode_image(&log.snapshot.image).map_err(StopReason::Storage)?;
        let index = Revision::new(log.snapshot.index);
        machine.restore(index, &image.state).map_err(StopReason::Machine)?;
        machine.members_changed(index, &image.members);
        let damaged = || StopReason::Storage(StorageError::Damaged { what: "the log", flaw: store::Flaw::Content });
        let log = Log::restored(log).map_err(|_| damaged())?;
        Self::with(id, cluster, log, machine, Arc::new(image.members), keeping, seed)
    }

    fn with(
        id: RaftId,
        cluster: ClusterId,
        log: Log,
        machine: M,
        members: Arc<Members>,
        keeping: Keeping,
        seed: u64,
    ) -> Result<Self, StopReason> {
        let applied = log.snapshot_index();
        let raw = RawNode::new(&config(id, applied), log, &logger())
            .map_err(|error| StopReason::Defect { what: error.to_string() })?;
        let mut host = Self {
            id,
            cluster,
            raw,
            machine,
            removed: members.was_removed(id),
            members,
            heard_from: BTreeMap::new(),
            keeping,
            seed,
            ticks: 0,
            last_heard: BTreeMap::new(),
            applied,
            established: None,
            write: 0,
            in_flight: VecDeque::new(),
            hard_is_dirty: false,
            proposals: Proposals::default(),
            reads: Reads::default(),
            changing: None,
            transferring: None,
            out: Output::default(),
            #[cfg(any(test, feature = "planted"))]
            planted: None,
        };
        host.draw_election_timeout();
        if host.members.voters().map(|member| member.id).eq([id]) {
            // Nobody else could object, so there is nothing to wait for.
            host.campaign();
        }
        Ok(host)
    }

    fn campaign(&mut self) {
        if let Err(error) = self.raw.campaign() {
            tracing::warn!(%error, "can't stand for election yet");
        }
    }

    /// Takes in what happened.
    pub(crate) fn step(&mut self, input: Input<M::Reply>) {
        match input {
            Input::Tick => self.tick(),
            Input::Peer { message, stored } => self.receive(message, stored),
            Input::Address { id, address } => drop(self.heard_from.insert(id, address)),
            Input::Propose { command, answer } => self.propose(command, answer),
            Input::Read { answer } => self.reads.ask(answer),
            Input::Change { change, terms, answer } => self.change(change, terms, answer),
            Input::Transfer { to, answer } => self.transfer(to, answer),
            Input::Unreachable(id) => self.raw.report_unreachable(id.get()),
            Input::SnapshotSent { to, stored } => self.snapshot_sent(to, stored),
            Input::Removed => self.leave(),
            Input::Written(number) => self.written(number),
        }
        self.draw_election_timeout();
    }

    fn tick(&mut self) {
        self.ticks += 1;
        // A master that is none any more would only disturb the others.
        if !self.removed && !self.must_not_stand() {
            self.raw.tick();
        }
        self.tick_reads();
        self.tick_transfer();
    }

    /// Whether Raft would panic if it began an election now: while a leader's snapshot is on its way to the disk it looks for entries that
    /// are gone, and the only voter wins at once, which it may only with all of its log on disk.
    fn must_not_stand(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        let alone = self.raw.raft.prs().is_singleton();
        !self.is_leader() && (log.applied + 1 < log.first_index() || alone && !self.in_flight.is_empty())
    }

    fn receive(&mut self, message: Message, stored: Option<oneshot::Sender<bool>>) {
        self.last_heard.insert(message.from, self.ticks);
        let snapshot =
            (message.get_msg_type() == MessageType::MsgSnapshot).then(|| message.get_snapshot().get_metadata().index);
        if self.refuses(&message) {
            return;
        }
        match self.raw.step(message) {
            // A message of a member that has just been removed, or of a leader that this master doesn't know yet.
            Ok(()) | Err(raft::Error::StepPeerNotFound) => {}
            Err(error) => tracing::debug!(%error, "Raft refused a message"),
        }
        if let Some((index, stored)) = snapshot.zip(stored) {
            self.await_snapshot(index, stored);
        }
    }

    /// What would make Raft panic: it takes what a member says about this log for true.
    fn refuses(&self, message: &Message) -> bool {
        match message.get_msg_type() {
            MessageType::MsgTimeoutNow if self.must_not_stand() => return true,
            // Only its own master asks a leader to hand over.
            MessageType::MsgTransferLeader => return true,
            MessageType::MsgSnapshot => {
                let snapshot = message.get_snapshot();
                let conf = crate::wire::conf_from_raft(snapshot.get_metadata().get_conf_state());
                return store::decode_image(&snapshot.data).is_err() || !conf.fits();
            }
            _ => {}
        }
        let last = self.raw.raft.raft_log.last_index();
        let too_far = match message.get_msg_type() {
            MessageType::MsgHeartbeat => message.commit > last && message.term >= self.raw.raft.term,
            MessageType::MsgAppend => {
                let log = &self.raw.raft.raft_log;
                let committed = message.entries.iter().filter(|entry| entry.index <= log.committed);
                committed.into_iter().any(|entry| log.term(entry.index).is_ok_and(|term| term != entry.term))
            }
            MessageType::MsgAppendResponse if self.raw.raft.state == StateRole::Leader => {
                message.index > last && !message.reject
            }
            _ => false,
        };
        if too_far {
            tracing::warn!(
                from = format!("{:016x}", message.from),
                "a member speaks of entries that this log never had"
            );
        }
        too_far
    }

    /// Raft draws from the thread's randomness; what counts here is a function of the seed and of when this election's wait began.
    fn draw_election_timeout(&mut self) {
        let began = self.ticks.wrapping_sub(self.raw.raft.election_elapsed as u64);
        let drawn = mix(self.seed ^ mix(began ^ self.raw.raft.term.rotate_left(32))) % ELECTION_TICKS;
        // Not before the others have stopped to trust the old leader too: they would not answer.
        let timeout = usize::try_from(ELECTION_TICKS + 1 + drawn).expect("a small number");
        self.raw.raft.set_randomized_election_timeout(timeout);
    }

    /// Takes out what Raft has ready: applies what is committed, answers who waits, and says what to send and to write.
    pub(crate) fn turn(&mut self) -> Result<Output, StopReason> {
        #[cfg(any(test, feature = "planted"))]
        self.count_learners();
        self.issue_reads();
        while self.raw.has_ready() {
            self.take_ready()?;
        }
        self.serve_reads();
        self.settle_transfer();
        self.snapshot_if_due();
        Ok(std::mem::take(&mut self.out))
    }

    fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// Where its own term's first entry stands, if it leads in that term and has applied it.
    fn established(&self) -> Option<Revision> {
        let (term, index) = self.established?;
        (self.is_leader() && term == self.raw.raft.term).then(|| Revision::new(index))
    }

    /// Ends its part in the cluster: a member no more, it neither leads nor asks for votes.
    fn leave(&mut self) {
        self.removed = true;
        if self.is_leader() {
            let term = self.raw.raft.term;
            self.raw.raft.become_follower(term, raft::INVALID_ID);
        }
    }

    fn leader(&self) -> Option<RaftId> {
        RaftId::new(self.raw.raft.leader_id)
    }

    fn is_alive(&self, id: RaftId) -> bool {
        let heard = self.last_heard.get(&id.get());
        id == self.id || heard.is_some_and(|at| self.ticks - at <= ALIVE_TICKS)
    }

    fn matched(&self, id: RaftId) -> u64 {
        self.raw.raft.prs().get(id.get()).map_or(0, |progress| progress.matched)
    }

    fn role(&self) -> Role {
        match self.raw.raft.state {
            _ if self.removed => Role::Removed,
            StateRole::Leader => Role::Leader,
            StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
            StateRole::Follower => match self.members.get(self.id) {
                Some((_, Standing::Voter)) => Role::Follower,
                _ => Role::Learner,
            },
        }
    }

    /// Where a member is reached, as far as it is known.
    pub(crate) fn address(&self, id: RaftId) -> Option<&str> {
        let member = self.members.get(id).map(|(member, _)| member.address.as_str());
        member.or_else(|| self.heard_from.get(&id).map(String::as_str))
    }

    pub(crate) fn status(&self) -> Status {
        Status {
            id: self.id,
            cluster: self.cluster,
            role: self.role(),
            term: Term::new(self.raw.raft.term),
            leader: self.leader(),
            established: self.established(),
            commit: Revision::new(self.raw.raft.raft_log.committed),
            applied: Revision::new(self.applied),
            last: Revision::new(self.raw.raft.raft_log.last_index()),
            members: self.members.clone(),
            progress: self.progress(),
            health: Health::Running,
        }
    }

    fn progress(&self) -> Arc<[Progress]> {
        if !self.is_leader() {
            return Arc::default();
        }
        let others = self.raw.raft.prs().iter().filter_map(|(id, progress)| {
            let id = RaftId::new(*id).filter(|id| *id != self.id)?;
            let snapshot = progress.state == raft::ProgressState::Snapshot;
            Some(Progress { id, matched: Revision::new(progress.matched), recent_active: self.is_alive(id), snapshot })
        });
        let mut progress: Vec<_> = others.collect();
        progress.sort_by_key(|it| it.id);
        progress.into()
    }
}

fn config(id: RaftId, applied: u64) -> raft::Config {
    let ticks = usize::try_from(ELECTION_TICKS).expect("a small number");
    raft::Config {
        id: id.get(),
        applied,
        election_tick: ticks,
        min_election_tick: ticks,
        max_election_tick: 2 * ticks + 1,
        heartbeat_tick: HEARTBEAT_TICKS,
        max_size_per_msg: 1 << 20,
        max_inflight_msgs: 256,
        check_quorum: true,
        pre_vote: true,
        max_uncommitted_size: 64 << 20,
        max_committed_size_per_ready: 16 << 20,
        ..raft::Config::default()
    }
}

/// splitmix64's finaliser (Steele, Lea, Flood 2014).
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
