//! The threads that drive lanes: one a core, one for each executor that blocks, and one that watches.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use squall_engine::plan::Place;
use squall_types::ComponentId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::assemble::{Assembled, LaneFuture};
use super::registry::Registry;
use super::start::StartError;

/// A turn of a busy lane takes 100 µs. Left at tokio's default, a lane woken from another core would wait for 31 of them.
const REMOTE_EVERY: u32 = 2;
/// Likewise timers and I/O, for 61.
const EVENTS_EVERY: u32 = 8;

/// All threads of a slot, or its tasks where it runs on the caller's thread.
pub struct Threads {
    here: JoinSet<()>,
    threads: Vec<JoinHandle<()>>,
    /// Where each core takes more lanes. None, where all run on the caller's thread.
    cores: Vec<mpsc::UnboundedSender<LaneFuture>>,
    /// Threads of lanes that block, ever started.
    blocking: usize,
    /// Closed once all threads have let go of it.
    running: watch::Sender<()>,
    watcher: Option<Watcher>,
}

impl Threads {
    /// Drives all lanes on the runtime that calls, blocking ones too.
    pub fn here(running: watch::Sender<()>) -> Self {
        let (threads, cores) = (Vec::new(), Vec::new());
        Self { here: JoinSet::new(), threads, cores, blocking: 0, running, watcher: None }
    }

    /// Starts a thread a core. They hold `running`, as blocking spouts' threads do.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn spawn(
        cores: usize,
        registry: &Arc<Registry>,
        stuck_after: Duration,
        running: watch::Sender<()>,
    ) -> Result<Self, StartError> {
        let watcher = Some(Watcher::start(registry.clone(), stuck_after)?);
        let mut all = Self { watcher, ..Self::here(running) };
        for core in 0..cores {
            // Lanes are as many as the topology has at the most, so nobody floods it.
            let (more, lanes) = mpsc::unbounded_channel();
            all.threads.push(drive(format!("squall-core-{core}"), lanes, all.running.subscribe())?);
            all.cores.push(more);
        }
        Ok(all)
    }

    /// What threads hold while they run.
    pub fn running(&self) -> watch::Receiver<()> {
        self.running.subscribe()
    }

    /// Drives more lanes: those that block on threads of their own.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn add(&mut self, lanes: Vec<Assembled>) -> Result<(), StartError> {
        for Assembled { place, future } in lanes {
            match place {
                _ if self.cores.is_empty() => _ = self.here.spawn(guarded(future)),
                Place::Core(core) | Place::Async(core) => {
                    // A core's thread ends only after this.
                    let _ = self.cores[core % self.cores.len()].send(future);
                }
                Place::Thread => {
                    let (only, lanes) = mpsc::unbounded_channel();
                    let _ = only.send(future);
                    let name = format!("squall-blocking-{}", self.blocking);
                    self.blocking += 1;
                    self.threads.push(drive(name, lanes, self.running.subscribe())?);
                }
            }
        }
        Ok(())
    }

    /// Waits for all to end, but no longer than this. Says whether they did.
    pub async fn end(&mut self, grace: Duration) -> bool {
        self.cores.clear();
        let here = log_panics(&mut self.here);
        if tokio::time::timeout(grace, async { tokio::join!(here, self.running.closed()) }).await.is_err() {
            return false;
        }
        self.watcher = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the slot panicked: this is a defect of Squall");
            }
        }
        true
    }
}

/// Waits for all lanes to end, and says which panicked: user code's panics don't get here.
async fn log_panics(lanes: &mut JoinSet<()>) {
    while let Some(ended) = lanes.join_next().await {
        if let Err(error) = ended {
            tracing::error!(error = error.to_string(), "a lane panicked: this is a defect of Squall");
        }
    }
}

/// Drives a lane with its panics kept, not printed.
async fn guarded(lane: LaneFuture) {
    let mut lane = lane;
    std::future::poll_fn(|cx| {
        let _guard = crate::panics::guard();
        lane.as_mut().poll(cx)
    })
    .await;
}

/// A thread that drives the lanes that come, until no more can come and all have ended.
fn drive(
    name: String,
    mut lanes: mpsc::UnboundedReceiver<LaneFuture>,
    running: watch::Receiver<()>,
) -> Result<JoinHandle<()>, StartError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().global_queue_interval(REMOTE_EVERY).event_interval(EVENTS_EVERY);
    let runtime = runtime.build().map_err(StartError::NoThread)?;
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        runtime.block_on(async move {
            let mut set = JoinSet::new();
            while let Some(lane) = lanes.recv().await {
                set.spawn(guarded(lane));
            }
            log_panics(&mut set).await;
        });
        drop(running);
    });
    thread.map_err(StartError::NoThread)
}

/// Names components that hold their core, on a thread that they can't stop. Ends when it is dropped, after a last look.
struct Watcher {
    alive: Option<std_mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    fn start(registry: Arc<Registry>, stuck_after: Duration) -> Result<Self, StartError> {
        const LOOK: Duration = Duration::from_millis(100);
        let (alive, ended) = std_mpsc::channel::<()>();
        let longer_than = u64::try_from(stuck_after.as_nanos()).unwrap_or(u64::MAX);
        let watch = move || {
            let mut named = BTreeSet::new();
            while let Err(std_mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
                name_stuck(&registry, longer_than, &mut named);
            }
            name_stuck(&registry, longer_than, &mut named);
        };
        let thread = std::thread::Builder::new().name("squall-watch".to_owned()).spawn(watch);
        Ok(Self { alive: Some(alive), thread: Some(thread.map_err(StartError::NoThread)?) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.alive = None;
        // It runs nobody's code, so it ends at once.
        self.thread.take().map(JoinHandle::join);
    }
}

/// Names each component once.
fn name_stuck(registry: &Registry, longer_than_ns: u64, named: &mut BTreeSet<ComponentId>) {
    for (component, ns) in registry.take_stuck(longer_than_ns) {
        if named.insert(component.clone()) {
            tracing::warn!(
                component = %component,
                held_ms = ns / 1_000_000,
                "holds its core: declare it as blocking, so that it gets a thread of its own"
            );
        }
    }
}
