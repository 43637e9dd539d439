//! The figures beside the hashtags.

use std::fmt;

use squall::metrics::{LatencySnapshot, Snapshot};

use super::count::LATE;
use super::merge::Merge;
use super::source::BAD_LINES;

/// What the topology has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// When, in nanoseconds.
    pub at_ns: u64,
    pub posts: u64,
    pub hashtags: u64,
    pub acked: u64,
    /// For whatever reason.
    pub failed: u64,
    pub pending: u64,
    pub late: u64,
    pub bad_lines: u64,
    /// From the emission of a post to the merging of the first partial top that counts it, in microseconds.
    pub latency: LatencySnapshot,
}

impl Figures {
    /// The figures in a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let spouts = snapshot.spouts();
        let counter = |component: &str, name: &str| {
            snapshot.component(component).and_then(|it| it.user.counters.get(name)).copied().unwrap_or_default()
        };
        let merge = snapshot.component("merge").and_then(|merge| merge.user.histograms.get(Merge::LATENCY));
        Self {
            at_ns: snapshot.at_ns,
            posts: spouts.emitted,
            hashtags: snapshot.component("count").map_or(0, |count| count.total.executed),
            acked: spouts.acked,
            failed: spouts.failed + spouts.timed_out + spouts.lost,
            pending: spouts.pending,
            late: counter("count", LATE),
            bad_lines: counter("posts", BAD_LINES),
            latency: merge.copied().unwrap_or_default(),
        }
    }

    /// Posts a second since `earlier`.
    pub fn rate_since(&self, earlier: &Self) -> u64 {
        let seconds = self.at_ns.saturating_sub(earlier.at_ns).max(1) as f64 / 1e9;
        (self.posts.saturating_sub(earlier.posts) as f64 / seconds).round() as u64
    }
}

/// A number with commas between its thousands.
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// Microseconds, as a person reads them.
pub struct Micros(pub u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            micros @ 0..1_000 => write!(f, "{micros} µs"),
            micros @ 1_000..1_000_000 => write!(f, "{:.1} ms", micros as f64 / 1e3),
            micros => write!(f, "{:.1} s", micros as f64 / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_a_person_reads_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(|n| Grouped(n).to_string()), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(format!("{:>6}|", Grouped(1_000)), " 1,000|");
        assert_eq!(
            [0, 999, 1_000, 1_260, 2_000_000].map(|n| Micros(n).to_string()),
            ["0 µs", "999 µs", "1.0 ms", "1.3 ms", "2.0 s"]
        );
    }

    #[test]
    fn a_rate_is_over_the_time_between_two_snapshots() {
        let figures = |at_ns, posts| Figures { at_ns, posts, ..Figures::default() };
        assert_eq!(figures(2_500_000_000, 1_600).rate_since(&figures(500_000_000, 600)), 500);
    }
}
