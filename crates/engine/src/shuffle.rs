//! Dealing rows to receivers that are all as good: in runs, and by load.

/// A receiver's measured work in one run, at most: 100 µs.
const RUN_NS: u32 = 100_000;
/// Rows in one run, at most.
const RUN_ROWS: u32 = 256;

/// What a sender knows of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Rows that wait for the receiver, those included that the sender holds unsent.
    pub queued_rows: u32,
    /// What a row costs the receiver, in nanoseconds; 0 while that is unknown.
    pub row_cost_ns: u32,
    /// Whether the receiver's inbox takes nothing more now.
    pub full: bool,
}

impl Load {
    /// Nanoseconds a row costs. While that is unknown, a row counts as a whole run, so that the receiver gets one at a time.
    fn row_cost(self) -> u32 {
        if self.row_cost_ns == 0 { RUN_NS } else { self.row_cost_ns }
    }

    fn run_rows(self) -> u32 {
        (RUN_NS / self.row_cost()).clamp(1, RUN_ROWS)
    }

    /// Less is better: first those with room, then by the nanoseconds until a row sent now would be begun.
    fn rank(self) -> (bool, u64) {
        (self.full, u64::from(self.queued_rows) * u64::from(self.row_cost()))
    }
}

/// Rows that go to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The receiver's index.
    pub target: usize,
    /// How many rows; 0 only if none were wanted.
    pub rows: u32,
}

/// One sender's side of a shuffle grouping.
///
/// A run ends after 100 µs of the receiver's measured work or 256 rows, whichever is less: slow rows are dealt one by one, fast ones by
/// the batch. The next run goes to the receiver with the least expected wait; equals take turns. A full receiver is passed over while
/// another has room; when all are full, the one that will have room first is chosen, and the sender waits for that one.
#[derive(Clone, Debug)]
pub struct Dealer {
    target: usize,
    left: u32,
    targets: usize,
}

impl Dealer {
    /// A dealer among so many receivers (0 counts as 1), whose first run goes to receiver 0 if all are equal.
    pub fn new(targets: usize) -> Self {
        Self::starting_at(targets, 0)
    }

    /// A dealer whose first run goes to receiver `first` (modulo their number) if all are equal, so that senders don't start in step.
    pub fn starting_at(targets: usize, first: usize) -> Self {
        let targets = targets.max(1);
        Self { target: (first % targets + targets - 1) % targets, left: 0, targets }
    }

    /// Says where up to `wanted` rows go: what is left of the run, or the beginning of a new one.
    ///
    /// `load` is asked once for each receiver when a run begins, and not at all while one goes on.
    #[inline]
    pub fn take_run(&mut self, wanted: u32, load: impl Fn(usize) -> Load) -> Run {
        if self.left == 0 {
            self.begin_run(load);
        }
        let rows = wanted.min(self.left);
        self.left -= rows;
        Run { target: self.target, rows }
    }

    /// Ends the run, as at a flush: at low rates the receivers then take turns row by row.
    #[inline]
    pub fn end_run(&mut self) {
        self.left = 0;
    }

    fn begin_run(&mut self, load: impl Fn(usize) -> Load) {
        let first = if self.target + 1 < self.targets { self.target + 1 } else { 0 };
        let (mut best, mut best_load) = (first, load(first));
        // From the one after the last, and only a better one replaces the best: so equals take turns.
        for target in (first + 1..self.targets).chain(0..first) {
            let load = load(target);
            if load.rank() < best_load.rank() {
                (best, best_load) = (target, load);
            }
        }
        (self.target, self.left) = (best, best_load.run_rows());
    }
}

#[cfg(test)]
mod tests;
