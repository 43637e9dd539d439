//! How long the planner takes: for all from nothing, for one dead worker, and to see that nothing is to be done. And the checker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use squall_control::check::check;
use squall_control::plan::{Component, Edge, Input, Options, Plan, Standing, Topology, Worker, plan};
use squall_types::TaskId;
use squall_types::cluster::{ExecutorId, TopologyVersion};
use squall_types::topology::Resources;

use crate::error::Error;
use crate::harness::{Figures, figures};

/// A cluster to plan for.
#[derive(Clone, Copy)]
pub struct Size {
    /// Workers, of eight slots each.
    pub workers: usize,
    /// Topologies, of a spout and two bolts each.
    pub topologies: usize,
    /// Executors of each topology; a multiple of ten.
    pub executors: u16,
}

/// Milliseconds, the mean of as many rounds as fit into the time.
///
/// # Errors
/// A plan breaks a rule.
pub fn run(size: Size, seconds: f64) -> Result<Figures, Error> {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let (mut fresh, mut death, mut still, mut checked) = (0.0, 0.0, 0.0, 0.0);
    let mut rounds = 0.0;
    while rounds == 0.0 || Instant::now() < until {
        let mut input = cluster(size);
        fresh += round(&mut input, &mut checked)?;
        still += round(&mut input, &mut 0.0)?;
        if let Some(worker) = input.workers.values_mut().next() {
            worker.standing = Standing::Dead;
        }
        death += round(&mut input, &mut 0.0)?;
        rounds += 1.0;
    }
    Ok(figures([
        ("fresh_ms", fresh / rounds),
        ("death_ms", death / rounds),
        ("still_ms", still / rounds),
        ("check_ms", checked / rounds),
    ]))
}

/// Plans, checks and carries out; how long the plan took.
fn round(input: &mut Input, checking: &mut f64) -> Result<f64, Error> {
    let begun = Instant::now();
    let made = plan(input);
    let planned = begun.elapsed().as_secs_f64() * 1_000.0;
    let begun = Instant::now();
    let violations = check(input, &made);
    *checking += begun.elapsed().as_secs_f64() * 1_000.0;
    if !violations.is_empty() {
        return Err(Error::Shape("a plan breaks a rule"));
    }
    adopt(input, made);
    Ok(planned)
}

fn adopt(input: &mut Input, plan: Plan) {
    for (name, assignment) in plan.assignments {
        if let Some(topology) = input.topologies.get_mut(&name) {
            topology.current = Some(assignment);
        }
    }
}

fn cluster(size: Size) -> Input {
    let worker = |number: usize| Worker {
        slots: 8,
        cpu_percent: 1_600,
        memory_mib: 65_536,
        tags: BTreeSet::new(),
        zone: format!("zone-{}", number % 3),
        standing: Standing::Open,
        lost: BTreeSet::new(),
    };
    let named = |kind: &str, number: usize| format!("{kind}-{number:04}");
    let workers = (0..size.workers).filter_map(|number| Some((named("w", number).parse().ok()?, worker(number))));
    let topologies =
        (0..size.topologies).filter_map(|number| Some((named("t", number).parse().ok()?, topology(size.executors))));
    Input { workers: workers.collect(), topologies: topologies.collect() }
}

/// A tenth spouts, four tenths and five tenths of two bolts in a line.
fn topology(executors: u16) -> Topology {
    let component = |(index, id, tenths): (usize, &str, std::ops::Range<u16>)| {
        let tasks = tenths.start * executors / 10 + 1..tenths.end * executors / 10 + 1;
        let executor = |task| ExecutorId { first: TaskId::new(task), last: TaskId::new(task) };
        Component {
            id: id.into(),
            spout: index == 0,
            executors: tasks.map(executor).collect(),
            needs: Resources::default(),
            tags: BTreeSet::new(),
            inputs: (index > 0).then(|| Edge { from: index - 1, weight: 8 }).into_iter().collect(),
        }
    };
    let components = [(0, "spout", 0..1), (1, "split", 1..5), (2, "count", 5..10)].map(component);
    Topology {
        version: TopologyVersion::new(1),
        components: components.into(),
        options: Options::default(),
        evenly: false,
        current: None,
    }
}
