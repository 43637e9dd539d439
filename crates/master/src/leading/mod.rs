//! What a master does while it leads: watches over workers, plans, tells workers what to run, and finishes what was begun.
//!
//! What is known here is soft: it is gone with the leadership, and the next leader learns it anew.

mod chores;
mod desired;
mod planner;
mod recorder;
mod reported;
mod roll_call;
mod wards;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use squall_control::plan::{Standing, Stuck};
use squall_proto::v1;
use squall_types::cluster::{WorkerIncarnation, WorkerName};
use squall_types::codes;
use tokio::sync::{mpsc, oneshot, watch as channel};
use tokio_util::sync::CancellationToken;

use crate::fault::{Answer, Fault};

pub(crate) use chores::run as chores;
pub(crate) use planner::input as planner_input;
pub(crate) use reported::Reported;
pub(crate) use roll_call::run as roll_call;
pub(crate) use watch::{Settings, Watch};

/// How long a caller waits for the planner.
const PLANNED: Duration = Duration::from_secs(1);

/// One stream of a worker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub worker: WorkerName,
    /// Its worker's streams are numbered: only the newest counts.
    pub number: u64,
}

/// A worker that has said hello.
pub(crate) struct Attached {
    pub worker: WorkerName,
    pub incarnation: WorkerIncarnation,
    pub reports: Vec<v1::SlotReport>,
    pub witnessed: Vec<Witnessed>,
    pub down: mpsc::Sender<v1::MasterMessage>,
}

/// For how long a worker has had nothing from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Witnessed {
    pub worker: WorkerName,
    pub silent: Duration,
}

/// What workers' streams say, and what callers ask.
pub(crate) enum Said {
    Attached(Attached, oneshot::Sender<Link>),
    Beat { link: Link, reports: Vec<v1::SlotReport>, concerns: Vec<v1::Concern>, witnessed: Vec<Witnessed> },
    Probed { id: u64, answered: bool },
    Goodbye(Link),
    Closed(Link),
    View(oneshot::Sender<View>),
}

/// A worker as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub standing: Standing,
    /// Since when it hasn't been heard.
    pub silent: Duration,
    /// Slots whose process is lost while nobody is left on the worker to start it again.
    pub lost: BTreeSet<u16>,
}

/// What the leader knows that isn't in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub workers: BTreeMap<WorkerName, Seen>,
    /// What slots said of themselves last.
    pub reported: Reported,
    /// What workers said last that isn't as it should be.
    pub concerns: BTreeMap<WorkerName, Vec<v1::Concern>>,
    /// Rules that the last plan broke.
    pub broken: Vec<String>,
    /// Executors that should leave a worker which is being drained, and can't.
    pub stuck: Vec<Stuck>,
}

impl View {
    /// How many workers are up.
    pub(crate) fn alive(&self) -> usize {
        let up = |seen: &&Seen| matches!(seen.standing, Standing::Open | Standing::Quarantined | Standing::Draining);
        self.workers.values().filter(up).count()
    }
}

/// The way to what a leader does. Dropped when it leads no more.
pub(crate) struct Leading {
    inbox: mpsc::Sender<Said>,
    planned: channel::Receiver<planner::Done>,
    wanted: channel::Sender<u64>,
    over: CancellationToken,
    heartbeat: Duration,
    #[cfg(feature = "simulation")]
    seen: channel::Receiver<Arc<BTreeMap<WorkerName, Seen>>>,
}

impl Leading {
    /// Takes a worker's stream in; an older one of the same worker counts no more.
    pub(crate) async fn attach(&self, attached: Attached) -> Answer<Link> {
        let (answer, answered) = oneshot::channel();
        self.say(Said::Attached(attached, answer)).await?;
        answered.await.map_err(|_| over())
    }

    pub(crate) async fn say(&self, said: Said) -> Answer<()> {
        self.inbox.send(said).await.map_err(|_| over())
    }

    /// What is known of workers now.
    pub(crate) async fn view(&self) -> Answer<View> {
        let (answer, answered) = oneshot::channel();
        self.say(Said::View(answer)).await?;
        answered.await.map_err(|_| over())
    }

    /// Waits until the planner has seen the state as it is now, and what it decided is applied; not for long.
    pub(crate) async fn planned(&self) {
        let mut wanted = 0;
        self.wanted.send_modify(|number| {
            *number += 1;
            wanted = *number;
        });
        let mut planned = self.planned.clone();
        let _ = tokio::time::timeout(PLANNED, planned.wait_for(|done| done.asked >= wanted)).await;
    }

    /// Ends when this master leads no more.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// How workers were when that last changed.
    #[cfg(feature = "simulation")]
    pub(crate) fn seen(&self) -> Arc<BTreeMap<WorkerName, Seen>> {
        self.seen.borrow().clone()
    }

    pub(crate) fn heartbeat_millis(&self) -> u64 {
        u64::try_from(self.heartbeat.as_millis()).unwrap_or(u64::MAX)
    }
}

fn over() -> Fault {
    let next_step = "try again; every master forwards to the leader once there is one";
    Fault::new(tonic::Code::Unavailable, codes::NOT_LEADER, "this master doesn't lead any more", next_step)
}

/// What a leader runs. All of it ends with the leadership.
pub(crate) struct Term {
    pub leading: Arc<Leading>,
    pub watch: Watch,
    pub planner: planner::Planner,
    pub recorder: recorder::Recorder,
}

impl Term {
    /// Begins to lead.
    pub(crate) fn begin(core: &Arc<crate::core::Core>, settings: Settings, over: CancellationToken) -> Self {
        const INBOX: usize = 4_096;
        let (inbox, said) = mpsc::channel(INBOX);
        let (done, planned) = channel::channel(planner::Done::default());
        let (wanted, wants) = channel::channel(0);
        let (standings, seen) = channel::channel(Arc::new(BTreeMap::new()));
        let (records, recorded) = mpsc::channel(INBOX);
        let leading = Leading {
            inbox,
            planned: planned.clone(),
            wanted,
            over,
            heartbeat: settings.heartbeat,
            #[cfg(feature = "simulation")]
            seen: seen.clone(),
        };
        Self {
            leading: Arc::new(leading),
            watch: Watch::new(core.clone(), settings, said, standings, planned, records),
            planner: planner::Planner::new(core.clone(), seen, wants, done),
            recorder: recorder::Recorder::new(core.clone(), recorded),
        }
    }
}
