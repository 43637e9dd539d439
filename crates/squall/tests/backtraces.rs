//! Backtraces of errors and panics: kept if `RUST_BACKTRACE` asks for them, which a process reads once. So the test runs itself.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::process::Command;

use squall::{AsyncBolt, AsyncCollector, Bolt, Collector, Declarer, Next, OwnedTuple, Result, Runner, Spout};
use squall::{SpoutCollector, TopologyBuilder, Tuple};

const CHILD: &str = "SQUALL_TEST_BACKTRACE";

struct Fails(u32);

impl Spout for Fails {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        self.0 += 1;
        match self.0 {
            1 => fails_in_the_spout(),
            2 => {
                out.emit((1,));
                Ok(Next::Done)
            }
            _ => Ok(Next::Done),
        }
    }
}

#[inline(never)]
fn fails_in_the_spout() -> Result<Next> {
    Err("no luck".into())
}

struct Errs;

impl Bolt for Errs {
    fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        fails_in_the_bolt()
    }
}

#[inline(never)]
fn fails_in_the_bolt() -> Result {
    Err("no luck".into())
}

struct Panics;

impl AsyncBolt for Panics {
    async fn execute(&self, _: &OwnedTuple, _: &mut AsyncCollector) -> Result {
        panics_in_the_bolt()
    }
}

#[inline(never)]
fn panics_in_the_bolt() -> Result {
    panic!("no luck")
}

#[test]
fn an_error_keeps_the_backtrace_of_where_it_came_from_if_one_is_asked_for() {
    match std::env::var(CHILD).as_deref() {
        Ok(asked) => child(asked == "1"),
        Err(_) => {
            for asked in ["1", "0"] {
                let mut itself = Command::new(std::env::current_exe().unwrap());
                itself.env(CHILD, asked).env("RUST_BACKTRACE", asked).env_remove("RUST_LIB_BACKTRACE");
                let output = itself.output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            }
        }
    }
}

fn child(asked: bool) {
    let mut topology = TopologyBuilder::new("fails");
    topology.spout("spout", || Fails(0));
    topology.bolt("errs", || Errs).shuffle("spout");
    topology.async_bolt("panics", || Panics).shuffle("spout");
    let outcome = Runner::new(topology.build().unwrap()).without_signals().run().unwrap();
    for (component, origin) in
        [("spout", "fails_in_the_spout"), ("errs", "fails_in_the_bolt"), ("panics", "panics_in_the_bolt")]
    {
        let errors = &outcome.last.component(component).unwrap().total.errors;
        assert!(errors.last.as_deref().unwrap().contains("no luck"));
        let found = errors.backtrace.as_deref().map(|backtrace| backtrace.contains(origin));
        assert_eq!(found, asked.then_some(true), "{component}: {:?}", errors.backtrace);
    }
}
