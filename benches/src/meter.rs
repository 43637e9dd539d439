//! What a process costs: CPU time and memory, as the kernel counts them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

fn read(path: PathBuf) -> Result<String, Error> {
    fs::read_to_string(&path).map_err(|source| Error::Proc(path, source))
}

/// CPU seconds of all of this process's threads that are alive.
///
/// # Errors
/// The kernel doesn't count them.
pub fn cpu_seconds() -> Result<f64, Error> {
    cpu_seconds_of("self")
}

/// CPU seconds of all threads of a process that are alive; `self` is this one.
///
/// # Errors
/// There is no such process, or the kernel doesn't count them.
pub fn cpu_seconds_of(process: &str) -> Result<f64, Error> {
    let folder = Path::new("/proc").join(process).join("task");
    let fail = |source| Error::Proc(folder.clone(), source);
    let mut ns = 0;
    for thread in fs::read_dir(&folder).map_err(fail)? {
        // A thread that has ended meanwhile counts for nothing.
        let Ok(text) = read(thread.map_err(fail)?.path().join("schedstat")) else { continue };
        let ran = text.split_whitespace().next().and_then(|it| it.parse::<u64>().ok());
        ns += ran.ok_or(Error::NoFigure("the time on a core", "/proc/*/task/*/schedstat"))?;
    }
    Ok(ns as f64 / 1e9)
}

/// This process's resident memory, in MB.
///
/// # Errors
/// The kernel doesn't say.
pub fn rss_mb() -> Result<f64, Error> {
    rss_mb_of("self")
}

/// Resident memory of a process, in MB; `self` is this one.
///
/// # Errors
/// There is no such process, or the kernel doesn't say.
pub fn rss_mb_of(process: &str) -> Result<f64, Error> {
    let text = read(Path::new("/proc").join(process).join("status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|kib| kib * 1024.0 / 1e6).ok_or(Error::NoFigure("VmRSS", "/proc/*/status"))
}

/// The value that `share` of the sorted values are at most; 0 of none.
pub fn percentile(sorted: &[u64], share: f64) -> u64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_that_so_many_are_at_most() {
        let values: Vec<u64> = (1..=300).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| percentile(&values, share)), [150, 297, 300]);
        assert_eq!(percentile(&[7], 0.99), 7);
        assert_eq!(percentile(&[], 0.5), 0);
    }

    #[test]
    fn work_costs_cpu_time_and_memory_is_resident() {
        let before = cpu_seconds().unwrap();
        while cpu_seconds().unwrap() - before < 0.01 {
            std::hint::black_box((0..1_000_000).sum::<u64>());
        }
        assert!(rss_mb().unwrap() > 0.5);
    }
}
