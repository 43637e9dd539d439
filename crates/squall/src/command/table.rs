//! The components' figures as a table.

use std::fmt::Write as _;

use squall_runtime::metrics::{ComponentSnapshot, Latency, LatencySnapshot, Snapshot};

use crate::run::Grouped;

const HEADINGS: [&str; 10] =
    ["component", "tasks", "emitted", "acked", "failed", "execute", "process", "complete", "queue", "capacity"];

/// Writes tables, one after another. Counts and latencies are since the start, p50/p99; capacity is since the last table.
#[derive(Debug, Default)]
pub struct Table {
    before: Option<Snapshot>,
}

impl Table {
    /// The table of these figures.
    pub fn next(&mut self, now: &Snapshot) -> String {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        for component in &now.components {
            let before = self.before.as_ref().and_then(|before| before.component(component.id.as_str()));
            let between_ns = now.at_ns - self.before.as_ref().map_or(0, |before| before.at_ns);
            rows.push(row(component, before, between_ns));
        }
        self.before = Some(now.clone());
        aligned(&rows)
    }
}

fn row(component: &ComponentSnapshot, before: Option<&ComponentSnapshot>, between_ns: u64) -> [String; 10] {
    let total = &component.total;
    let failed = total.failed + total.timed_out + total.lost;
    let idle = ComponentSnapshot { total: Default::default(), ..component.clone() };
    let capacity = component.capacity_since(before.unwrap_or(&idle), between_ns);
    [
        component.id.to_string(),
        component.tasks.len().to_string(),
        Grouped(total.emitted).to_string(),
        Grouped(total.acked).to_string(),
        Grouped(failed).to_string(),
        latency(&total.execute),
        latency(&total.process),
        latency(&total.complete),
        queue(component),
        format!("{:.0}%", capacity * 100.0),
    ]
}

/// How full the component's inboxes are. A spout has none for rows, and a chained bolt none of its own.
fn queue(component: &ComponentSnapshot) -> String {
    let lanes = || component.lanes.iter().filter(|lane| !lane.chained);
    let sum =
        |of: fn(&squall_runtime::metrics::LaneSnapshot) -> u32| lanes().map(|lane| u64::from(of(lane))).sum::<u64>();
    match (component.is_spout, sum(|lane| lane.bound_rows)) {
        (true, _) => "-".to_owned(),
        (false, 0) => "chained".to_owned(),
        (false, bound) => format!("{}%", sum(|lane| lane.queued_rows) * 100 / bound),
    }
}

fn latency(latency: &Latency) -> String {
    let figures = LatencySnapshot::of(latency);
    if figures.count == 0 { "-".to_owned() } else { format!("{}/{}", time(figures.p50), time(figures.p99)) }
}

/// A time with two digits at least and its unit.
fn time(ns: u64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "s"), (1e6, "ms"), (1e3, "us")];
    let ns = ns as f64;
    let unit = UNITS.into_iter().find(|(size, _)| ns >= *size);
    unit.map_or_else(
        || format!("{ns:.0}ns"),
        |(size, unit)| {
            let value = ns / size;
            if value < 10.0 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
        },
    )
}

/// Columns of equal width, the first to the left and the others to the right.
fn aligned(rows: &[[String; 10]]) -> String {
    let mut widths = [0; 10];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let (first, others) = row.split_first().expect("a row has ten cells");
        write!(text, "{first:<width$}", width = widths[0]).expect("a string takes all text");
        for (cell, width) in others.iter().zip(&widths[1..]) {
            write!(text, "  {cell:>width$}").expect("a string takes all text");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use squall_runtime::metrics::{LaneSnapshot, TaskMetrics, TaskSnapshot};
    use squall_types::TaskId;

    use super::*;

    fn component(id: &str, is_spout: bool, total: TaskMetrics, lanes: Vec<LaneSnapshot>) -> ComponentSnapshot {
        let tasks = vec![TaskSnapshot { task: TaskId::new(1), metrics: TaskMetrics::default() }];
        ComponentSnapshot { id: id.into(), is_spout, total, tasks, lanes, user: Default::default() }
    }

    fn lane(chained: bool, queued_rows: u32) -> LaneSnapshot {
        LaneSnapshot {
            tasks: Vec::new(),
            chained,
            queued_rows,
            bound_rows: if chained { 0 } else { 200 },
            senders_blocked_ns: 0,
            blocked_ns: 0,
        }
    }

    #[test]
    fn every_component_has_a_row_and_columns_line_up() {
        let mut spout =
            TaskMetrics { emitted: 12_345, acked: 12_000, failed: 1, timed_out: 2, lost: 3, ..Default::default() };
        spout.complete.record(1_000_000, 99);
        let bolt = TaskMetrics { busy_ns: 500, ..Default::default() };
        let components = vec![
            component("posts", true, spout, vec![lane(false, 9)]),
            component("count", false, bolt.clone(), vec![lane(false, 50), lane(false, 0)]),
            component("split", false, bolt, vec![lane(true, 0)]),
        ];
        let text = Table::default().next(&Snapshot { at_ns: 1_000, components });
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], HEADINGS);
        assert_eq!(lines[1][..5], ["posts", "1", "12,345", "12,000", "6"]);
        assert_eq!(lines[1][8], "-");
        assert!(lines[1][7].ends_with("ms") || lines[1][7].ends_with("us"), "{text}");
        assert_eq!(lines[2][8..], ["12%", "50%"]);
        assert_eq!(lines[3][8], "chained");
        assert!(text.lines().all(|line| line.len() == text.lines().next().unwrap().len()), "{text}");
    }

    #[test]
    fn capacity_is_of_the_time_since_the_last_table() {
        let at = |at_ns, busy_ns| {
            let total = TaskMetrics { busy_ns, ..Default::default() };
            Snapshot { at_ns, components: vec![component("b", false, total, Vec::new())] }
        };
        let mut table = Table::default();
        let _ = table.next(&at(1_000, 1_000));
        assert!(table.next(&at(2_000, 1_250)).ends_with(" 25%\n"));
    }

    #[test]
    fn times_have_two_digits_and_a_unit() {
        let texts = [0, 999, 1_000, 99_000, 1_500_000, 2_000_000_000].map(time);
        assert_eq!(texts, ["0ns", "999ns", "1.0us", "99us", "1.5ms", "2.0s"]);
    }
}
