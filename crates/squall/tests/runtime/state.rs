//! Keyed state: where it is given, and where not.

use std::sync::Arc;

use squall::{Bolt, BoltContext, Collector, Result, Slot, StateHandle, TopologyBuilder, Tuple};

use crate::common::*;

/// Asks for keyed state, and in its tick for the state of a tuple that isn't there.
#[derive(Default)]
struct Keeps {
    counts: Option<StateHandle<i64, i64>>,
}

impl Bolt for Keeps {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.counts = Some(context.keyed_state("counts")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        *out.state(self.counts.as_ref().expect("prepared")).get_or_default(&tuple.get::<i64>(0)?) += 1;
        Ok(())
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result {
        let counts = self.counts.as_ref().expect("prepared");
        let rows: i64 =
            out.state_groups(counts).flat_map(|group| group.iter().map(|(_, count)| *count).collect::<Vec<_>>()).sum();
        if rows < 100 {
            return Ok(());
        }
        out.state(counts);
        Ok(())
    }
}

#[tokio::test]
async fn keyed_state_is_refused_where_an_input_is_not_keyed_alike() {
    let with = |inputs: fn(squall::BoltDeclarer<'_>)| {
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&Fates::new(), 10));
        topology.bolt("p", || Pass).shuffle("s");
        inputs(topology.bolt("b", Keeps::default));
        topology.build().expect("valid")
    };
    let wrong: [fn(squall::BoltDeclarer<'_>); 4] = [
        |bolt| _ = bolt.shuffle("s"),
        |bolt| _ = bolt.fields("s", ["n"]).shuffle("p"),
        |bolt| _ = bolt.fields("s", ["n"]).partial_key("p", ["n"]),
        |bolt| _ = bolt.global("s"),
    ];
    for inputs in wrong {
        let error = Slot::start(&with(inputs), &two_cores()).await.err().expect("it is refused");
        assert_eq!(error.code().to_string(), "SQ1101", "{error}");
        assert!(error.to_string().contains("counts"), "{error}");
    }
    let right: [fn(squall::BoltDeclarer<'_>); 2] =
        [|bolt| _ = bolt.fields("s", ["n"]).fields("p", ["n"]), |bolt| _ = bolt.partial_key("s", ["n"])];
    for inputs in right {
        let slot = Slot::start(&with(inputs), &two_cores()).await.expect("it starts");
        finish(slot).await;
    }
}

#[tokio::test]
async fn the_state_of_no_tuple_is_a_clear_panic() {
    let fates = Fates::new();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 100));
    topology.bolt("b", Keeps::default).tick(std::time::Duration::from_millis(2)).fields("s", ["n"]);
    let slot = start(topology, &one_core()).await;
    let monitor = slot.monitor();
    let errors = || monitor.snapshot().component("b").expect("declared").total.errors.clone();
    until("a tick panics", || errors().panics > 0).await;
    let (books, _) = drain(slot).await;
    assert_books(&books, 100, 0);
    let said = errors().last.expect("kept");
    assert!(said.contains("state_groups"), "{said}");
}

#[tokio::test]
async fn a_topology_that_cannot_start_says_which_task_and_why_and_leaves_nothing_behind() {
    struct Refuses(Arc<Log<()>>);
    impl Bolt for Refuses {
        fn prepare(&mut self, _: &mut BoltContext<'_>) -> Result {
            Err("no such database".into())
        }
        fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
            Ok(())
        }
    }
    impl Drop for Refuses {
        fn drop(&mut self) {
            self.0.push(());
        }
    }
    let dropped = Log::new();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&Fates::new(), 10)).blocking();
    let log = dropped.clone();
    topology.bolt("b", move || Refuses(log.clone())).parallelism(3).shuffle("s");
    let program = topology.build().expect("valid");
    assert_eq!(dropped.len(), 1, "the one that was asked for its streams");
    let error = Slot::start(&program, &two_cores()).await.err().expect("it is refused");
    assert_eq!(error.code().to_string(), "SQ2401");
    assert!(error.to_string().contains("no such database"), "{error}");
    until("all bolts are gone", || dropped.len() == 4).await;
}
