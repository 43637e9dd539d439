//! The loop that speaks with the daemon and watches the topology.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use squall_proto::internal::from_slot::Kind as Up;
use squall_proto::internal::to_slot::Kind as Down;
use squall_proto::{internal, slot};
use squall_types::cluster::Placement;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::logs::Logs;
use super::orders::Orders;
use super::port::Port;
use super::service::Attached;
use super::{Build, Ended, HostError};
use crate::{Applied, Books, Membership, Options, Slot, StartError};

/// How often the daemon hears from the slot.
const BEAT: Duration = Duration::from_millis(500);
/// How long a process waits for its first orders.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// How long what is in flight may take when the process is asked to end by a signal.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

type Work<T> = Pin<Box<dyn Future<Output = T>>>;

/// What the process does.
enum Life {
    /// It waits to be told what to run.
    Waiting { since: Instant },
    /// Components are prepared.
    Starting { work: Work<Result<Slot, StartError>>, placement: Placement },
    /// The topology runs, and takes a newer placement.
    Applying { work: Work<(Box<Slot>, Result<Applied, StartError>)>, spouts: Spouts, placement: Placement },
    /// The topology runs. Its spouts here are watched, if there are any, until they are done.
    Running { slot: Box<Slot>, spouts: Spouts, placement: Placement },
    /// What is in flight finishes.
    Stopping(Work<Books>),
}

/// What is known of the spouts in this slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spouts {
    /// There are none.
    Elsewhere,
    /// They emit.
    Emit,
    /// They are done, and what they emitted is too.
    Done,
}

/// All that the process's first thread sees to.
pub(super) struct Control<'a> {
    build: &'a Build<'a>,
    attached: mpsc::Receiver<Attached>,
    daemon: Option<Attached>,
    /// Whether the daemon that is attached has said hello.
    greeted: bool,
    orders: Option<Orders>,
    address: String,
    port: Option<Port>,
    life: Life,
    /// Asked to end before it had started.
    stop: Option<Duration>,
    logs: Logs,
    beats: Interval,
    terminate: Signal,
    /// Both are for people at terminals, of which a slot has none.
    ignored: [Signal; 2],
}

/// What happened.
enum Event {
    Attached(Attached),
    Said(Option<Down>),
    Started(Result<Box<Slot>, StartError>),
    Applied(Box<Slot>, Result<Applied, StartError>),
    Finished,
    Stopped(Books),
    Signal,
    Beat,
}

impl<'a> Control<'a> {
    pub(super) fn new(folder: &Path, build: &'a Build<'a>, attached: mpsc::Receiver<Attached>) -> io::Result<Self> {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            build,
            attached,
            daemon: None,
            greeted: false,
            orders: None,
            address: String::new(),
            port: None,
            life: Life::Waiting { since: Instant::now() },
            stop: None,
            logs: Logs::of(folder),
            beats,
            terminate: signal(SignalKind::terminate())?,
            ignored: [signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?],
        })
    }

    pub(super) async fn run(mut self) -> Result<Ended, HostError> {
        loop {
            let event = self.next().await;
            match self.take(event).await {
                Ok(None) => {}
                Ok(Some(ended)) => return Ok(ended),
                Err(error) => {
                    self.beat(internal::Phase::Failed, &error.line());
                    self.last_words().await;
                    return Err(error);
                }
            }
        }
    }

    async fn next(&mut self) -> Event {
        let [hangup, interrupt] = &mut self.ignored;
        let said = OptionFuture::from(self.daemon.as_mut().map(|daemon| daemon.down.message()));
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Event::Signal,
            Some(attached) = self.attached.recv() => Event::Attached(attached),
            event = at_work(&mut self.life) => event,
            Some(said) = said => Event::Said(said.ok().flatten().and_then(|message| message.kind)),
            _ = self.beats.tick() => Event::Beat,
            _ = hangup.recv() => Event::Beat,
            _ = interrupt.recv() => Event::Beat,
        }
    }

    async fn take(&mut self, event: Event) -> Result<Option<Ended>, HostError> {
        match event {
            Event::Attached(attached) => {
                self.daemon = Some(attached);
                self.greeted = false;
            }
            Event::Said(Some(Down::Hello(_))) => self.greet(),
            Event::Said(Some(Down::Orders(orders))) => self.obey(orders).await?,
            Event::Said(Some(Down::Stop(stop))) => return Ok(self.stop(Duration::from_millis(stop.drain_ms))),
            // It is gone, or speaks of what this build doesn't know: it will be back, or say the rest again.
            Event::Said(None) => self.daemon = None,
            Event::Started(started) => return self.started(started?),
            Event::Applied(slot, applied) => return self.applied(slot, applied?),
            Event::Finished => {
                tracing::info!("all spouts are done");
                if let Life::Running { spouts, .. } = &mut self.life {
                    *spouts = Spouts::Done;
                }
            }
            Event::Stopped(books) => {
                self.last_words().await;
                return Ok(Some(if books.hung.is_empty() { Ended::Whole } else { Ended::Hung }));
            }
            Event::Signal => return Ok(self.stop(DRAIN)),
            Event::Beat => {
                self.logs.look();
                if matches!(self.life, Life::Waiting { since } if since.elapsed() > FORGOTTEN) {
                    return Err(HostError::Forgotten);
                }
            }
        }
        self.tell();
        Ok(None)
    }

    fn greet(&mut self) {
        self.greeted = true;
        let identity = self.orders.as_ref().map(|orders| orders.identity.clone());
        self.say(Up::Hello(internal::SlotHello { level: slot::LEVEL, pid: std::process::id(), identity }));
    }

    /// The first orders begin the topology; later ones change what may change while it runs.
    async fn obey(&mut self, orders: internal::Orders) -> Result<(), HostError> {
        let orders = Orders::try_from(orders).map_err(HostError::Misfit)?;
        (self.logs.bytes, self.logs.files) = (orders.log_bytes, orders.log_files);
        if matches!(self.life, Life::Waiting { .. }) {
            self.begin(&orders).await?;
        }
        self.orders = Some(orders);
        self.follow();
        Ok(())
    }

    /// Brings a running topology to what the latest orders say.
    fn follow(&mut self) {
        let Some(orders) = &self.orders else { return };
        match std::mem::replace(&mut self.life, Life::Waiting { since: Instant::now() }) {
            Life::Running { slot, spouts, placement } => {
                set_active(&slot, orders.active);
                self.life = if placement == orders.placement {
                    Life::Running { slot, spouts, placement }
                } else {
                    apply(slot, spouts, orders.placement.clone())
                };
            }
            life => self.life = life,
        }
    }

    fn applied(&mut self, slot: Box<Slot>, applied: Applied) -> Result<Option<Ended>, HostError> {
        if let Life::Applying { placement, spouts, .. } = &self.life {
            let (placement, spouts) = (placement.clone(), *spouts);
            // New executors may be spouts.
            let spouts = match spouts {
                Spouts::Done => Spouts::Done,
                Spouts::Emit | Spouts::Elsewhere if has_spouts(&slot) => Spouts::Emit,
                Spouts::Emit | Spouts::Elsewhere => Spouts::Elsewhere,
            };
            self.life = Life::Running { slot, spouts, placement };
        }
        if applied == Applied::StartAnew {
            tracing::info!("executors have moved off this slot: it ends, and is started with those that it keeps");
            return Ok(self.stop(Duration::ZERO));
        }
        match self.stop.take() {
            Some(drain) => return Ok(self.stop(drain)),
            None => self.follow(),
        }
        self.tell();
        Ok(None)
    }

    async fn begin(&mut self, orders: &Orders) -> Result<(), HostError> {
        let program = (self.build)(orders.topology.clone()).map_err(HostError::Misfit)?;
        let port = Port::open(&orders.listen).await.map_err(HostError::Port)?;
        self.address = format!("{}:{}", orders.advertised_host, port.number());
        tracing::info!(topology = %orders.name, slot = %orders.own, life = %orders.incarnation, "starting");
        let membership = Membership {
            cluster: orders.cluster,
            topology: orders.name.clone(),
            own: orders.own.clone(),
            incarnation: orders.incarnation,
            placement: orders.placement.clone(),
            transport: Arc::new(port.transport()),
        };
        self.port = Some(port);
        let work = async move { Slot::join(&program, &Options::default(), membership).await };
        self.life = Life::Starting { work: Box::pin(work), placement: orders.placement.clone() };
        Ok(())
    }

    fn started(&mut self, slot: Box<Slot>) -> Result<Option<Ended>, HostError> {
        tracing::info!("running");
        if let (Some(port), Some(acceptor)) = (&self.port, slot.acceptor()) {
            port.let_in(acceptor);
        }
        let spouts = if has_spouts(&slot) { Spouts::Emit } else { Spouts::Elsewhere };
        if let Life::Starting { placement, .. } = &self.life {
            self.life = Life::Running { slot, spouts, placement: placement.clone() };
        }
        match self.stop.take() {
            Some(drain) => Ok(self.stop(drain)),
            None => {
                // What was learnt of others while components were prepared.
                self.follow();
                self.tell();
                Ok(None)
            }
        }
    }

    /// Ends the topology. None: that takes a while.
    fn stop(&mut self, drain: Duration) -> Option<Ended> {
        match std::mem::replace(&mut self.life, Life::Waiting { since: Instant::now() }) {
            Life::Waiting { .. } => return Some(Ended::Whole),
            Life::Running { slot, .. } => {
                tracing::info!(?drain, "stopping");
                self.life = Life::Stopping(Box::pin(slot.drain(drain)));
            }
            busy @ (Life::Starting { .. } | Life::Applying { .. }) => {
                self.life = busy;
                self.stop = Some(drain);
            }
            stopping @ Life::Stopping(_) => self.life = stopping,
        }
        self.tell();
        None
    }

    fn tell(&mut self) {
        let phase = match &self.life {
            Life::Waiting { .. } => return,
            Life::Starting { .. } => internal::Phase::Starting,
            Life::Running { spouts: Spouts::Done, .. } => internal::Phase::Finished,
            Life::Running { .. } | Life::Applying { .. } => internal::Phase::Running,
            Life::Stopping(_) => internal::Phase::Stopping,
        };
        let text = if phase == internal::Phase::Finished { "all its spouts are done" } else { "" };
        self.beat(phase, text);
    }

    fn beat(&mut self, phase: internal::Phase, text: &str) {
        let assignment_version = self.orders.as_ref().map_or(0, |orders| orders.placement.version.get());
        self.say(Up::Beat(internal::Beat {
            phase: phase.into(),
            address: self.address.clone(),
            assignment_version,
            text: text.to_owned(),
        }));
    }

    /// A daemon that takes nothing is as good as gone; nobody waits for it.
    fn say(&mut self, kind: Up) {
        if let Some(daemon) = self.daemon.as_ref().filter(|_| self.greeted) {
            let _ = daemon.up.try_send(internal::FromSlot { kind: Some(kind) });
        }
    }

    /// Lets what was said last arrive.
    async fn last_words(&mut self) {
        if let Some(Attached { up, mut down }) = self.daemon.take() {
            drop(up);
            // The daemon closes its side once it has read ours to the end.
            let _ = tokio::time::timeout(LAST_WORDS, async { while let Ok(Some(_)) = down.message().await {} }).await;
        }
    }
}

/// Waits for what the topology comes to next.
async fn at_work(life: &mut Life) -> Event {
    match life {
        Life::Starting { work, .. } => Event::Started(work.await.map(Box::new)),
        Life::Applying { work, .. } => {
            let (slot, applied) = work.await;
            Event::Applied(slot, applied)
        }
        Life::Running { slot, spouts: Spouts::Emit, .. } => {
            slot.ended().await;
            Event::Finished
        }
        Life::Stopping(work) => Event::Stopped(work.await),
        Life::Waiting { .. } | Life::Running { .. } => std::future::pending().await,
    }
}

/// Components of executors that come may take their time to be prepared; the daemon hears the slot meanwhile.
fn apply(mut slot: Box<Slot>, spouts: Spouts, placement: Placement) -> Life {
    let wanted = placement.clone();
    let work = async move {
        let applied = slot.apply(wanted).await;
        (slot, applied)
    };
    Life::Applying { work: Box::pin(work), spouts, placement }
}

fn has_spouts(slot: &Slot) -> bool {
    slot.metrics().components.iter().any(|component| component.is_spout && !component.tasks.is_empty())
}

fn set_active(slot: &Slot, active: bool) {
    if active { slot.activate() } else { slot.deactivate() }
}
