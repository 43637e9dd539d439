//! Many seeds, each in a process of its own: what a process keeps at random can't leak from one seed into the next.

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum as _;

use crate::plant::Plant;
use crate::report::Report;
use crate::scenario::Kind;

/// From so many seeds on, a kind of fault that was never seen is a failure: rarer than once in a million runs by chance.
const ENOUGH: usize = 50;

/// Runs each seed with this bug planted, as many at once as there are cores; up to the first violation, if that is enough. Returns what
/// came of them, in the order of the seeds.
///
/// # Errors
/// If this program can't be started again.
pub fn run(seeds: &[u64], plant: Plant, first: bool) -> io::Result<Vec<Report>> {
    let program = std::env::current_exe()?;
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(BTreeMap::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bug = plant.to_possible_value().expect("none is hidden").get_name().to_owned();
    let work = || -> io::Result<()> {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let output = Command::new(&program)
                .args(["run", &seed.to_string(), "--plant", &bug])
                .stderr(if first { Stdio::null() } else { Stdio::inherit() })
                .output()?;
            let report = Report::parse(*seed, &String::from_utf8_lossy(&output.stdout));
            if let Some(violation) = &report.violation {
                if first {
                    next.fetch_add(seeds.len(), Ordering::Relaxed);
                } else {
                    println!("seed {seed}: {violation}");
                }
            }
            reports.lock().expect("no thread panics").insert(*seed, report);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    Ok(reports.into_inner().expect("no thread panics").into_values().collect())
}

/// What is wrong with the whole, in words.
pub fn judge(reports: &[Report]) -> Vec<String> {
    let broken = reports.iter().filter(|it| it.violation.is_some());
    let mut wrong: Vec<_> = broken.map(|it| format!("seed {} is violated", it.seed)).collect();
    let unseen = Kind::all().filter(|kind| !reports.iter().any(|it| it.kinds.iter().any(|name| name == kind.name())));
    if reports.len() >= ENOUGH {
        wrong.extend(unseen.map(|kind| format!("no seed had the fault {}", kind.name())));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seed: u64, kinds: &[&str], violation: Option<&str>) -> Report {
        let kinds = kinds.iter().map(|&kind| kind.to_owned()).collect();
        Report { seed, kinds, faults: 6, commands: 300, violation: violation.map(str::to_owned) }
    }

    #[test]
    fn a_violation_and_a_kind_of_fault_that_never_came_are_wrong() {
        let all: Vec<_> = Kind::all().map(Kind::name).collect();
        let good: Vec<_> = (0..60).map(|seed| report(seed, &all, None)).collect();
        assert_eq!(judge(&good), [""; 0]);
        let poor: Vec<_> = (0..60).map(|seed| report(seed, &all[1..], None)).collect();
        assert_eq!(judge(&poor), ["no seed had the fault partition"]);
        assert_eq!(judge(&poor[..3]), [""; 0]);
        assert_eq!(judge(&[report(7, &all, Some("two leaders"))]), ["seed 7 is violated"]);
    }
}
