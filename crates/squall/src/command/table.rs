//! The components' figures as a table.

use std::fmt::Write as _;

use squall_runtime::metrics::{ComponentSnapshot, Latency, LatencySnapshot, Snapshot};

use crate::run::Grouped;

/// The widest line: blocks of columns go one below the other where there are more.
const WIDTH: usize = 100;

/// Writes tables, one after another. Counts, times and latencies are since the start, latencies as p50/p99; capacity is since the
/// last table. Columns in which there is nothing to tell are left out.
#[derive(Debug, Default)]
pub struct Table {
    before: Option<Snapshot>,
}

/// A column: its heading, and a cell a component.
struct Column {
    heading: &'static str,
    cells: Vec<String>,
}

impl Table {
    /// The table of these figures.
    pub fn next(&mut self, now: &Snapshot) -> String {
        let between_ns = now.at_ns - self.before.as_ref().map_or(0, |before| before.at_ns);
        let mut columns = counts(now);
        columns.extend(times(now));
        let capacity = now.components.iter().map(|component| {
            let before = self.before.as_ref().and_then(|before| before.component(component.id.as_str()));
            let idle = ComponentSnapshot { total: Default::default(), ..component.clone() };
            format!("{:.0}%", component.capacity_since(before.unwrap_or(&idle), between_ns) * 100.0)
        });
        columns.push(Column { heading: "capacity", cells: capacity.collect() });
        self.before = Some(now.clone());
        let ids = now.components.iter().map(|component| component.id.to_string()).collect();
        blocks(&Column { heading: "component", cells: ids }, columns, WIDTH)
    }
}

/// The counts. Those of what should not happen are shown once it has.
fn counts(now: &Snapshot) -> Vec<Column> {
    type Of = fn(&ComponentSnapshot) -> u64;
    let figures: [(&'static str, bool, Of); 10] = [
        ("tasks", true, |component| component.tasks.len() as u64),
        ("emitted", true, |component| component.total.emitted),
        ("transferred", true, |component| component.total.transferred),
        ("acked", true, |component| component.total.acked),
        ("pending", false, |component| component.total.pending),
        ("failed", false, |component| component.total.failed),
        ("timed-out", false, |component| component.total.timed_out),
        ("lost", false, |component| component.total.lost),
        ("errors", false, |component| component.total.errors.failures + component.total.errors.panics),
        ("restarts", false, |component| component.total.restarts),
    ];
    let shown = figures.into_iter().filter(|(_, always, of)| *always || now.components.iter().any(|it| of(it) > 0));
    shown
        .map(|(heading, _, of)| {
            let cells = now.components.iter().map(|component| Grouped(of(component)).to_string()).collect();
            Column { heading, cells }
        })
        .collect()
}

/// Latencies, queues, and how long a component has waited for receivers with room.
fn times(now: &Snapshot) -> Vec<Column> {
    let blocked = |component: &ComponentSnapshot| match component.lanes.iter().map(|lane| lane.blocked_ns).sum() {
        0 => "-".to_owned(),
        ns => time(ns),
    };
    let column = |heading, cell: &dyn Fn(&ComponentSnapshot) -> String| Column {
        heading,
        cells: now.components.iter().map(cell).collect(),
    };
    let columns = [
        column("execute", &|component| latency(&component.total.execute)),
        column("process", &|component| latency(&component.total.process)),
        column("complete", &|component| latency(&component.total.complete)),
        column("queue", &queue),
        column("blocked", &blocked),
    ];
    columns.into_iter().filter(|column| column.cells.iter().any(|cell| cell != "-")).collect()
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

/// The columns beside the first, which is to the left of each block, with so many characters a line at most.
fn blocks(first: &Column, columns: Vec<Column>, width: usize) -> String {
    let mut text = String::new();
    let mut block: Vec<Column> = Vec::new();
    let mut used = first.width();
    for column in columns {
        let more = column.width() + 2;
        if used + more > width && !block.is_empty() {
            write_block(first, &block, &mut text);
            block.clear();
            used = first.width();
        }
        used += more;
        block.push(column);
    }
    write_block(first, &block, &mut text);
    text
}

fn write_block(first: &Column, others: &[Column], text: &mut String) {
    for line in 0..=first.cells.len() {
        write!(text, "{:<width$}", first.line(line), width = first.width()).expect("a string takes all text");
        for column in others {
            write!(text, "  {:>width$}", column.line(line), width = column.width()).expect("a string takes all text");
        }
        text.push('\n');
    }
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(String::len).fold(self.heading.len(), usize::max)
    }

    /// Its heading, or the cell of a component, from 1.
    fn line(&self, line: usize) -> &str {
        line.checked_sub(1).map_or(self.heading, |cell| &self.cells[cell])
    }
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

    fn cells(text: &str) -> Vec<Vec<&str>> {
        text.lines().map(|line| line.split_whitespace().collect()).collect()
    }

    #[test]
    fn every_component_has_a_row_and_what_there_is_nothing_to_tell_of_has_no_column() {
        let mut spout = TaskMetrics { emitted: 12_345, transferred: 12_345, acked: 12_345, ..Default::default() };
        spout.complete.record(1_000_000, 99);
        let bolt = TaskMetrics { busy_ns: 500, ..Default::default() };
        let components = vec![
            component("posts", true, spout, vec![lane(false, 9)]),
            component("count", false, bolt.clone(), vec![lane(false, 50), lane(false, 0)]),
            component("split", false, bolt, vec![lane(true, 0)]),
        ];
        let text = Table::default().next(&Snapshot { at_ns: 1_000, components });
        let lines = cells(&text);
        let headings = ["component", "tasks", "emitted", "transferred", "acked", "complete", "queue", "capacity"];
        assert_eq!(lines[0], headings);
        assert_eq!(lines[1][..5], ["posts", "1", "12,345", "12,345", "12,345"]);
        assert!(lines[1][5].ends_with("ms") || lines[1][5].ends_with("us"), "{text}");
        assert_eq!((lines[1][6], &lines[2][6..], lines[3][6]), ("-", &["12%", "50%"][..], "chained"));
        assert!(text.lines().all(|line| line.len() == text.lines().next().unwrap().len()), "{text}");
    }

    #[test]
    fn what_went_wrong_is_told_apart_and_lines_stay_short() {
        let mut spout = TaskMetrics {
            emitted: 123_456_789_012,
            transferred: 123_456_789_012,
            acked: 123_456_000_000,
            pending: 65_536,
            failed: 1,
            timed_out: 2,
            lost: 3,
            ..Default::default()
        };
        spout.complete.record(1_000_000, 99);
        let mut bolt = TaskMetrics { restarts: 5, ..Default::default() };
        (bolt.errors.failures, bolt.errors.panics) = (6, 1);
        bolt.execute.record(1_500, 1);
        bolt.process.record(2_500_000, 1);
        let blocked = LaneSnapshot { blocked_ns: 1_500_000_000, ..lane(false, 0) };
        let components = vec![
            component("posts", true, spout, vec![blocked]),
            component("a-bolt-with-a-long-name", false, bolt, vec![lane(false, 0)]),
        ];
        let text = Table::default().next(&Snapshot { at_ns: 1_000, components });
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        let lines = cells(&text);
        // A block of columns after another, each with the components to its left.
        let headed = |heading: &str, row: usize| {
            let mut blocks = lines.chunks(3).filter(|block| block[0].contains(&heading));
            let block = blocks.next().unwrap_or_else(|| panic!("no {heading} in\n{text}"));
            block[row][block[0].iter().position(|cell| *cell == heading).unwrap()]
        };
        let spout = ["pending", "failed", "timed-out", "lost", "blocked"].map(|heading| headed(heading, 1));
        assert_eq!(spout, ["65,536", "1", "2", "3", "1.5s"]);
        assert_eq!(["errors", "restarts"].map(|heading| headed(heading, 2)), ["7", "5"]);
        assert!(lines.iter().all(|line| ["component", "posts", "a-bolt-with-a-long-name"].contains(&line[0])));
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
