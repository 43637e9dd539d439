//! Random topologies on random placements: everything that was acked has arrived, everywhere, as often as it was sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use squall::{Delivery, Options, TaskId, TopologyBuilder};

use crate::cluster::*;
use crate::common::*;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Shuffle,
    Fields,
    PartialKey,
    All,
    Global,
    None,
    Near,
}

#[derive(Clone, Debug)]
struct BoltPlan {
    parallelism: u32,
    tasks_each: u32,
    blocking: bool,
    /// From which of the components before it, modulo their number, and how.
    inputs: Vec<(usize, Kind)>,
}

#[derive(Clone, Debug)]
struct Case {
    spouts: Vec<u32>,
    bolts: Vec<BoltPlan>,
    slots: usize,
    cores: usize,
    /// Dealt to executors in turn.
    places: Vec<usize>,
    tracked: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    use Kind::{All, Fields, Global, Near, None, PartialKey, Shuffle};
    prop_oneof![Just(Shuffle), Just(Fields), Just(PartialKey), Just(All), Just(Global), Just(None), Just(Near)]
}

fn case() -> impl Strategy<Value = Case> {
    let bolt = (1..4u32, 1..3u32, prop::bool::weighted(0.2), prop::collection::vec((0..9usize, kind()), 1..3));
    let bolt = bolt.prop_map(|(parallelism, tasks_each, blocking, inputs)| BoltPlan {
        parallelism,
        tasks_each,
        blocking,
        inputs,
    });
    let spouts = prop::collection::vec(1..4u32, 1..3);
    let bolts = prop::collection::vec(bolt, 1..5);
    (spouts, bolts, 1..4usize, 1..3usize, prop::collection::vec(0..9usize, 7), any::<bool>()).prop_map(
        |(spouts, bolts, slots, cores, places, tracked)| Case { spouts, bolts, slots, cores, places, tracked },
    )
}

const ROWS: i64 = 60;

type Taken = Vec<Arc<Log<(i64, TaskId)>>>;

/// The topology, what each bolt takes, and how often each number ought to come to it.
fn build(case: &Case, fates: &Arc<Fates>) -> (TopologyBuilder, Taken, Vec<usize>) {
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(if case.tracked { Delivery::AtLeastOnce } else { Delivery::AtMostOnce });
    let mut names: Vec<String> = Vec::new();
    // How many rows of each number a component emits.
    let mut copies: Vec<usize> = Vec::new();
    for (index, parallelism) in case.spouts.iter().enumerate() {
        names.push(format!("s{index}"));
        copies.push(*parallelism as usize);
        topology.spout(&names[index], count(fates, ROWS)).parallelism(*parallelism);
    }
    let mut taken = Vec::new();
    for (index, plan) in case.bolts.iter().enumerate() {
        let (name, log) = (format!("b{index}"), Log::new());
        let pass = each(
            &log,
            ONE,
            |here: &Here<'_, Log<(i64, TaskId)>>, event: Event<'_>, out: &mut squall::Collector<'_>| {
                if let Some(n) = event.n() {
                    here.log.push((n, here.task));
                    out.emit((n,));
                }
                Ok(())
            },
        );
        let tasks = plan.parallelism * plan.tasks_each;
        let mut bolt = topology.bolt(&name, pass).parallelism(plan.parallelism).tasks(tasks);
        if plan.blocking {
            bolt = bolt.blocking();
        }
        let mut comes = 0;
        let mut used = Vec::new();
        for (from, kind) in &plan.inputs {
            let from = from % names.len();
            if used.contains(&from) {
                continue;
            }
            used.push(from);
            let source = &*names[from];
            bolt = match kind {
                Kind::Shuffle => bolt.shuffle(source),
                Kind::Fields => bolt.fields(source, ["n"]),
                Kind::PartialKey => bolt.partial_key(source, ["n"]),
                Kind::All => bolt.all(source),
                Kind::Global => bolt.global(source),
                Kind::None => bolt.none(source),
                Kind::Near => bolt.local_or_shuffle(source),
            };
            comes += copies[from] * if matches!(kind, Kind::All) { tasks as usize } else { 1 };
        }
        names.push(name);
        copies.push(comes);
        taken.push(log);
    }
    (topology, taken, copies.split_off(case.spouts.len()))
}

async fn holds(case: Case) {
    let fates = Fates::new();
    let (topology, taken, copies) = build(&case, &fates);
    let roots: usize = case.spouts.iter().map(|tasks| *tasks as usize * ROWS as usize).sum();
    let (places, slots) = (case.places.clone(), case.slots);
    let place: Place = Arc::new(move |component, executor| {
        let seed = component.bytes().map(usize::from).sum::<usize>() + executor as usize;
        Some(places[seed % places.len()] % slots)
    });
    let options = Options { cores: case.cores, ..Options::default() };
    let cluster = Cluster::start(topology, &options, slots, &place).await;
    cluster.at_rest().await;
    let traffic = cluster.traffic();
    let (books, _) = cluster.finish().await;
    for (log, copies) in taken.iter().zip(copies) {
        let expected: BTreeMap<i64, usize> = (0..ROWS).map(|n| (n, copies)).collect();
        assert_eq!(counted(numbers(log)).into_iter().collect::<BTreeMap<_, _>>(), expected);
    }
    let sent: u64 = traffic.iter().map(|slot| slot.rows_sent).sum();
    let received: u64 = traffic.iter().map(|slot| slot.rows_received).sum();
    assert_eq!(sent, received);
    assert!(traffic.iter().all(|slot| (slot.refused, slot.rows_lost, slot.slots_lost) == (0, 0, 0)), "{traffic:?}");
    if case.tracked {
        assert_books(&books, roots as u64, 0);
        assert_eq!(fates.acked.len(), roots);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_row_comes_to_every_bolt_wherever_executors_are(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(holds(case));
    }
}
