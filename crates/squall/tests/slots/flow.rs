//! Tuples and acks between slots: each edge delivers what was emitted on it, once, and every root is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall::{
    AsyncBolt, AsyncCollector, Bolt, BoltContext, Collector, CustomGrouping, Declarer, Delivery, OwnedTuple, Result,
    StreamHandle, TaskId, TopologyBuilder, Tuple, Value,
};

use crate::cluster::*;
use crate::common::*;

const BOTH: [Delivery; 2] = [Delivery::AtLeastOnce, Delivery::AtMostOnce];

/// Emits a row on `default` for each number, for each third one another on `thirds`, and one on `direct` to the task that is due.
#[derive(Default)]
struct Fan {
    thirds: Option<StreamHandle>,
    direct: Option<StreamHandle>,
    to: Vec<TaskId>,
}

impl Bolt for Fan {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]).stream("thirds", ["n"]).direct_stream("direct", ["n"]);
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        (self.thirds, self.direct) = (Some(context.stream("thirds")?), Some(context.stream("direct")?));
        self.to = context.tasks_of("direct").to_vec();
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let n: i64 = tuple.get(0)?;
        out.emit((n,));
        if n % 3 == 0 {
            out.emit_on(self.thirds.expect("prepared"), (n,));
        }
        out.emit_direct(self.direct.expect("prepared"), self.to[n as usize % self.to.len()], (n,));
        Ok(())
    }
}

/// Chooses by the number, in a way that no other grouping does.
struct Seventh(usize);

impl CustomGrouping for Seventh {
    fn prepare(&mut self, tasks: &[TaskId]) {
        self.0 = tasks.len();
    }

    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>) {
        let Value::Int(n) = values[0] else { return };
        chosen.push((n as usize / 7) % self.0);
    }
}

const ROWS: i64 = 3_000;

type Taken = BTreeMap<&'static str, Arc<Log<(i64, TaskId)>>>;

/// Every grouping, from two tasks to three or four; what each component took.
fn every_grouping(delivery: Delivery, fates: &Arc<Fates>) -> (TopologyBuilder, Taken) {
    let names = ["shuffled", "keyed", "partial", "all", "global", "none", "near", "direct", "custom", "blocking"];
    let taken: Taken = names.iter().map(|name| (*name, Log::new())).collect();
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(delivery);
    topology.spout("s", count(fates, ROWS)).parallelism(2);
    topology.bolt("fan", Fan::default).parallelism(3).fields("s", ["n"]);
    let sink = |name: &str| sink(&taken[name]);
    topology.bolt("shuffled", sink("shuffled")).parallelism(3).shuffle("fan");
    topology.bolt("keyed", sink("keyed")).parallelism(3).tasks(6).fields("fan", ["n"]);
    topology.bolt("partial", sink("partial")).parallelism(3).partial_key("fan", ["n"]);
    topology.bolt("all", sink("all")).parallelism(3).all(("fan", "thirds"));
    topology.bolt("global", sink("global")).parallelism(2).global("fan");
    topology.bolt("none", sink("none")).parallelism(3).none("fan");
    topology.bolt("near", sink("near")).parallelism(4).local_or_shuffle("fan");
    topology.bolt("direct", sink("direct")).parallelism(3).direct(("fan", "direct"));
    topology.bolt("custom", sink("custom")).parallelism(3).custom("fan", || Seventh(0));
    topology.bolt("blocking", sink("blocking")).parallelism(3).blocking().shuffle("keyed_again");
    topology.bolt("keyed_again", || Pass).parallelism(3).fields("fan", ["n"]);
    (topology, taken)
}

/// What came where, in a form that doesn't depend on who was faster.
fn essence(taken: &Taken) -> BTreeMap<&'static str, Vec<(i64, Vec<TaskId>)>> {
    let by_load = ["shuffled", "partial", "none", "near", "blocking"];
    taken
        .iter()
        .map(|(name, log)| {
            let mut takers: Vec<(i64, Vec<TaskId>)> = takers(log).into_iter().collect();
            if by_load.contains(name) {
                takers.iter_mut().for_each(|(_, tasks)| tasks.iter_mut().for_each(|task| *task = TaskId::new(0)));
            }
            (*name, takers)
        })
        .collect()
}

#[tokio::test]
async fn every_grouping_gives_the_same_in_three_slots_as_in_one() {
    for delivery in BOTH {
        let fates = Fates::new();
        let (topology, alone) = every_grouping(delivery, &fates);
        let (books, _) = run(topology).await;
        if delivery == Delivery::AtLeastOnce {
            assert_books(&books, 2 * ROWS as u64, 0);
        }
        let fates = Fates::new();
        let (topology, apart) = every_grouping(delivery, &fates);
        let cluster = Cluster::start(topology, &two_cores(), 3, &spread(3)).await;
        let (books, snapshots) = cluster.finish().await;
        if delivery == Delivery::AtLeastOnce {
            assert_books(&books, 2 * ROWS as u64, 0);
            assert_eq!(fates.acked.len(), 2 * ROWS as usize);
        }
        let executed = |component: &str| total(&snapshots, component, |task| task.executed);
        assert_eq!(executed("fan"), 2 * ROWS as u64);
        assert_eq!(executed("keyed_again"), executed("blocking"));
        assert_eq!(essence(&alone), essence(&apart), "{delivery:?}");
    }
}

/// Waits a little and emits the number.
struct Later;

impl AsyncBolt for Later {
    fn declare(&self, streams: &mut squall::Declarer) {
        streams.stream("default", ["n"]);
    }

    async fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> Result {
        tokio::task::yield_now().await;
        let n: i64 = tuple.view().get(0)?;
        out.emit((n,));
        Ok(())
    }
}

#[tokio::test]
async fn rows_pass_through_asynchronous_blocking_and_chained_bolts_of_several_slots() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, ROWS)).parallelism(3);
    topology.bolt("chained", || Pass).parallelism(3).local_or_shuffle("s");
    topology.async_bolt("later", || Later).parallelism(3).in_flight(50).fields("chained", ["n"]);
    topology.bolt("blocks", || Pass).parallelism(3).blocking().fields("later", ["n"]);
    topology.bolt("b", sink(&log)).parallelism(3).shuffle("blocks");
    let cluster = Cluster::start(topology, &two_cores(), 3, &spread(3)).await;
    let traffic = |cluster: &Cluster| cluster.traffic().iter().map(|slot| slot.rows_received).sum::<u64>();
    cluster.at_rest().await;
    assert!(traffic(&cluster) > ROWS as u64, "about two thirds of three edges: {}", traffic(&cluster));
    let (books, _) = cluster.finish().await;
    assert_books(&books, 3 * ROWS as u64, 0);
    assert_eq!(counted(numbers(&log)), up_to(ROWS).into_iter().map(|n| (n, 3)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failure_anywhere_fails_the_root_where_its_spout_is() {
    let fates = Fates::new();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1_000));
    topology.bolt("pass", || Pass).shuffle("s");
    let picky =
        each(
            &Arc::new(()),
            NONE,
            |_: &Here<'_, ()>, event: Event<'_>, _: &mut Collector<'_>| {
                if event.n().is_some_and(|n| n % 10 == 3) { Err("a three".into()) } else { Ok(()) }
            },
        );
    topology.bolt("picky", picky).shuffle("pass");
    let place = by_component(&[("s", 0), ("pass", 1), ("picky", 2)]);
    let (books, _) = Cluster::start(topology, &two_cores(), 3, &place).await.finish().await;
    assert_books(&books, 900, 100);
    assert_eq!(fates.failed_ids(), up_to(1_000).into_iter().filter(|n| n % 10 == 3).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cycle_that_leads_through_two_slots_comes_to_rest() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 2_000));
    topology.bolt("first", || Pass).parallelism(2).shuffle("s").fields("second", ["n"]);
    // Each number comes down to below ten, and goes on then.
    let halve = each(
        &log,
        &[("default", &["n"], false)],
        |here: &Here<'_, Log<(i64, TaskId)>>, event: Event<'_>, out: &mut Collector<'_>| {
            let Some(n) = event.n() else { return Ok(()) };
            if n < 10 {
                here.log.push((n, here.task));
            } else {
                out.emit((n / 2,));
            }
            Ok(())
        },
    );
    topology.bolt("second", halve).parallelism(2).fields("first", ["n"]);
    let place = by_component(&[("s", 0), ("first", 0), ("second", 1)]);
    let cluster = Cluster::start(topology, &two_cores(), 2, &place).await;
    let (books, _) = cluster.finish().await;
    assert_books(&books, 2_000, 0);
    assert_eq!(log.len(), 2_000);
}

#[tokio::test]
async fn near_tasks_are_preferred_slot_before_worker() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 500)).parallelism(3);
    topology.bolt("b", sink(&log)).parallelism(2).local_or_shuffle("s");
    // Slots 0 and 1 are on one worker, slot 2 on another. Tasks 4 and 5 are the bolt's.
    let place: Place = Arc::new(|component, executor| match (component, executor) {
        ("s", 0) => Some(0),
        ("s", 1) => Some(1),
        ("b", 0) => Some(0),
        _ => Some(2),
    });
    let cluster = Cluster::start(topology, &one_core(), 3, &place).await;
    let (books, _) = cluster.finish().await;
    assert_books(&books, 1_500, 0);
    let by_task = counted(log.all().into_iter().map(|(_, task)| task.get()));
    assert_eq!(by_task, [(4, 1_000), (5, 500)], "slot 0's and its worker's to slot 0, slot 2's to itself");
}
