//! The judged rows as a table for a terminal.

use super::judge::Verdict;
use super::rounds::Judged;
use super::spec::Better;
use super::stats::Stats;

const HEADS: [&str; 10] = ["bench", "metric", "unit", "median", "min", "max", "ratio", "must", "met", "aim"];

/// A table of all rows, its columns as wide as what they hold.
pub fn render(rows: &[Judged]) -> String {
    let cells: Vec<[String; 10]> = std::iter::once(HEADS.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..HEADS.len()).map(width).collect();
    let line = |row: &[String; 10]| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    cells.iter().map(line).collect()
}

fn cells(row: &Judged) -> [String; 10] {
    let [median, min, max] = stats(row.value);
    let [ratio, least, most] = stats(row.ratio);
    let ratio = if row.ratio.is_some() { format!("×{ratio} ({least}–{most})") } else { ratio };
    let unit = match row.better {
        None => row.unit.clone(),
        Some(Better::Lower) => format!("{} ↓", row.unit),
        Some(Better::Higher) => format!("{} ↑", row.unit),
    };
    let aim = match &row.aim {
        None => String::new(),
        Some(verdict) => format!("{}: {}", row.bounds.aim, word(Some(verdict))),
    };
    let (must, met) = (row.bounds.must.clone(), sentence(row.must.as_ref()));
    [row.bench.clone(), row.metric.clone(), unit, median, min, max, ratio, must, met, aim]
}

fn stats(stats: Option<Stats>) -> [String; 3] {
    stats.map_or_else(|| ["–"; 3].map(str::to_owned), |it| [it.median, it.min, it.max].map(figure))
}

/// Three significant digits or so: enough for figures that wobble.
pub fn figure(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.1.. => 3,
        0.0 => 0,
        _ => 4,
    };
    format!("{value:.digits$}")
}

fn word(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        None => "–",
        Some(Verdict::Met) => "yes",
        Some(Verdict::Missed(_)) => "NO",
        Some(Verdict::Open(_)) => "?",
    }
}

fn sentence(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict::Missed(why) | Verdict::Open(why)) => format!("{}: {why}", word(verdict)),
        None | Some(Verdict::Met) => word(verdict).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::row;
    use super::*;

    #[test]
    fn the_table_shows_figures_bounds_and_why() {
        let table = render(&[row(Some(Verdict::Met)), row(Some(Verdict::Missed("books wrong".to_owned())))]);
        let lines: Vec<Vec<_>> =
            table.lines().map(|line| line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect()).collect();
        assert_eq!(lines[0], HEADS);
        let figures =
            ["word-count", "cpu_s_per_m", "CPU-s/M ↓", "0.0520", "0.0500", "0.0600", "×1.50 (1.40–1.70)", "≤ × 1.6"];
        assert_eq!(lines[1][..8], figures);
        assert_eq!(lines[1][8..], ["yes", "≤ × 1.25: NO"]);
        assert_eq!(lines[2][8], "NO: books wrong");
    }
}
