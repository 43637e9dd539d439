//! Sees to one process of a slot from its start, or from when it is found, to its end.

use std::path::PathBuf;
use std::time::Duration;

use squall_proto::internal::{self, FromSlot, ToSlot, from_slot, to_slot};
use squall_types::cluster::SlotIncarnation;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::attach::{Attached, NotAttached, attach, attach_soon};
use super::process::{self, Adopted, Process, Start};
use crate::core::{Event, Exit, Identity, NotStarted};
use crate::wire;

/// How long what a process said last may take to be read once it has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long a process that was found may take to be gone once it is killed, or to listen if it was just started.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where a slot's process lives, and who is told of it.
#[derive(Clone)]
pub(crate) struct Place {
    pub number: u16,
    pub folder: PathBuf,
    pub environment: Vec<(String, String)>,
    pub events: mpsc::Sender<Event>,
}

/// What a process is told.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wish {
    orders: Option<internal::Orders>,
    /// It is to end; what is in flight has so long.
    stop: Option<Duration>,
    /// How often it was to be killed.
    kills: u32,
}

/// The way to a slot's process.
pub(crate) struct Handle(watch::Sender<Wish>);

impl Handle {
    /// What it has to run.
    pub(crate) fn order(&self, orders: internal::Orders) {
        self.0.send_modify(|wish| wish.orders = Some(orders));
    }

    /// Asks it to end.
    pub(crate) fn stop(&self, drain: Duration) {
        self.0.send_modify(|wish| wish.stop = Some(drain));
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        self.0.send_modify(|wish| wish.kills += 1);
    }
}

/// Starts a process in a slot and sees to it.
pub(crate) fn start(
    place: Place,
    incarnation: SlotIncarnation,
    program: PathBuf,
) -> (Handle, impl Future<Output = ()>) {
    let (wish, wishes) = watch::channel(Wish::default());
    let work = async move {
        let Place { number, folder, environment, events } = place.clone();
        let stderr = std::fs::metadata(folder.join(squall_proto::slot::STDERR)).map_or(0, |it| it.len());
        let start = Start { program, folder, environment };
        let started = Process::start(&start);
        let result = match &started {
            Ok(process) => Ok(process.pid()),
            Err(error) => Err(NotStarted::System(format!("no process can be started: {error}"))),
        };
        tell(&events, Event::Started { number, incarnation, result }).await;
        if let Ok(process) = started {
            Tending { place, incarnation, process, attached: None, wishes, sent: Wish::default(), stderr }.run().await;
        }
    };
    (Handle(wish), work)
}

/// Looks for a process that an earlier daemon has started, and sees to it if there is one.
pub(crate) fn adopt(place: Place) -> (Handle, impl Future<Output = ()>) {
    let (wish, wishes) = watch::channel(Wish::default());
    let work = async move {
        let found = find(&place).await;
        let who = found.as_ref().map(|(_, pid, identity)| (*pid, identity.clone()));
        tell(&place.events, Event::Found { number: place.number, found: who }).await;
        if let Some((attached, pid, identity)) = found {
            let (process, sent) = (Process::Adopted(Adopted::new(pid)), Wish::default());
            let incarnation = identity.incarnation;
            let stderr = std::fs::metadata(place.folder.join(squall_proto::slot::STDERR)).map_or(0, |it| it.len());
            Tending { place, incarnation, process, attached: Some(attached), wishes, sent, stderr }.run().await;
        }
    };
    (Handle(wish), work)
}

/// The process of a folder, if one lives there that says who it is. One that doesn't is nobody's, and is ended.
async fn find(place: &Place) -> Option<(Attached, u32, Identity)> {
    let until = Instant::now() + PATIENCE;
    loop {
        match attach(&place.folder).await {
            Ok((attached, pid)) => {
                let identity = attached.hello.identity.as_ref().and_then(|it| wire::identity(it).ok());
                match identity {
                    Some(identity) => return Some((attached, pid, identity)),
                    None => return end(place, pid).await,
                }
            }
            Err(NotAttached::Silent { pid }) => return end(place, pid).await,
            Err(NotAttached::Nobody(_)) if !process::is_taken(&place.folder) => return None,
            // It was just started, or has lost its socket.
            Err(NotAttached::Nobody(_)) if Instant::now() < until => tokio::time::sleep(PATIENCE / 100).await,
            Err(NotAttached::Nobody(_)) => match process::holder(&place.folder) {
                Some(pid) => return end(place, pid).await,
                None => tokio::time::sleep(PATIENCE / 10).await,
            },
        }
    }
}

/// Ends a process that nobody can speak with. Returns once it is gone.
async fn end(place: &Place, pid: u32) -> Option<(Attached, u32, Identity)> {
    tracing::warn!(pid, "a process in slot {} doesn't say what it is, and is ended", place.number);
    let mut process = Process::Adopted(Adopted::new(pid));
    loop {
        process.kill();
        if tokio::time::timeout(PATIENCE, process.ended()).await.is_ok() {
            return None;
        }
    }
}

async fn tell(events: &mpsc::Sender<Event>, event: Event) {
    // A daemon that has ended needs not be told: the next one finds the process.
    let _ = events.send(event).await;
}

struct Tending {
    place: Place,
    incarnation: SlotIncarnation,
    process: Process,
    attached: Option<Attached>,
    wishes: watch::Receiver<Wish>,
    /// What the process was told over the stream that there is.
    sent: Wish,
    /// Where in its file of stderr it began.
    stderr: u64,
}

enum Happened {
    Ended(String),
    Wished,
    /// Nobody will wish anything any more: the daemon ends.
    Alone,
    Attached(Box<Attached>),
    Said(Option<FromSlot>),
}

impl Tending {
    async fn run(mut self) {
        loop {
            match self.next().await {
                Happened::Ended(how) => return self.ended(how).await,
                Happened::Wished => self.carry_out(),
                Happened::Alone => return,
                Happened::Attached(attached) => {
                    self.attached = Some(*attached);
                    self.sent = Wish { kills: self.sent.kills, ..Wish::default() };
                    tell(&self.place.events, self.greeted()).await;
                    self.carry_out();
                }
                Happened::Said(Some(FromSlot { kind: Some(from_slot::Kind::Beat(beat)) })) => {
                    tell(&self.place.events, self.beat(beat)).await;
                }
                Happened::Said(Some(_)) => {}
                Happened::Said(None) => self.attached = None,
            }
        }
    }

    async fn next(&mut self) -> Happened {
        let (folder, pid) = (self.place.folder.clone(), self.process.pid());
        let heard = async {
            match &mut self.attached {
                Some(attached) => Happened::Said(attached.up.message().await.ok().flatten()),
                None => Happened::Attached(Box::new(attach_soon(folder, pid).await)),
            }
        };
        tokio::select! {
            biased;
            how = self.process.ended() => Happened::Ended(how),
            changed = self.wishes.changed() => if changed.is_ok() { Happened::Wished } else { Happened::Alone },
            heard = heard => heard,
        }
    }

    /// Tells the process what it hasn't been told yet.
    fn carry_out(&mut self) {
        let wish = self.wishes.borrow_and_update().clone();
        if wish.kills > self.sent.kills {
            self.process.kill();
            self.sent.kills = wish.kills;
        }
        let Some(attached) = &self.attached else {
            // One that can't be spoken with can't be asked.
            if wish.stop.is_some() {
                self.process.kill();
            }
            return;
        };
        let say = |kind| attached.down.try_send(ToSlot { kind: Some(kind) }).is_ok();
        if let Some(orders) = wish.orders.as_ref().filter(|_| wish.orders != self.sent.orders)
            && say(to_slot::Kind::Orders(orders.clone()))
        {
            self.sent.orders.clone_from(&wish.orders);
        }
        if let Some(drain) = wish.stop.filter(|_| wish.stop != self.sent.stop) {
            let drain_ms = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
            if say(to_slot::Kind::Stop(internal::Stop { drain_ms })) {
                self.sent.stop = wish.stop;
            }
        }
    }

    fn greeted(&self) -> Event {
        Event::Greeted { number: self.place.number, incarnation: self.incarnation }
    }

    fn beat(&self, beat: internal::Beat) -> Event {
        Event::Beat { number: self.place.number, incarnation: self.incarnation, beat: wire::beat(beat) }
    }

    /// It is gone: reads what it said last, and ends what it has left behind.
    async fn ended(mut self, how: String) {
        if let Some(Attached { up, .. }) = &mut self.attached {
            let mut said = Vec::new();
            let reading = async {
                while let Ok(Some(message)) = up.message().await {
                    if let Some(from_slot::Kind::Beat(beat)) = message.kind {
                        said.push(beat);
                    }
                }
            };
            let _ = tokio::time::timeout(LAST_WORDS, reading).await;
            for beat in said {
                tell(&self.place.events, self.beat(beat)).await;
            }
        }
        self.process.kill();
        let stderr = process::last_lines(&self.place.folder, self.stderr);
        let exit = Exit { how, stderr };
        tell(&self.place.events, Event::Exited { number: self.place.number, incarnation: self.incarnation, exit })
            .await;
    }
}
