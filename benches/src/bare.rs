//! What is measured beside Squall, in the same process: tokio and nothing else.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use squall::Options;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::meter::cpu_seconds;
use crate::pace::Plan;

/// Tasks that an event passes: as many as the topology beside has lanes.
const TASKS: usize = 4;
/// What a channel between tasks holds.
const QUEUE: usize = 1_024;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs jobs on a thread and a runtime of their own, as a core of Squall does.
fn drive(jobs: Vec<Job>) -> Result<JoinHandle<()>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let work = move || {
        runtime.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            for job in jobs {
                running.spawn(job);
            }
            running.join_all().await;
        });
    };
    std::thread::Builder::new().name("bare".to_owned()).spawn(work).map_err(Error::Thread)
}

/// Hands the plan's events to the first of a row of tasks, dealt to the cores in turn, and gives the latencies at the last.
///
/// # Errors
/// There is no thread.
pub fn hops(plan: Plan) -> Result<Vec<u64>, Error> {
    let (first, mut from) = mpsc::channel::<Instant>(QUEUE);
    let mut jobs: Vec<Job> = Vec::new();
    for _ in 1..TASKS {
        let (to, next) = mpsc::channel(QUEUE);
        let mut input = std::mem::replace(&mut from, next);
        jobs.push(Box::pin(async move {
            while let Some(event) = input.recv().await {
                if to.send(event).await.is_err() {
                    return;
                }
            }
        }));
    }
    let (done, mut seen) = oneshot::channel();
    let mut latencies = Vec::with_capacity(plan.warm_up + plan.events);
    jobs.push(Box::pin(async move {
        while let Some(event) = from.recv().await {
            latencies.push(event.elapsed().as_nanos() as u64);
        }
        // The receiver waits for it below.
        let _ = done.send(latencies);
    }));
    let cores = Options::default().cores;
    let mut by_core: Vec<Vec<Job>> = (0..cores).map(|_| Vec::new()).collect();
    jobs.into_iter().enumerate().for_each(|(task, job)| by_core[task % cores].push(job));
    let threads = by_core.into_iter().map(drive).collect::<Result<Vec<_>, _>>()?;
    let source = plan.start(move || {
        // It waits only if the tasks fall 1,024 events behind, and they live as long as it sends.
        let _ = first.blocking_send(Instant::now());
    })?;
    for thread in std::iter::once(source).chain(threads) {
        thread.join().expect("neither the source nor a bare task panics");
    }
    Ok(seen.try_recv().expect("the last task has sent them"))
}

/// How often a second so many loops on one thread sleep through `pause`, and the CPU seconds that each time costs.
///
/// # Errors
/// There is no thread.
pub fn sleeping_loops(loops: usize, pause: Duration, seconds: f64) -> Result<(f64, f64), Error> {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let job = |_| {
        let (stop, count) = (stop.clone(), count.clone());
        Box::pin(async move {
            while !stop.load(Relaxed) {
                tokio::time::sleep(pause).await;
                count.fetch_add(1, Relaxed);
            }
        }) as Job
    };
    let thread = drive((0..loops).map(job).collect())?;
    std::thread::sleep(Duration::from_millis(500));
    let (before, cpu_s, began) = (count.load(Relaxed), cpu_seconds()?, Instant::now());
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let (calls, seconds) = ((count.load(Relaxed) - before) as f64, began.elapsed().as_secs_f64());
    let cpu_s = cpu_seconds()? - cpu_s;
    stop.store(true, Relaxed);
    thread.join().expect("a bare loop doesn't panic");
    Ok((calls / seconds, cpu_s / calls))
}
