//! A topology that keeps its own books on disk, so that a test can see after any number of deaths whether something acked is missing.
//!
//! The spout numbers its messages and writes down each that was acked; the sink writes each down, and acks only once the disk has it. What
//! was emitted and not acked when a process died is nobody's loss: the oracle promises nothing for it.
//!
//! Settings: `dir`, where the books are; `rate`, messages a second of each spout.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use squall::{
    Bolt, BoltContext, Collector, Declarer, FailureKind, Next, Result, Spout, SpoutCollector, SpoutContext, Token,
    TopologyBuilder, Tuple,
};

/// Numbers of one life of one spout.
const LIFE: i64 = 1_000_000_000;

#[derive(Default)]
struct Numbers {
    next: i64,
    rate: u64,
    /// When the life began, and how many it has emitted.
    began: Option<squall::Timestamp>,
    emitted: u64,
    again: Vec<i64>,
    acked: Option<File>,
}

impl Spout for Numbers {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["number"]);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        let dir: PathBuf = context.required_setting("dir")?;
        self.rate = context.required_setting("rate")?;
        let task = context.task();
        // A life's numbers are its own, so that a message is emitted in one life and acked in the same.
        let lives = dir.join(format!("lives-{task}"));
        let life = std::fs::read_to_string(&lives).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0) + 1;
        std::fs::write(&lives, life.to_string())?;
        self.next = (i64::from(task.get()) * 1_000 + life) * LIFE;
        self.acked = Some(append(&dir, &format!("acked-{task}"))?);
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        let now = out.now();
        let began = *self.began.get_or_insert(now);
        let due = u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX) * self.rate / 1_000;
        for _ in 0..out.room() {
            let number = match self.again.pop() {
                Some(number) => number,
                None if self.emitted < due => {
                    self.emitted += 1;
                    self.next += 1;
                    self.next
                }
                None => break,
            };
            out.emit_with(number, (number,));
        }
        Ok(Next::WaitFor(Duration::from_millis(2)))
    }

    fn ack(&mut self, number: i64) {
        let acked = self.acked.as_mut().expect("open has set it");
        writeln!(acked, "{number}").expect("the books can be written");
    }

    fn fail(&mut self, number: i64, _: FailureKind) {
        self.again.push(number);
    }
}

/// Passes on what it gets, between two shuffles, so that each message crosses slots twice.
struct Pass;

impl Bolt for Pass {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["number"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit((tuple.field::<i64>("number")?,));
        Ok(())
    }
}

/// Writes down what it gets, and acks once the disk has it.
#[derive(Default)]
struct Sink {
    seen: Option<File>,
    kept: Vec<Token>,
}

impl Bolt for Sink {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        let dir: PathBuf = context.required_setting("dir")?;
        self.seen = Some(append(&dir, &format!("seen-{}", context.task()))?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let seen = self.seen.as_mut().expect("prepare has set it");
        writeln!(seen, "{}", tuple.field::<i64>("number")?)?;
        self.kept.push(out.keep());
        Ok(())
    }

    fn tick(&mut self, _: &mut Collector<'_>) -> Result {
        self.seen.as_mut().expect("prepare has set it").sync_data()?;
        self.kept.drain(..).for_each(Token::ack);
        Ok(())
    }
}

fn append(dir: &Path, name: &str) -> std::io::Result<File> {
    File::options().create(true).append(true).open(dir.join(name))
}

fn main() -> ExitCode {
    let mut topology = TopologyBuilder::new("oracle");
    topology.max_spout_pending(20_000);
    topology.spout("numbers", Numbers::default).parallelism(2);
    topology.bolt("pass", || Pass).parallelism(4).shuffle("numbers").unchained();
    topology
        .bolt("sink", Sink::default)
        .blocking()
        .parallelism(4)
        .tick(Duration::from_millis(5))
        .fields("pass", ["number"]);
    squall::main(topology)
}
