//! Watches over workers: takes what their streams say, asks the failure detector what follows, and tells workers what to run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use squall_control::Command;
use squall_control::detector::Prober;
use squall_proto::v1;
use squall_proto::v1::master_message::Kind;
use squall_types::cluster::{Revision, TopologyName, WorkerName};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::desired::{Told, desired};
use super::planner::{self, Done};
use super::wards::{Probe, Wards};
use super::{Attached, Link, Reported, Said, Seen, View};
use crate::core::Core;
use crate::services::link::message;

/// How workers are watched over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How often a worker beats.
    pub heartbeat: Duration,
    /// How long it may be silent.
    pub dead_after: Duration,
}

/// How often silence is looked for.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// How long decisions are gathered before workers are told of them.
const GATHER: Duration = Duration::from_millis(5);

/// A worker's stream, downwards.
struct Stream {
    number: u64,
    down: mpsc::Sender<v1::MasterMessage>,
    /// Whether it has to be told its desired state as soon as there is room.
    untold: bool,
}

/// Watches over workers while this master leads.
pub(crate) struct Watch {
    core: Arc<Core>,
    said: mpsc::Receiver<Said>,
    seen: watch::Sender<Arc<BTreeMap<WorkerName, Seen>>>,
    planned: watch::Receiver<Done>,
    records: mpsc::Sender<Command>,
    wards: Wards,
    /// Probes that this master carries out itself.
    probing: JoinSet<(u64, bool)>,
    streams: BTreeMap<WorkerName, Stream>,
    streams_ever: u64,
    told: Told,
    reported: Reported,
    concerns: BTreeMap<WorkerName, Vec<v1::Concern>>,
    /// Topologies whose slots are to be found elsewhere now, which their workers haven't been told yet.
    moved: BTreeSet<TopologyName>,
    /// The first event that workers haven't been told of.
    untold_from: Revision,
}

impl Watch {
    pub(super) fn new(
        core: Arc<Core>,
        settings: Settings,
        said: mpsc::Receiver<Said>,
        seen: watch::Sender<Arc<BTreeMap<WorkerName, Seen>>>,
        planned: watch::Receiver<Done>,
        records: mpsc::Sender<Command>,
    ) -> Self {
        let untold_from = core.read().revision().next();
        let wards = Wards::new(&core, settings);
        Self {
            core,
            said,
            seen,
            planned,
            records,
            wards,
            probing: JoinSet::new(),
            streams: BTreeMap::new(),
            streams_ever: 0,
            told: Told::default(),
            reported: Reported::default(),
            concerns: BTreeMap::new(),
            moved: BTreeSet::new(),
            untold_from,
        }
    }

    /// Watches until it is dropped.
    pub(crate) async fn run(mut self) {
        const AT_ONCE: usize = 256;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut applied = self.core.shared.applied();
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tick(),
                Ok(()) = applied.changed() => {
                    tokio::time::sleep(GATHER).await;
                    applied.mark_unchanged();
                    self.tell_touched();
                }
                Some(probed) = self.probing.join_next() => {
                    // A probe that panicked is no answer.
                    if let Ok((id, answered)) = probed {
                        self.wards.probed(Instant::now(), id, answered);
                    }
                }
                count = self.said.recv_many(&mut batch, AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    let now = Instant::now();
                    batch.drain(..).for_each(|said| self.take(now, said));
                }
            }
            self.tell_moved();
            self.record();
            if self.wards.take_changed() {
                self.publish();
            }
        }
    }

    fn take(&mut self, now: Instant, said: Said) {
        match said {
            Said::Attached(attached, answer) => {
                let link = self.attach(now, attached);
                // Who asked may be gone; then its stream is closed, which the next tick sees.
                let _ = answer.send(link);
            }
            Said::Beat { link, reports, concerns, witnessed } if self.is_current(&link) => {
                self.concerns.insert(link.worker.clone(), concerns);
                self.moved.extend(self.reported.take(&link.worker, &reports));
                self.wards.beat(now, &link.worker, &reports);
                self.wards.witnessed(now, &link.worker, witnessed);
            }
            Said::Probed { id, answered } => self.wards.probed(now, id, answered),
            Said::Goodbye(link) if self.is_current(&link) => self.wards.left(now, &link.worker),
            Said::Closed(link) if self.is_current(&link) => self.close(now, &link.worker),
            Said::Beat { .. } | Said::Goodbye(_) | Said::Closed(_) => {}
            Said::View(answer) => {
                let _ = answer.send(self.view());
            }
        }
    }

    fn attach(&mut self, now: Instant, attached: Attached) -> Link {
        self.streams_ever += 1;
        let Attached { worker, incarnation, reports, witnessed, down } = attached;
        let stream = Stream { number: self.streams_ever, down, untold: true };
        self.streams.insert(worker.clone(), stream);
        self.moved.extend(self.reported.take(&worker, &reports));
        self.wards.attached(now, &worker, incarnation, &reports);
        self.wards.witnessed(now, &worker, witnessed);
        self.tell(&worker);
        Link { worker, number: self.streams_ever }
    }

    fn is_current(&self, link: &Link) -> bool {
        self.streams.get(&link.worker).is_some_and(|stream| stream.number == link.number)
    }

    fn close(&mut self, now: Instant, worker: &WorkerName) {
        self.streams.remove(worker);
        self.told.forget(worker);
        self.concerns.remove(worker);
        self.wards.closed(now, worker);
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let gone: Vec<_> =
            self.streams.iter().filter(|(_, it)| it.down.is_closed()).map(|(name, _)| name.clone()).collect();
        gone.iter().for_each(|worker| self.close(now, worker));
        self.wards.tick(now, &self.core);
        self.wards.take_forgotten().iter().for_each(|worker| self.reported.forget(worker));
        self.wards.carry_out(&self.core, &self.reported);
        self.wards.take_probes().into_iter().for_each(|probe| self.probe(probe));
        let late: Vec<_> = self.streams.iter().filter(|(_, it)| it.untold).map(|(name, _)| name.clone()).collect();
        late.iter().for_each(|worker| self.tell(worker));
    }

    /// Has something probed, by this master or by a worker.
    fn probe(&mut self, probe: Probe) {
        let Probe { id, by, address, within } = probe;
        match by {
            Prober::Leader => {
                let prober = self.core.prober.clone();
                self.probing.spawn(async move { (id, prober.answers(&address, within).await) });
            }
            Prober::Worker(worker) => {
                let timeout_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                if let Some(stream) = self.streams.get(&worker) {
                    // A worker that takes no probe gives no answer: no witness of anything.
                    let _ = stream.down.try_send(message(Kind::Probe(v1::Probe { id, address, timeout_ms })));
                }
            }
        }
    }

    /// Tells those workers what to run for whom it may have changed.
    fn tell_touched(&mut self) {
        let touched: BTreeSet<_> = {
            let state = self.core.read();
            let touched = match state.events_since(self.untold_from) {
                Ok(events) => self.told.touched(&state, events),
                Err(_) => self.streams.keys().cloned().collect(),
            };
            self.untold_from = state.revision().next();
            touched
        };
        touched.iter().for_each(|worker| self.tell(worker));
    }

    /// Tells those workers whose slots send to others that are elsewhere now.
    fn tell_moved(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        let workers: BTreeSet<_> = moved.iter().flat_map(|topology| self.told.of(topology)).cloned().collect();
        workers.iter().for_each(|worker| self.tell(worker));
    }

    fn tell(&mut self, worker: &WorkerName) {
        let Some(stream) = self.streams.get_mut(worker) else { return };
        let desired = desired(&self.core.read(), &self.reported, worker);
        self.told.tell(worker, &desired);
        stream.untold = stream.down.try_send(message(Kind::Desired(desired))).is_err();
    }

    /// Has put on record what became of workers. What there is no room for is left out: it is for people to read, and decides nothing.
    fn record(&mut self) {
        self.wards.carry_out(&self.core, &self.reported);
        for command in self.wards.commands() {
            if self.records.try_send(command).is_err() {
                tracing::warn!("too much becomes of workers at once to put all on record");
            }
        }
    }

    fn publish(&self) {
        let seen = self.wards.seen(Instant::now());
        self.seen.send_replace(Arc::new(seen));
    }

    fn view(&self) -> View {
        let now = self.core.own_time();
        let state = self.core.read();
        let mut workers = self.wards.seen(Instant::now());
        for (name, seen) in &mut workers {
            if let Some(worker) = state.worker(name) {
                seen.standing = planner::standing(worker, Some(seen), now);
            }
        }
        let (reported, concerns) = (self.reported.clone(), self.concerns.clone());
        let Done { broken, stuck, .. } = self.planned.borrow().clone();
        View { workers, reported, concerns, broken, stuck }
    }
}
