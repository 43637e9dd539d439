//! A grouping of one's own: orders over 1,000 go to a task that is kept free for them, all others take turns among the rest.
//!
//! `cargo run --example custom_grouping`

use std::process::ExitCode;

use squall::{
    Bolt, BoltContext, Collector, CustomGrouping, Declarer, Next, Result, Spout, SpoutCollector, TaskId, Timestamp,
    TopologyBuilder, Tuple, Value,
};

#[derive(Tuple)]
struct Order {
    number: i64,
    amount: i64,
}

/// Sends large orders to the first task and deals the others to those behind it.
#[derive(Default)]
struct LargeFirst {
    tasks: usize,
    turn: usize,
}

impl LargeFirst {
    const LARGE: i64 = 1_000;
    /// Where `amount` stands in an [`Order`].
    const AMOUNT: usize = 1;
}

impl CustomGrouping for LargeFirst {
    fn prepare(&mut self, tasks: &[TaskId]) {
        self.tasks = tasks.len();
    }

    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>) {
        let amount = values.get(Self::AMOUNT).and_then(Value::as_i64).unwrap_or(0);
        if amount >= Self::LARGE || self.tasks == 1 {
            chosen.push(0);
        } else {
            self.turn = self.turn % (self.tasks - 1) + 1;
            chosen.push(self.turn);
        }
    }
}

/// Emits 10,000 orders; one in a hundred is large.
#[derive(Default)]
struct Orders {
    number: i64,
}

impl Spout for Orders {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Order>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        for _ in 0..out.room() {
            if self.number == 10_000 {
                return Ok(Next::Done);
            }
            self.number += 1;
            let amount = if self.number % 100 == 0 { 5_000 } else { self.number % 100 };
            out.emit_with(self.number, Order { number: self.number, amount });
        }
        Ok(Next::More)
    }
}

/// Says at the end how many orders its task has seen.
#[derive(Default)]
struct Desk {
    index: usize,
    orders: u64,
    last: i64,
}

impl Bolt for Desk {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.index = context.task_index();
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        let order: Order = tuple.read()?;
        self.orders += 1;
        self.last = order.number;
        Ok(())
    }

    fn watermark(&mut self, watermark: Timestamp, _: &mut Collector<'_>) -> Result {
        if watermark == Timestamp::MAX {
            println!("desk {}: {} orders, the last was number {}", self.index, self.orders, self.last);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let mut topology = TopologyBuilder::new("orders");
    topology.spout("orders", Orders::default);
    topology.bolt("desks", Desk::default).parallelism(4).custom("orders", LargeFirst::default);
    squall::main(topology)
}
