//! The shell: one task that owns a host, and does what it says.

use std::sync::Arc;
use std::time::Duration;

use squall_types::cluster::RaftId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::error::StopReason;
use crate::handle::Raft;
use crate::host::{Host, Input, Keeping, Output};
use crate::machine::StateMachine;
use crate::network::{Dial, Peers, RaftService};
use crate::status::{Health, Status};
use crate::store::{Contents, Queue, StorageError, Writer, Written};

/// Raft's unit of time. Heartbeats every two, elections after eight to sixteen.
const TICK: Duration = Duration::from_millis(50);
/// Inputs that may wait for the host.
const QUEUE: usize = 8_192;
/// Inputs that share one turn, and so one fsync.
const TOGETHER: usize = 1_024;

/// What a host is started with.
pub struct Settings {
    /// What the disk holds; its identity has a cluster.
    pub contents: Contents,
    /// The disk.
    pub writer: Writer,
    /// Where the other masters reach this one.
    pub address: String,
    /// How they are reached.
    pub dial: Arc<dyn Dial>,
    /// Decides how long elections wait; random, or in a simulation of its seed.
    pub seed: u64,
    /// How the log is kept.
    pub keeping: Keeping,
    /// A bug to plant.
    #[cfg(feature = "planted")]
    pub planted: Option<crate::host::planted::Planted>,
}

/// A host that runs.
pub struct Running<R> {
    /// The host.
    pub handle: Raft<R>,
    /// What its peers call.
    pub service: RaftService<R>,
    /// Ends when the host does: after a shutdown with nothing, else with why.
    pub ended: JoinHandle<Option<Arc<StopReason>>>,
}

/// Starts a host, on its own task of the runtime that this is called in.
///
/// # Errors
/// If what the disk holds can't be trusted or applied.
pub fn start<M: StateMachine>(settings: Settings, machine: M) -> Result<Running<M::Reply>, StopReason> {
    let defect = |what: &str| StopReason::Defect { what: what.to_owned() };
    let identity = settings.contents.identity.clone().ok_or_else(|| defect("the disk has no identity"))?;
    let (id, cluster) = (identity.id, identity.cluster.ok_or_else(|| defect("the disk belongs to no cluster"))?);
    let host = Host::new(id, cluster, settings.contents, machine, settings.keeping, settings.seed)?;
    #[cfg(feature = "planted")]
    let host = host.with_planted(settings.planted);
    let (inputs, waiting) = mpsc::channel(QUEUE);
    let (answers, written) = mpsc::unbounded_channel();
    let disk = settings.writer.start(answers).map_err(|error| StopReason::Storage(StorageError::Io(error)))?;
    let (status, statuses) = watch::channel(host.status());
    let (stop, stopped) = watch::channel(false);
    let peers = Peers::new(id, cluster, settings.address, settings.dial, inputs.clone());
    let shell = Shell { host, peers, disk, waiting, written, stopped, status: status.clone() };
    let service = RaftService { me: id, cluster, inputs: inputs.clone(), status: statuses.clone() };
    let handle = Raft { inputs, status: statuses, stop };
    let running = tokio::spawn(shell.run());
    Ok(Running { handle, service, ended: tokio::spawn(watch_over(running, status)) })
}

/// Sees the host's end, and says why: Raft panics at what it can't explain.
async fn watch_over(
    running: JoinHandle<Result<(), StopReason>>,
    status: watch::Sender<Status>,
) -> Option<Arc<StopReason>> {
    let reason = match running.await {
        Ok(Ok(())) => None,
        Ok(Err(reason)) => Some(reason),
        Err(panicked) => Some(StopReason::Defect { what: words(panicked) }),
    };
    let reason = reason.map(Arc::new);
    let health = reason.clone().map_or(Health::Shutdown, Health::Stopped);
    status.send_modify(|status| status.health = health);
    reason
}

fn words(panicked: tokio::task::JoinError) -> String {
    let Ok(panic) = panicked.try_into_panic() else { return "its task was ended from outside".to_owned() };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}

struct Shell<M: StateMachine> {
    host: Host<M>,
    peers: Peers<M::Reply>,
    disk: Queue,
    waiting: mpsc::Receiver<Input<M::Reply>>,
    written: mpsc::UnboundedReceiver<Written>,
    stopped: watch::Receiver<bool>,
    status: watch::Sender<Status>,
}

impl<M: StateMachine> Shell<M> {
    async fn run(mut self) -> Result<(), StopReason> {
        let ended = self.serve().await;
        // The disk is free for the next once its thread has let go of it.
        drop(self.disk);
        while self.written.recv().await.is_some() {}
        ended
    }

    async fn serve(&mut self) -> Result<(), StopReason> {
        let mut ticks = tokio::time::interval_at(Instant::now() + TICK, TICK);
        // After a stall one tick, not many: the others' words may be waiting to be read.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.turn()?;
        loop {
            let input = tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return Ok(()),
                written = self.written.recv() => Self::durable(written)?,
                _ = ticks.tick() => Input::Tick,
                Some(input) = self.waiting.recv() => input,
            };
            self.host.step(input);
            self.step_what_waits()?;
            self.turn()?;
        }
    }

    fn durable(written: Option<Written>) -> Result<Input<M::Reply>, StopReason> {
        let gone = || StopReason::Defect { what: "the disk's thread is gone".to_owned() };
        Ok(Input::Written(written.ok_or_else(gone)?.map_err(StopReason::Storage)?))
    }

    fn step_what_waits(&mut self) -> Result<(), StopReason> {
        while let Ok(written) = self.written.try_recv() {
            self.host.step(Self::durable(Some(written))?);
        }
        for _ in 0..TOGETHER {
            let Ok(input) = self.waiting.try_recv() else { break };
            self.host.step(input);
        }
        Ok(())
    }

    /// One turn, and those that follow from what it did at once.
    fn turn(&mut self) -> Result<(), StopReason> {
        let Output { messages, batches } = self.host.turn()?;
        for (number, batch) in batches {
            self.disk.write(number, batch);
        }
        for message in messages {
            self.send(message);
        }
        let status = self.host.status();
        self.status.send_if_modified(|current| {
            let changed = differs(current, &status);
            *current = status;
            changed
        });
        Ok(())
    }

    fn send(&mut self, message: raft::eraftpb::Message) {
        let Some(to) = RaftId::new(message.to) else { return };
        let Some(address) = self.host.address(to).map(str::to_owned) else {
            self.host.step(Input::Unreachable(to));
            return;
        };
        let snapshot = message.get_msg_type() == raft::eraftpb::MessageType::MsgSnapshot;
        if self.peers.send(to, &address, message).is_err() {
            let lost = if snapshot { Input::SnapshotSent { to, stored: false } } else { Input::Unreachable(to) };
            self.host.step(lost);
        }
    }
}

/// Whether somebody may want to know.
fn differs(before: &Status, after: &Status) -> bool {
    let part =
        |status: &Status| (status.role, status.term, status.leader, status.established, status.commit, status.applied);
    part(before) != part(after) || before.members != after.members || before.progress != after.progress
}
