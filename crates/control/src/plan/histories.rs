//! Whatever becomes of workers and topologies, plans keep every rule and settle at once.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use squall_types::TaskId;
use squall_types::cluster::ExecutorId;
use squall_types::topology::Resources;

use super::tests::{World, world};
use super::*;
use crate::check::check;

/// What happens to one of the workers or topologies, whichever the number comes to.
#[derive(Clone, Debug)]
enum Happens {
    Stands(usize, Standing),
    Slots(usize, u16),
    Has(usize, u64, u64),
    Lost(usize, bool),
    Tagged(usize, bool),
    Zone(usize, u8),
    Needs(usize, usize, Resources),
    WantsTag(usize, usize, bool),
    Limits(usize, bool, bool),
    Ceiling(usize, u32),
    KeepsAway(usize, Option<usize>),
    Evenly(usize),
    /// A component has so many executors from now on, in another version.
    Parallelism(usize, usize, u16),
    Ends(usize),
    Comes(usize),
}

const WORKERS: usize = 5;
const TOPOLOGIES: usize = 4;

fn standings() -> impl Strategy<Value = Standing> {
    use Standing::{CutOff, Dead, Draining, Left, Open, Quarantined, Suspect, Unheard};
    prop::sample::select(vec![Open, Open, Open, Quarantined, Draining, Draining, Unheard, Suspect, CutOff, Left, Dead])
}

fn happens() -> impl Strategy<Value = Happens> {
    let (worker, topology, bit) = (0..WORKERS, 0..TOPOLOGIES, any::<bool>());
    let needs = (prop::sample::select(vec![0_u32, 10, 60, 150]), prop::sample::select(vec![0_u32, 128, 3_000]));
    let needs = needs.prop_map(|(cpu_percent, memory_mib)| Resources { cpu_percent, memory_mib });
    let place: Range<usize> = 0..2;
    prop_oneof![
        6 => (worker.clone(), standings()).prop_map(|(it, standing)| Happens::Stands(it, standing)),
        1 => (worker.clone(), 0_u16..4).prop_map(|(it, slots)| Happens::Slots(it, slots)),
        2 => (worker.clone(), 0_u64..400, 0_u64..9_000).prop_map(|(it, cpu, memory)| Happens::Has(it, cpu, memory)),
        1 => (worker.clone(), bit).prop_map(|(it, lost)| Happens::Lost(it, lost)),
        1 => (worker.clone(), bit).prop_map(|(it, tagged)| Happens::Tagged(it, tagged)),
        1 => (worker, 0_u8..3).prop_map(|(it, zone)| Happens::Zone(it, zone)),
        2 => (topology.clone(), place.clone(), needs).prop_map(|(it, place, needs)| Happens::Needs(it, place, needs)),
        1 => (topology.clone(), place.clone(), bit).prop_map(|(it, place, wants)| Happens::WantsTag(it, place, wants)),
        2 => (topology.clone(), bit, bit).prop_map(|(it, cpu, memory)| Happens::Limits(it, cpu, memory)),
        2 => (topology.clone(), 0_u32..4).prop_map(|(it, slots)| Happens::Ceiling(it, slots)),
        2 => (topology.clone(), prop::option::of(topology.clone())).prop_map(|(it, other)| Happens::KeepsAway(it, other)),
        1 => topology.clone().prop_map(Happens::Evenly),
        2 => (topology.clone(), place, 0_u16..6).prop_map(|(it, place, count)| Happens::Parallelism(it, place, count)),
        1 => topology.clone().prop_map(Happens::Ends),
        1 => topology.prop_map(Happens::Comes),
    ]
}

fn name(topology: usize) -> String {
    format!("t{topology}")
}

fn come(world: World, topology: usize) -> World {
    world.topology(&name(topology), &[("spout", 3), ("bolt", 4)])
}

fn happen(mut world: World, what: &Happens) -> World {
    let worker = |world: &mut World, it: usize, change: &dyn Fn(&mut Worker)| {
        world.input.workers.values_mut().nth(it).into_iter().for_each(change);
    };
    let topology = |world: &mut World, it: usize, change: &dyn Fn(&mut Topology)| {
        world.input.topologies.get_mut(&name(it).parse().unwrap()).into_iter().for_each(change);
    };
    match what {
        Happens::Stands(it, standing) => worker(&mut world, *it, &|it| it.standing = *standing),
        Happens::Slots(it, slots) => worker(&mut world, *it, &|it| it.slots = *slots),
        Happens::Has(it, cpu, memory) => {
            worker(&mut world, *it, &|it| (it.cpu_percent, it.memory_mib) = (*cpu, *memory));
        }
        Happens::Lost(it, lost) => worker(&mut world, *it, &|it| it.lost = lost.then_some(0).into_iter().collect()),
        Happens::Tagged(it, tagged) => worker(&mut world, *it, &|it| it.tags = gpu(*tagged)),
        Happens::Zone(it, zone) => worker(&mut world, *it, &|it| it.zone = format!("zone-{zone}")),
        Happens::Needs(it, place, needs) => topology(&mut world, *it, &|it| it.components[*place].needs = *needs),
        Happens::WantsTag(it, place, wants) => {
            topology(&mut world, *it, &|it| it.components[*place].tags = gpu(*wants));
        }
        Happens::Limits(it, cpu, memory) => {
            topology(&mut world, *it, &|it| (it.options.hard_cpu, it.options.hard_memory) = (*cpu, *memory));
        }
        Happens::Ceiling(it, slots) => topology(&mut world, *it, &|it| it.options.max_slots = *slots),
        Happens::KeepsAway(it, other) => topology(&mut world, *it, &|it| {
            it.options.anti_affinity = other.map(|other| name(other).parse().unwrap()).into_iter().collect();
        }),
        Happens::Evenly(it) => topology(&mut world, *it, &|it| it.evenly = true),
        Happens::Parallelism(it, place, count) => topology(&mut world, *it, &|it| {
            let first = 101 + 100 * u16::try_from(*place).unwrap();
            let executor = |task| ExecutorId { first: TaskId::new(task), last: TaskId::new(task) };
            it.components[*place].executors = (first..first + count).map(executor).collect();
            it.version = it.version.next();
        }),
        Happens::Ends(it) => drop(world.input.topologies.remove(&name(*it).parse().unwrap())),
        Happens::Comes(it) => return come(world, *it),
    }
    world
}

fn gpu(tagged: bool) -> std::collections::BTreeSet<String> {
    tagged.then(|| "gpu".to_owned()).into_iter().collect()
}

proptest! {
    #[test]
    fn whatever_happens_plans_hold_and_settle(steps in vec(vec(happens(), 1..4), 1..12)) {
        let mut world = (0..TOPOLOGIES).fold(world().workers(WORKERS, 2), come);
        for step in &steps {
            world = step.iter().fold(world, happen);
            let made = plan(&world.input);
            prop_assert_eq!(check(&world.input, &made), []);
            world.adopt(&made);
            let again = plan(&world.input);
            prop_assert!(again.is_empty(), "a second plan moves {:?}", again.moves);
            prop_assert_eq!(check(&world.input, &again), []);
        }
    }
}
