use squall_types::TaskId;
use squall_types::cluster::ExecutorId;

use super::*;

/// Brings slot 0 to run program 1, in its life 1000, at time 10.
fn running() -> Core {
    let mut core = fresh();
    assert_eq!(core.handle(ms(0), 0, Event::Desired(desired(1, 5, &[(0, 1)]))), [Effect::Fetch(package(1))]);
    let started = core.handle(ms(1), 0, Event::Fetched { package: package(1), result: Ok(()) });
    assert_eq!(started, [Effect::Start { number: 0, incarnation: life(1_000), package: package(1) }]);
    let pid = Event::Started { number: 0, incarnation: life(1_000), result: Ok(77) };
    assert_eq!(core.handle(ms(2), 0, pid), []);
    let ordered = core.handle(ms(3), 0, Event::Greeted { number: 0, incarnation: life(1_000) });
    assert!(matches!(ordered.as_slice(), [Effect::Order { number: 0, .. }]), "{ordered:?}");
    let heard = Event::Beat { number: 0, incarnation: life(1_000), beat: beat(Doing::Running) };
    assert_eq!(core.handle(ms(10), 0, heard), []);
    core
}

fn report(core: &Core, now: u64) -> Report {
    core.reports(ms(now)).remove(0)
}

fn exited(incarnation: u64) -> Event {
    Event::Exited { number: 0, incarnation: life(incarnation), exit: exit("exit code 1") }
}

#[test]
fn from_a_masters_word_to_a_process_that_runs() {
    let mut core = running();
    let report = report(&core, 10);
    assert_eq!((report.state, report.pid, report.address.as_str()), (State::Running, Some(77), "h:77"));
    assert!(core.take_dirty() && !core.take_dirty());
    assert_eq!(core.memory().ports.get(&0), Some(&77));
    assert_eq!(core.packages(), [package(1)].into());
}

#[test]
fn the_same_word_again_does_nothing_and_another_placement_is_passed_on() {
    let mut core = running();
    core.take_dirty();
    assert_eq!(core.handle(ms(11), 0, Event::Desired(desired(1, 5, &[(0, 1)]))), []);
    assert!(!core.take_dirty());
    let mut changed = desired(1, 6, &[(0, 1)]);
    changed.slots.get_mut(&0).unwrap().active = false;
    let effects = core.handle(ms(12), 0, Event::Desired(changed));
    let [Effect::Order { orders, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(!orders.wanted.active && orders.port == 77 && orders.identity.incarnation == life(1_000));
}

#[test]
fn a_process_that_fails_comes_back_at_once_then_later_and_the_loop_is_named() {
    let mut core = running();
    let mut waits = Vec::new();
    let mut now = 20;
    for incarnation in 1_000..1_004 {
        core.handle(ms(now), 500, exited(incarnation));
        let failed_at = now;
        while core.reports(ms(now))[0].incarnation.is_none() {
            now += 100;
            core.handle(ms(now), 0, Event::Tick);
        }
        waits.push(now - failed_at);
        now += 1;
    }
    assert_eq!(waits, [0, 500, 1_000, 2_000]);
    let text = report(&core, now).text;
    assert!(text.starts_with("crash loop: failed 4 times in a row, last: exit code 1"), "{text}");
}

#[test]
fn what_it_said_and_the_end_of_its_stderr_are_told_of_a_failure() {
    let mut core = running();
    let exit = Exit { how: "exit code 101".to_owned(), stderr: "thread 'main' panicked".to_owned() };
    core.handle(ms(20), 0, Event::Exited { number: 0, incarnation: life(1_000), exit });
    let text = report(&core, 20).text;
    assert_eq!(text, "failed once, last: exit code 101; the end of its stderr:\nthread 'main' panicked");
}

#[test]
fn another_program_takes_the_place_once_the_old_process_is_gone() {
    let mut core = running();
    let effects = core.handle(ms(20), 0, Event::Desired(desired(1, 6, &[(0, 2)])));
    assert_eq!(effects, [Effect::Stop { number: 0, drain: ms(250) }]);
    assert_eq!(core.handle(ms(21), 0, Event::Tick), []);
    assert_eq!(core.handle(ms(22), 0, exited(1_000)), [Effect::Fetch(package(2))]);
    let effects = core.handle(ms(23), 0, Event::Fetched { package: package(2), result: Ok(()) });
    assert_eq!(effects, [Effect::Start { number: 0, incarnation: life(1_001), package: package(2) }]);
    assert_eq!(core.packages(), [package(2)].into());
}

/// A newer state in which slot 0 runs these executors of program 1.
fn with_executors(revision: u64, firsts: &[u16], shape: u64) -> Event {
    let mut state = desired(1, revision, &[(0, 1)]);
    let executor = |first: &u16| ExecutorId { first: TaskId::new(*first), last: TaskId::new(*first) };
    let program = &mut state.slots.get_mut(&0).unwrap().program;
    (program.executors, program.shape) = (firsts.iter().map(executor).collect(), shape);
    Event::Desired(state)
}

#[test]
fn a_process_takes_more_executors_while_it_runs_and_fewer_are_another_process() {
    let mut core = running();
    for (revision, firsts) in [(6, &[1][..]), (7, &[1, 4])] {
        let effects = core.handle(ms(20), 0, with_executors(revision, firsts, 0));
        assert!(matches!(effects.as_slice(), [Effect::Order { .. }]), "{effects:?}");
    }
    let effects = core.handle(ms(21), 0, with_executors(8, &[4, 5], 0));
    assert_eq!(effects, [Effect::Stop { number: 0, drain: ms(250) }]);
    let effects = core.handle(ms(22), 0, exited(1_000));
    assert_eq!(effects, [Effect::Start { number: 0, incarnation: life(1_001), package: package(1) }]);
}

#[test]
fn another_shape_of_the_topology_is_another_process() {
    let mut core = running();
    let effects = core.handle(ms(20), 0, with_executors(6, &[1], 7));
    assert_eq!(effects, [Effect::Stop { number: 0, drain: ms(250) }]);
}

#[test]
fn a_process_that_does_not_end_is_killed_until_it_is_gone() {
    let mut core = running();
    core.handle(ms(20), 0, Event::Desired(desired(1, 6, &[])));
    let killed: Vec<u64> = (1..=80)
        .map(|round| 20 + round * 100)
        .filter(|now| core.handle(ms(*now), 0, Event::Tick) == [Effect::Kill { number: 0 }])
        .collect();
    assert_eq!(killed, [4_020, 5_020, 6_020, 7_020, 8_020]);
    core.handle(ms(8_100), 0, exited(1_000));
    assert!(core.is_empty() && core.reports(ms(8_100)).is_empty());
}

#[test]
fn a_silent_process_is_killed_and_started_again() {
    let mut core = running();
    let killed = (1..).map(|round| 10 + round * 100).find(|now| !core.handle(ms(*now), 0, Event::Tick).is_empty());
    assert_eq!(killed, Some(3_110));
    let effects = core.handle(ms(3_120), 0, exited(1_000));
    assert_eq!(effects, [Effect::Start { number: 0, incarnation: life(1_001), package: package(1) }]);
    assert_eq!(report(&core, 3_120).text, "failed once, last: it stopped answering");
}

#[test]
fn a_daemon_that_was_stopped_itself_blames_nobody() {
    let mut core = running();
    assert_eq!(core.handle(ms(60_000), 0, Event::Tick), []);
    assert_eq!(core.handle(ms(60_100), 0, Event::Tick), []);
}

#[test]
fn a_process_that_says_no_hello_is_killed() {
    let mut core = running();
    core.handle(ms(20), 0, exited(1_000));
    let killed = (1..).map(|round| 20 + round * 100).find(|now| !core.handle(ms(*now), 0, Event::Tick).is_empty());
    assert_eq!(killed, Some(10_120));
}

#[test]
fn an_older_state_and_another_clusters_change_nothing() {
    let mut core = running();
    let strange = Desired { cluster: cluster(2), ..desired(9, 9, &[]) };
    for refused in [desired(1, 4, &[]), desired(0, 900, &[]), strange] {
        assert_eq!(core.handle(ms(20), 0, Event::Desired(refused)), []);
        assert_eq!(core.concerns().len(), 1);
        assert_eq!(report(&core, 20).state, State::Running);
    }
    core.handle(ms(21), 0, Event::Desired(desired(1, 5, &[(0, 1)])));
    assert!(core.concerns().is_empty());
}

#[test]
fn what_a_later_life_of_the_cluster_does_not_know_runs_on_and_is_listed() {
    let mut core = running();
    assert_eq!(core.handle(ms(20), 0, Event::Desired(desired(2, 1, &[]))), []);
    assert_eq!(core.handle(ms(21), 0, Event::Desired(desired(2, 2, &[]))), []);
    let kept = report(&core, 21);
    assert!(kept.state == State::Kept && kept.text.contains("epoch 1") && kept.text.contains("process 77"), "{kept:?}");
    assert!(core.is_empty(), "it isn't this cluster's any more");
    // Another topology in its place has to wait for it.
    assert_eq!(core.handle(ms(22), 0, Event::Desired(desired(2, 3, &[(0, 2)]))), []);
    assert!(report(&core, 22).text.contains("t2 waits for its place"));
    // The same topology takes it over, and from then on it is the new life's.
    let effects = core.handle(ms(23), 0, Event::Desired(desired(2, 4, &[(0, 1)])));
    assert!(matches!(effects.as_slice(), [Effect::Order { .. }]), "{effects:?}");
    assert_eq!(report(&core, 23).state, State::Running);
    let effects = core.handle(ms(24), 0, Event::Desired(desired(2, 5, &[])));
    assert!(matches!(effects.as_slice(), [Effect::Stop { .. }]), "{effects:?}");
}

#[test]
fn a_daemon_that_was_started_anew_takes_its_processes_over() {
    let before = running();
    let memory = before.memory().clone();
    let identity =
        Identity { cluster: cluster(1), epoch: Epoch::new(1), incarnation: life(1_000), program: program(1) };
    let mut core = Core::new(Patience::DEFAULT, ms(0), 0, memory.clone(), [0].into());
    assert_eq!(core.memory().incarnation.get(), 1_001);
    assert_eq!(core.handle(ms(5_000), 0, Event::Tick), [], "it hasn't looked yet");
    let found = Event::Found { number: 0, found: Some((77, identity.clone())) };
    assert!(matches!(core.handle(ms(5_001), 0, found).as_slice(), [Effect::Order { .. }]));
    assert_eq!(report(&core, 5_001).incarnation, Some(life(1_000)));

    // One that the state obeyed lacks is asked to end.
    let mut memory = memory;
    memory.wanted.clear();
    let mut core = Core::new(Patience::DEFAULT, ms(0), 0, memory, [0].into());
    let found = Event::Found { number: 0, found: Some((77, identity)) };
    assert!(matches!(core.handle(ms(1), 0, found).as_slice(), [Effect::Stop { .. }]));
}

#[test]
fn without_masters_a_daemon_goes_by_what_it_remembers_after_a_while() {
    let before = running();
    let mut core = Core::new(Patience::DEFAULT, ms(0), 0, before.memory().clone(), [0].into());
    assert_eq!(core.handle(ms(1), 0, Event::Found { number: 0, found: None }), []);
    let started = (1..).map(|round| round * 100).find(|now| !core.handle(ms(*now), 0, Event::Tick).is_empty());
    assert_eq!(started, Some(2_000));
}

#[test]
fn a_package_that_turns_out_damaged_is_fetched_again() {
    let mut core = running();
    core.handle(ms(20), 0, exited(1_000));
    let damaged = NotStarted::Package("not what its name says".to_owned());
    let effects = core.handle(ms(21), 0, Event::Started { number: 0, incarnation: life(1_001), result: Err(damaged) });
    assert_eq!(effects, [Effect::Fetch(package(1))]);
    let full = Err("the disk is full".to_owned());
    assert_eq!(core.handle(ms(22), 0, Event::Fetched { package: package(1), result: full }), []);
    assert_eq!(report(&core, 22).text, "the disk is full");
    assert_eq!(core.concerns()[0].cause, "the disk is full");
    assert_eq!(core.handle(ms(300), 0, Event::Tick), [Effect::Fetch(package(1))]);
}

#[test]
fn a_system_that_starts_no_process_is_given_time() {
    let mut core = running();
    core.handle(ms(20), 0, exited(1_000));
    let refused = NotStarted::System("too many processes".to_owned());
    assert_eq!(
        core.handle(ms(21), 0, Event::Started { number: 0, incarnation: life(1_001), result: Err(refused) }),
        []
    );
    assert!(report(&core, 21).text.contains("too many processes"));
    assert_eq!(core.handle(ms(1_000), 0, Event::Tick), []);
    assert!(matches!(core.handle(ms(1_100), 0, Event::Tick).as_slice(), [Effect::Start { .. }]));
}

#[test]
fn a_worker_that_leaves_ends_what_is_its_own_and_remembers_nothing_to_run() {
    let mut core = running();
    assert_eq!(core.handle(ms(20), 0, Event::Leave), [Effect::Stop { number: 0, drain: ms(3_000) }]);
    assert_eq!(core.handle(ms(21), 0, Event::Desired(desired(1, 9, &[(0, 1), (1, 2)]))), []);
    core.handle(ms(22), 0, exited(1_000));
    assert!(core.is_empty() && core.memory().wanted.is_empty());
}

#[test]
fn a_topology_without_a_program_is_said_to_have_none() {
    let mut core = fresh();
    let mut bare = desired(1, 1, &[(0, 1)]);
    bare.slots.get_mut(&0).unwrap().program.package = None;
    assert_eq!(core.handle(ms(0), 0, Event::Desired(bare)), []);
    assert_eq!(report(&core, 0).text, "its topology was submitted without a program");
}
