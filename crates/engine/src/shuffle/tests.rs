use std::cell::Cell;

use proptest::prelude::*;

use super::*;

fn load(queued_rows: u32, row_cost_ns: u32) -> Load {
    Load { queued_rows, row_cost_ns, full: false }
}

fn full(queued_rows: u32, row_cost_ns: u32) -> Load {
    Load { full: true, ..load(queued_rows, row_cost_ns) }
}

/// Where a new run goes, with these loads.
fn choice(loads: &[Load]) -> usize {
    Dealer::new(loads.len()).take_run(1, |target| loads[target]).target
}

fn run_length(row_cost_ns: u32) -> u32 {
    Dealer::new(1).take_run(u32::MAX, |_| load(0, row_cost_ns)).rows
}

#[test]
fn a_run_is_100_us_of_work_within_1_and_256_rows() {
    assert_eq!(
        [1, 390, 391, 1_000, 50_000, 50_001, 100_000, u32::MAX].map(run_length),
        [256, 256, 255, 100, 2, 1, 1, 1]
    );
}

#[test]
fn a_receiver_of_unknown_cost_gets_one_row() {
    assert_eq!(run_length(0), 1);
}

#[test]
fn a_run_goes_on_across_calls_without_asking_again() {
    let asked = Cell::new(0);
    let ask = |_| {
        asked.set(asked.get() + 1);
        load(0, 1_000)
    };
    let mut dealer = Dealer::new(3);
    let runs: Vec<_> = [30, 60, 30, 100].map(|wanted| dealer.take_run(wanted, ask)).into();
    let run = |target, rows| Run { target, rows };
    assert_eq!(runs, [run(0, 30), run(0, 60), run(0, 10), run(1, 100)]);
    assert_eq!(asked.get(), 6);
}

#[test]
fn wanting_nothing_takes_nothing() {
    let mut dealer = Dealer::new(2);
    assert_eq!(dealer.take_run(0, |_| load(0, 1_000)), Run { target: 0, rows: 0 });
    assert_eq!(dealer.take_run(500, |_| load(0, 1_000)), Run { target: 0, rows: 100 });
}

#[test]
fn equal_receivers_take_turns_exactly_when_runs_are_one_row() {
    let mut dealer = Dealer::new(3);
    let targets: Vec<_> = (0..9).map(|_| dealer.take_run(5, |_| load(4, 200_000)).target).collect();
    assert_eq!(targets, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_run_ended_by_a_flush_makes_low_rates_take_turns_row_by_row() {
    let mut dealer = Dealer::new(3);
    let deal = |dealer: &mut Dealer| {
        let run = dealer.take_run(1, |_| load(0, 100));
        dealer.end_run();
        run.target
    };
    assert_eq!([(); 6].map(|()| deal(&mut dealer)), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn senders_can_start_at_different_receivers() {
    let first = |first| Dealer::starting_at(3, first).take_run(1, |_| load(0, 100)).target;
    assert_eq!([0, 1, 2, 3, 7].map(first), [0, 1, 2, 0, 1]);
}

#[test]
fn the_next_run_goes_where_the_wait_is_least_not_where_the_fewest_rows_are() {
    assert_eq!(choice(&[load(10, 5_000), load(40, 1_000), load(1, 50_000)]), 1);
}

#[test]
fn rows_of_unknown_cost_count_as_a_run_each() {
    assert_eq!(choice(&[load(1, 0), load(99, 1_000)]), 1);
    assert_eq!(choice(&[load(1, 0), load(101, 1_000)]), 0);
    assert_eq!(choice(&[load(2, 0), load(1, 0), load(3, 0)]), 1);
}

#[test]
fn a_full_receiver_is_passed_over_while_another_has_room() {
    assert_eq!(choice(&[full(1, 1), load(1_000, 1_000), full(0, 0)]), 1);
}

#[test]
fn when_all_are_full_the_least_wait_is_chosen() {
    assert_eq!(choice(&[full(10, 1_000), full(10, 100), full(10, 1_000)]), 1);
}

#[test]
fn the_longest_queue_of_the_slowest_rows_does_not_overflow() {
    assert_eq!(choice(&[load(u32::MAX, u32::MAX), load(u32::MAX, u32::MAX - 1)]), 1);
}

#[test]
fn no_receivers_count_as_one() {
    assert_eq!(Dealer::new(0).take_run(1, |_| load(0, 0)), Run { target: 0, rows: 1 });
}

/// Receivers with bounded inboxes behind one sender, in steps of 10 µs.
struct Simulation {
    dealer: Dealer,
    receivers: Vec<Receiver>,
    /// Rows dealt to a receiver that was full: the sender waits with them.
    held: Option<Run>,
}

struct Receiver {
    cost_ns: u64,
    queued: u32,
    /// Nanoseconds of work it could have done and has not.
    credit_ns: u64,
    done: u64,
}

const INBOX: u32 = 1_024;
const STEP_NS: u64 = 10_000;

impl Simulation {
    fn new(costs: &[u64]) -> Self {
        let receivers = costs.iter().map(|&cost_ns| Receiver { cost_ns, queued: 0, credit_ns: 0, done: 0 }).collect();
        Self { dealer: Dealer::new(costs.len()), receivers, held: None }
    }

    /// Deals up to `rows`, until the sender must wait for room.
    fn send(&mut self, mut rows: u32) {
        while rows > 0 || self.held.is_some() {
            let run = self.held.take().unwrap_or_else(|| {
                let receivers = &self.receivers;
                let run = self.dealer.take_run(rows, |target| receivers[target].load());
                rows -= run.rows;
                run
            });
            let receiver = &mut self.receivers[run.target];
            let sent = run.rows.min(INBOX - receiver.queued);
            receiver.queued += sent;
            if sent < run.rows {
                self.held = Some(Run { rows: run.rows - sent, ..run });
                return;
            }
        }
    }

    fn steps(&mut self, steps: u32, rows_a_step: u32) -> Vec<u64> {
        for _ in 0..steps {
            self.send(rows_a_step);
            self.receivers.iter_mut().for_each(Receiver::work);
        }
        self.receivers.iter().map(|receiver| receiver.done).collect()
    }
}

impl Receiver {
    fn load(&self) -> Load {
        // Its cost is known once it has done a row.
        let row_cost_ns = if self.done == 0 { 0 } else { self.cost_ns as u32 };
        Load { queued_rows: self.queued, row_cost_ns, full: self.queued >= INBOX }
    }

    fn work(&mut self) {
        self.credit_ns += STEP_NS;
        let rows = u64::from(self.queued).min(self.credit_ns / self.cost_ns);
        self.queued -= rows as u32;
        self.done += rows;
        self.credit_ns -= rows * self.cost_ns;
        if self.queued == 0 {
            self.credit_ns = 0;
        }
    }
}

#[test]
fn a_slow_receiver_does_not_hold_up_the_others() {
    const STEPS: u32 = 100_000;
    let costs = [1_000, 1_000, 10_000, 1_000];
    let done = Simulation::new(&costs).steps(STEPS, u32::MAX);
    for (receiver, cost) in costs.into_iter().enumerate() {
        let undisturbed = u64::from(STEPS) * STEP_NS / cost;
        assert!(done[receiver] * 10 >= undisturbed * 9, "receiver {receiver} did {done:?}, of {undisturbed}");
    }
}

#[test]
fn a_very_slow_receiver_gets_rows_one_by_one_and_little_queue() {
    let mut simulation = Simulation::new(&[1_000, 1_000_000]);
    simulation.steps(10_000, 9);
    assert!(simulation.receivers[1].done > 0);
    assert!(simulation.receivers[1].queued <= 1, "{} rows wait", simulation.receivers[1].queued);
}

#[test]
fn equal_receivers_are_balanced_within_one_percent() {
    for rows_a_step in [1, 7, 30, u32::MAX] {
        let done = Simulation::new(&[1_000; 4]).steps(50_000, rows_a_step);
        let (least, most) = done.iter().fold((u64::MAX, 0), |(least, most), &done| (least.min(done), most.max(done)));
        assert!((most - least) * 100 <= most, "at {rows_a_step} rows a step: {done:?}");
    }
}

#[test]
fn receivers_are_loaded_in_proportion_to_their_speed() {
    let done = Simulation::new(&[1_000, 2_000, 4_000]).steps(100_000, u32::MAX);
    assert_eq!(
        [done[1] * 20 / done[0], done[2] * 40 / done[0]].map(|share| (9..=10).contains(&share)),
        [true, true],
        "{done:?}"
    );
}

fn any_load() -> impl Strategy<Value = Load> {
    let cost = prop_oneof![Just(0), 1..1_000u32, any::<u32>()];
    (prop_oneof![0..4u32, any::<u32>()], cost, any::<bool>()).prop_map(|(queued_rows, row_cost_ns, full)| Load {
        queued_rows,
        row_cost_ns,
        full,
    })
}

proptest! {
    #[test]
    fn a_run_has_1_to_wanted_rows_and_a_target_that_exists(
        targets in 1..6usize,
        first: usize,
        steps in prop::collection::vec((1..400u32, prop::collection::vec(any_load(), 6), any::<bool>()), 1..50),
    ) {
        let mut dealer = Dealer::starting_at(targets, first);
        for (wanted, loads, flush) in steps {
            let run = dealer.take_run(wanted, |target| loads[target]);
            prop_assert!(run.target < targets);
            prop_assert!((1..=wanted.min(RUN_ROWS)).contains(&run.rows));
            if flush {
                dealer.end_run();
            }
        }
    }

    #[test]
    fn a_new_run_never_goes_to_a_worse_receiver_than_another(loads in prop::collection::vec(any_load(), 1..8)) {
        let chosen = loads[choice(&loads)];
        let room = loads.iter().any(|load| !load.full);
        prop_assert_eq!(chosen.full, !room);
        let cost = |load: &Load| if load.row_cost_ns == 0 { 100_000 } else { u64::from(load.row_cost_ns) };
        let wait = |load: &Load| u64::from(load.queued_rows) * cost(load);
        let least = loads.iter().filter(|load| load.full != room).map(wait).min();
        prop_assert_eq!(Some(wait(&chosen)), least);
    }
}
