//! Simulated time.

use std::future::Future;
use std::time::Duration;

use squall_runtime::Clock;
use squall_types::Timestamp;
use tokio::runtime::{Builder, Runtime};

/// What the clock shows when a simulation begins, unless set: 2026-01-01T00:00:00Z.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn paused() -> Runtime {
    let built = Builder::new_current_thread().enable_time().start_paused(true).build();
    built.expect("a runtime without I/O takes nothing from the system")
}

/// Runs `work` under simulated time, on a thread of its own: whenever everything in it waits, the clock moves at once to the
/// next thing that is due. Panics in `work` go on in the caller.
///
/// Here a [`Slot`](crate::Slot) can be driven by hand: start it with `one_thread`, a seed and an epoch in its
/// [`Options`](crate::Options). Can be called from an asynchronous test too.
///
/// ```
/// use std::time::Duration;
///
/// let waited = squall::testing::simulate(|| async {
///     let began = tokio::time::Instant::now();
///     tokio::time::sleep(Duration::from_secs(3_600)).await;
///     began.elapsed()
/// });
/// assert_eq!(waited, Duration::from_secs(3_600));
/// ```
pub fn simulate<T: Send, F: Future<Output = T>>(work: impl FnOnce() -> F + Send) -> T {
    std::thread::scope(|scope| {
        let simulation = scope.spawn(|| paused().block_on(async { work().await }));
        simulation.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Time that moves only when it is told to.
pub(super) struct StoppedTime {
    /// Taken when dropped.
    runtime: Option<Runtime>,
    pub(super) clock: Clock,
}

impl StoppedTime {
    pub(super) fn new(epoch: Timestamp) -> Self {
        let runtime = paused();
        let clock = {
            let _inside = runtime.enter();
            Clock::starting_at(epoch)
        };
        Self { runtime: Some(runtime), clock }
    }

    /// Does something while the clock is the one that stands still.
    pub(super) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        let _inside = self.runtime.as_ref().map(Runtime::enter);
        work()
    }

    pub(super) fn advance(&self, by: Duration) {
        self.inside(|| squall_runtime::harness::advance(by));
    }
}

impl Drop for StoppedTime {
    fn drop(&mut self) {
        // Doesn't block, so a harness can also be dropped in an asynchronous test.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
