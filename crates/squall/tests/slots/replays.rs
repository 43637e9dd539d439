//! A spout that emits again what failed, and what it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use squall::{Declarer, FailureKind, Next, Result, Spout, SpoutCollector, SpoutContext, SpoutWaker};

use crate::common::*;

/// What a replaying spout has been told, and what it has still to emit.
#[derive(Default)]
pub struct Told {
    pub acked: Log<i64>,
    pub failed: Log<(i64, FailureKind)>,
    pub opened: Log<()>,
    again: Mutex<VecDeque<i64>>,
    waker: Mutex<Option<SpoutWaker>>,
}

impl Told {
    /// How many roots were lost.
    pub fn lost(&self) -> usize {
        self.failed.all().iter().filter(|(_, kind)| *kind == FailureKind::Lost).count()
    }

    /// How many numbers were acked, each counted once.
    pub fn done(&self) -> usize {
        counted(self.acked.all()).len()
    }
}

/// Emits `0..to`, and again what failed, until all is acked.
pub struct Replays {
    told: Arc<Told>,
    next: i64,
    to: i64,
}

impl Spout for Replays {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.told.opened.push(());
        *self.told.waker.lock().expect("whole") = Some(context.waker());
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        while out.room() > 0 {
            let again = self.told.again.lock().expect("whole").pop_front();
            let n = match again {
                Some(n) => n,
                None if self.next < self.to => {
                    self.next += 1;
                    self.next - 1
                }
                None => return Ok(Next::Wait),
            };
            out.emit_with(n, (n,));
        }
        Ok(Next::More)
    }

    fn ack(&mut self, id: i64) {
        self.told.acked.push(id);
    }

    fn fail(&mut self, id: i64, kind: FailureKind) {
        self.told.failed.push((id, kind));
        self.told.again.lock().expect("whole").push_back(id);
        self.told.waker.lock().expect("whole").iter().for_each(SpoutWaker::wake);
    }
}

/// Makes spouts that emit `0..to`, and again what failed.
pub fn replays(told: &Arc<Told>, to: i64) -> impl Fn() -> Replays + Send + Sync + 'static {
    let told = told.clone();
    move || Replays { told: told.clone(), next: 0, to }
}
