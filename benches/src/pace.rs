//! A source on a thread of its own that hands events over at planned times, whatever becomes of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use squall::{Declarer, Next, Result, Spout, SpoutCollector, SpoutContext, SpoutWaker};

use crate::error::Error;
use crate::rows::Stamp;
use crate::tally::Tally;

/// How many events, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Events a second.
    pub rate: f64,
    /// Events that only warm up.
    pub warm_up: usize,
    /// Events that count.
    pub events: usize,
}

impl Plan {
    /// The fewest events that percentiles are made of.
    const FEWEST: usize = 300;

    /// So many seconds' events, after half a second's, but no fewer than percentiles need.
    pub fn new(rate: f64, seconds: f64) -> Self {
        let of = |seconds: f64| (rate * seconds).round() as usize;
        Self { rate, warm_up: of(0.5).max(10), events: of(seconds).max(Self::FEWEST) }
    }

    /// Latencies of all events, in the order in which they came: those that count, sorted.
    pub fn counted(&self, mut latencies: Vec<u64>) -> Vec<u64> {
        let mut counted = latencies.split_off(self.warm_up.min(latencies.len()));
        counted.sort_unstable();
        counted
    }

    /// Starts a thread that calls `hand_over` for each event at its time. One that is late makes up for it, so a consumer that
    /// falls behind isn't spared the events that came meanwhile.
    ///
    /// # Errors
    /// There is no thread.
    pub fn start(self, mut hand_over: impl FnMut() + Send + 'static) -> Result<JoinHandle<()>, Error> {
        let work = move || {
            let began = Instant::now();
            for event in 0..self.warm_up + self.events {
                let planned = Duration::from_secs_f64(event as f64 / self.rate);
                if let Some(early) = planned.checked_sub(began.elapsed()) {
                    sleep(early);
                }
                hand_over();
            }
        };
        std::thread::Builder::new().name("source".to_owned()).spawn(work).map_err(Error::Thread)
    }
}

/// Between the source and its spout.
#[derive(Clone, Debug)]
pub struct HandOver {
    began: Instant,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    events: VecDeque<Stamp>,
    waker: Option<SpoutWaker>,
}

impl HandOver {
    /// Nothing handed over. Stamps are nanoseconds since `began`.
    pub fn new(began: Instant) -> Self {
        Self { began, shared: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an event over, now.
    pub fn put(&self) {
        let mut shared = self.lock();
        shared.events.push_back(Stamp { at: self.began.elapsed().as_nanos() as i64 });
        let waker = shared.waker.clone();
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Has the spout look whether to end.
    pub fn wake(&self) {
        if let Some(waker) = &self.lock().waker {
            waker.wake();
        }
    }

    /// A spout of these events.
    pub fn spout(&self, tally: Tally) -> Paced {
        Paced { from: self.clone(), tally, sent: 0 }
    }
}

/// Emits what is handed over, and waits on its waker in between.
pub struct Paced {
    from: HandOver,
    tally: Tally,
    sent: u64,
}

impl Spout for Paced {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Stamp>();
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.from.lock().waker = Some(context.waker());
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        let mut shared = self.from.lock();
        while out.room() > 0 {
            let Some(event) = shared.events.pop_front() else { break };
            out.emit_with((), event);
            self.sent += 1;
        }
        Ok(match (shared.events.is_empty(), self.tally.stopped()) {
            (false, _) => Next::More,
            (true, false) => Next::Wait,
            (true, true) => {
                self.tally.sent(std::mem::take(&mut self.sent));
                Next::Done
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_warms_up_does_not_count_and_percentiles_have_at_least_300() {
        let plan = Plan::new(10.0, 1.0);
        assert_eq!((plan.warm_up, plan.events), (10, 300));
        let came = (0..310).map(|at| if at < 10 { 1_000 } else { 310 - at }).collect();
        assert_eq!(plan.counted(came), (1..=300).collect::<Vec<_>>());
    }
}
