//! The loop that watches a running topology.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use squall_runtime::{Books, Monitor, Slot};
use squall_types::topology::Delivery;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::stops::Stops;
use super::{Cause, Outcome, Progress, RunError, Runner, Show};

impl Runner<'_> {
    pub(super) async fn control(self) -> Result<Outcome, RunError> {
        let mut stops = Stops::listen(self.signals, self.stopper).map_err(RunError::NoSignals)?;
        let topology = self.program.topology().topology();
        tracing::info!(topology = %topology.name, cores = self.options.cores, "running; a signal drains it");
        let slot = tokio::select! {
            biased;
            started = Slot::start(&self.program, &self.options) => started?,
            () = stops.next() => return Err(RunError::Interrupted),
        };
        let mut watch = Watch::new(slot.monitor(), topology.delivery, self.display);
        let cause = watch.during(run(&slot, &mut stops, self.run_for)).await;
        tracing::info!(?cause, timeout = ?self.drain_timeout, "draining; a second signal ends at once");
        watch.draining = Some(Instant::now());
        let drained = watch.during(drain(slot, &mut stops, self.drain_timeout)).await;
        Ok(watch.outcome(cause, drained))
    }
}

/// Lets the slot run until something ends it.
async fn run(slot: &Slot, stops: &mut Stops, run_for: Option<Duration>) -> Cause {
    let time_up = async {
        match run_for {
            Some(time) => sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = stops.next() => Cause::Stopped,
        () = slot.ended() => Cause::Finished,
        () = time_up => Cause::TimeUp,
    }
}

/// Drains the slot; `None` if it was told to end at once.
async fn drain(slot: Slot, stops: &mut Stops, timeout: Duration) -> Option<Books> {
    tokio::select! {
        biased;
        books = slot.drain(timeout) => Some(books),
        () = stops.next() => None,
    }
}

/// Shows the figures while other things are waited for.
struct Watch<'a> {
    monitor: Monitor,
    delivery: Delivery,
    display: Option<(Interval, Show<'a>)>,
    began: Instant,
    draining: Option<Instant>,
}

impl<'a> Watch<'a> {
    fn new(monitor: Monitor, delivery: Delivery, display: Option<(Duration, Show<'a>)>) -> Self {
        let began = Instant::now();
        let display = display.map(|(every, show)| {
            let every = every.max(Duration::from_millis(1));
            let mut ticks = interval_at(began + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            (ticks, show)
        });
        Self { monitor, delivery, display, began, draining: None }
    }

    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.due() => self.show(),
            }
        }
    }

    async fn due(&mut self) {
        match &mut self.display {
            Some((ticks, _)) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    fn show(&mut self) {
        if let Some((_, show)) = &mut self.display {
            let snapshot = &self.monitor.snapshot();
            show(&Progress { snapshot, running_for: self.began.elapsed(), draining: self.draining.is_some() });
        }
    }

    fn outcome(self, cause: Cause, drained: Option<Books>) -> Outcome {
        let last = self.monitor.snapshot();
        let books = drained.unwrap_or_else(|| Books { cut_short: true, ..Books::of(&last) });
        let ran_for = self.began.elapsed();
        let drained_in = self.draining.map_or(Duration::ZERO, |from| from.elapsed());
        Outcome { books, last, cause, ran_for, drained_in, delivery: self.delivery }
    }
}
