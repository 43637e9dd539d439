use proptest::prelude::*;
use squall_types::cluster::{ExecutorId, Peer};

use super::*;

fn slot(number: u16) -> SlotId {
    SlotId { worker: "w".parse().unwrap(), number }
}

fn version(number: u64) -> AssignmentVersion {
    AssignmentVersion::new(number)
}

fn life(number: u64) -> SlotIncarnation {
    SlotIncarnation::new(number)
}

fn task(number: u16) -> TaskId {
    TaskId::new(number)
}

/// Slots by number, each with its tasks (an executor each) and the life that is known of.
fn placement(number: u64, slots: &[(u16, &[u16], Option<u64>)]) -> Placement {
    let peer = |(number, tasks, incarnation): &(u16, &[u16], Option<u64>)| {
        let executors = tasks.iter().map(|each| ExecutorId { first: task(*each), last: task(*each) }).collect();
        let peer = Peer { executors, incarnation: incarnation.map(life), ..Peer::default() };
        (slot(*number), peer)
    };
    Placement { version: version(number), slots: slots.iter().map(peer).collect() }
}

fn identity(number: u16, incarnation: u64) -> Identity {
    Identity {
        cluster: ClusterId::new(7).unwrap(),
        topology: "t".parse().unwrap(),
        slot: slot(number),
        incarnation: life(incarnation),
    }
}

/// Slot 0, told that slot 1 (in its third life) runs tasks 1 and 2, and slot 2 task 3.
fn fence() -> Fence {
    Fence::new(identity(0, 1), placement(5, &[(0, &[9], Some(1)), (1, &[1, 2], Some(3)), (2, &[3], None)]))
}

#[test]
fn whoever_means_somebody_else_is_told_so() {
    let mut fence = fence();
    let other_cluster = Identity { cluster: ClusterId::new(8).unwrap(), ..identity(1, 3) };
    assert_eq!(fence.greet(&other_cluster, &slot(0), version(5)), Err(Refusal::OtherCluster));
    let other_topology = Identity { topology: "u".parse().unwrap(), ..identity(1, 3) };
    assert_eq!(fence.greet(&other_topology, &slot(0), version(5)), Err(Refusal::OtherTopology));
    assert_eq!(fence.greet(&identity(1, 3), &slot(4), version(5)), Err(Refusal::OtherSlot { here: slot(0) }));
    assert_eq!(fence.greet(&identity(1, 3), &slot(0), version(5)), Ok(()));
}

#[test]
fn an_earlier_life_is_refused_once_a_later_one_was_seen() {
    let mut fence = fence();
    assert_eq!(fence.greet(&identity(1, 2), &slot(0), version(5)), Err(Refusal::Stale { seen: life(3) }));
    // Restarted by its daemon, without a master that could have said so.
    assert_eq!(fence.greet(&identity(1, 4), &slot(0), version(5)), Ok(()));
    assert_eq!(fence.admit(&slot(1), life(3), version(5), [task(1)]), Err(Refusal::Stale { seen: life(4) }));
    assert_eq!(fence.admit(&slot(1), life(4), version(5), [task(1)]), Ok(()));
}

#[test]
fn who_doesnt_run_what_it_sends_for_is_refused() {
    let mut fence = fence();
    assert_eq!(fence.admit(&slot(1), life(3), version(5), [task(1), task(2)]), Ok(()));
    let not_owner = Err(Refusal::NotOwner { version: version(5) });
    assert_eq!(fence.admit(&slot(1), life(3), version(5), [task(1), task(3)]), not_owner);
    assert_eq!(fence.admit(&slot(1), life(3), version(4), [task(3)]), not_owner);
    assert_eq!(fence.greet(&identity(8, 1), &slot(0), version(5)), not_owner, "a slot without work can't ack either");
}

#[test]
fn who_knows_more_is_asked_to_come_again() {
    let mut fence = fence();
    let not_yet = Err(Refusal::NotYet { version: version(5) });
    assert_eq!(fence.greet(&identity(8, 1), &slot(0), version(6)), not_yet);
    assert_eq!(fence.admit(&slot(1), life(3), version(6), [task(3)]), not_yet);
    assert!(fence.learn(placement(6, &[(1, &[1, 2, 3], None), (8, &[4], None)])));
    assert_eq!(fence.greet(&identity(8, 1), &slot(0), version(6)), Ok(()));
    assert_eq!(fence.admit(&slot(1), life(3), version(6), [task(3)]), Ok(()));
}

#[test]
fn slots_that_a_change_doesnt_touch_stream_on_across_versions() {
    let mut fence = fence();
    // Slot 2 is gone; what it ran is elsewhere. Slot 1 doesn't know of it yet.
    fence.learn(placement(6, &[(0, &[9], None), (1, &[1, 2], Some(3)), (3, &[3], None)]));
    assert_eq!(fence.admit(&slot(1), life(3), version(5), [task(1), task(2)]), Ok(()));
    assert_eq!(fence.admit(&slot(2), life(1), version(5), [task(3)]), Err(Refusal::NotOwner { version: version(6) }));
    assert_eq!(fence.greet(&identity(2, 1), &slot(0), version(5)), Err(Refusal::NotOwner { version: version(6) }));
}

#[test]
fn an_older_placement_teaches_nothing() {
    let mut fence = fence();
    assert!(!fence.learn(placement(4, &[(2, &[1, 2, 3], Some(9))])));
    assert_eq!(fence.admit(&slot(1), life(3), version(5), [task(1)]), Ok(()));
    assert_eq!(fence.latest(&slot(2)), None);
}

#[test]
fn the_same_version_with_later_lives_is_learnt() {
    let mut fence = fence();
    assert!(fence.learn(placement(5, &[(0, &[9], Some(1)), (1, &[1, 2], Some(4)), (2, &[3], Some(1))])));
    assert_eq!(fence.admit(&slot(1), life(3), version(5), [task(1)]), Err(Refusal::Stale { seen: life(4) }));
    // Old news of the same version doesn't bring an old life back.
    assert!(fence.learn(placement(5, &[(1, &[1, 2], Some(2))])));
    assert_eq!(fence.latest(&slot(1)), Some(life(4)));
}

#[derive(Clone, Debug)]
enum Event {
    Greet { from: u16, incarnation: u64, version: u64 },
    Learn { version: u64, owners: Vec<u16>, lives: Vec<u64> },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let greet = (1..4u16, 1..6u64, 1..8u64).prop_map(|(from, incarnation, version)| Event::Greet {
        from,
        incarnation,
        version,
    });
    let learn = (1..8u64, prop::collection::vec(1..4u16, 4), prop::collection::vec(1..6u64, 4))
        .prop_map(|(version, owners, lives)| Event::Learn { version, owners, lives });
    prop::collection::vec(prop_oneof![greet, learn], 0..30)
}

proptest! {
    /// Whatever is heard in whatever order: one slot at the most is let in for a task, and a life that was followed never is again.
    #[test]
    fn one_slot_may_send_for_a_task_and_only_in_its_latest_life(events in events()) {
        let mut fence = Fence::new(identity(0, 1), placement(1, &[(1, &[1, 2, 3, 4], None)]));
        let mut seen = BTreeMap::<u16, u64>::new();
        for event in events {
            match event {
                Event::Greet { from, incarnation, version: told } => {
                    let greeted = fence.greet(&identity(from, incarnation), &slot(0), version(told));
                    let latest = seen.get(&from).copied().unwrap_or(0);
                    prop_assert!(greeted.is_err() || incarnation >= latest);
                    if greeted.is_ok() {
                        seen.insert(from, incarnation);
                    }
                }
                Event::Learn { version: number, owners, lives } => {
                    let of = |number: u16| -> Vec<u16> {
                        (1..=4).filter(|task| owners[usize::from(*task) - 1] == number).collect()
                    };
                    let tasks: Vec<Vec<u16>> = (1..4).map(of).collect();
                    let slots: Vec<(u16, &[u16], Option<u64>)> =
                        (1..4).map(|number| (number, &*tasks[usize::from(number) - 1], Some(lives[usize::from(number)]))).collect();
                    if fence.learn(placement(number, &slots)) {
                        for (number, _, incarnation) in slots {
                            let latest = seen.entry(number).or_default();
                            *latest = incarnation.unwrap_or(0).max(*latest);
                        }
                    }
                }
            }
            for each in 1..=4 {
                let admitted: Vec<(u16, u64)> = (1..4u16)
                    .flat_map(|from| (1..6u64).map(move |incarnation| (from, incarnation)))
                    .filter(|(from, incarnation)| fence.admit(&slot(*from), life(*incarnation), version(1), [task(each)]).is_ok())
                    .collect();
                let slots: std::collections::BTreeSet<u16> = admitted.iter().map(|(from, _)| *from).collect();
                prop_assert!(slots.len() <= 1, "task {}: {:?}", each, admitted);
                prop_assert!(admitted.iter().all(|(from, incarnation)| *incarnation >= seen.get(from).copied().unwrap_or(0)));
            }
        }
    }
}
