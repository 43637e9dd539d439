//! Rows fed from outside.

use std::thread;

use squall::{
    Bolt, Collector, FeedError, Feeder, FeederSpout, Outcome, Replay, Result, Runner, TopologyBuilder, Tuple,
};
use squall::{Stopper, TryFeedError, feeder};

use crate::kit::{LONG, Number, policy, wait_for};

struct Odd;

impl Bolt for Odd {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        let Number { number } = tuple.read()?;
        if number % 2 == 0 { Err("even".into()) } else { Ok(()) }
    }
}

fn start(spout: FeederSpout<Number>, tasks: u32) -> (Stopper, thread::JoinHandle<Outcome>) {
    let mut topology = TopologyBuilder::new("fed");
    topology.spout("fed", move || spout.clone()).parallelism(tasks);
    topology.bolt("odd", || Odd).shuffle("fed");
    let runner = Runner::new(topology.build().unwrap()).without_signals();
    (runner.stopper(), thread::spawn(move || runner.run().unwrap()))
}

fn feed(feeder: &Feeder<Number>, numbers: std::ops::Range<i64>) {
    numbers.for_each(|number| feeder.feed(Number { number }).unwrap());
}

#[test]
fn rows_from_several_threads_are_settled_and_closing_ends_the_topology() {
    let (feeder, spout) = feeder(16);
    let (_, run) = start(spout, 2);
    thread::scope(|scope| {
        for part in 0..4 {
            let feeder = feeder.clone();
            scope.spawn(move || feed(&feeder, part * 1_000..(part + 1) * 1_000));
        }
    });
    assert!(feeder.wait_settled(LONG));
    assert_eq!((feeder.fed(), feeder.acked(), feeder.failed()), (4_000, 2_000, 2_000));
    feeder.close();
    let outcome = run.join().unwrap();
    assert_eq!((outcome.cause, outcome.books.acked, outcome.books.failed), (squall::Cause::Finished, 2_000, 2_000));
    assert_eq!(feeder.feed(Number { number: 1 }), Err(FeedError));
}

#[test]
fn dropping_the_last_feeder_ends_the_topology_too() {
    let (feeder, spout) = feeder(16);
    let (_, run) = start(spout, 1);
    let other = feeder.clone();
    feed(&feeder, 0..10);
    drop(feeder);
    feed(&other, 10..20);
    drop(other);
    assert_eq!(run.join().unwrap().books.emitted, 20);
}

#[test]
fn a_full_queue_hands_the_row_back() {
    let (feeder, _spout) = feeder(2);
    feed(&feeder, 0..2);
    let Err(TryFeedError::Full(back)) = feeder.try_feed(Number { number: 2 }) else { panic!("there was room") };
    assert_eq!(back.number, 2);
}

#[test]
fn who_waits_for_room_is_let_go_when_the_topology_ends() {
    let (feeder, spout) = feeder(1);
    let (stopper, run) = start(spout, 1);
    feed(&feeder, 0..1);
    assert!(feeder.wait_settled(LONG));
    stopper.stop();
    run.join().unwrap();
    let blocked = thread::spawn(move || (0..3).map(|number| feeder.feed(Number { number })).collect::<Vec<_>>());
    assert_eq!(blocked.join().unwrap(), [Err(FeedError); 3]);
}

#[test]
fn a_blocking_feeder_is_woken_by_a_row() {
    let (feeder, spout) = feeder(16);
    let mut topology = TopologyBuilder::new("fed");
    topology.spout("fed", move || spout.clone()).blocking();
    topology.bolt("odd", || Odd).shuffle("fed");
    let runner = Runner::new(topology.build().unwrap()).without_signals();
    let run = thread::spawn(move || runner.run().unwrap());
    for number in 0..20 {
        feed(&feeder, number..number + 1);
        assert!(feeder.wait_settled(LONG), "row {number}");
    }
    feeder.close();
    assert_eq!(run.join().unwrap().books.emitted, 20);
}

#[test]
fn a_replayed_feeder_counts_only_rows_that_are_settled_for_good() {
    let (feeder, spout) = feeder(16);
    let mut topology = TopologyBuilder::new("fed");
    topology.spout("fed", move || {
        let spout = spout.clone();
        Replay::new(move || spout.clone(), policy(3)).dead_letters(|_| {})
    });
    topology.bolt("odd", || Odd).shuffle("fed");
    let runner = Runner::new(topology.build().unwrap()).without_signals();
    let run = thread::spawn(move || runner.run().unwrap());
    feed(&feeder, 0..100);
    wait_for("the rows' fate", || feeder.acked() + feeder.failed() == 100);
    assert_eq!((feeder.acked(), feeder.failed()), (50, 50));
    feeder.close();
    let books = run.join().unwrap().books;
    assert_eq!((books.acked, books.failed), (50, 150));
}
