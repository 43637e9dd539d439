//! Saved rows as the table of `docs/performance.md`.

use super::record::Record;
use super::spec::Better;
use super::table::figure;

const HEADS: [&str; 8] = ["bench", "figure", "unit", "median (min–max)", "ratio", "must", "met", "aim"];

/// The table: a line for each row, below its heads.
pub fn render(rows: &[Record]) -> String {
    let heads = line(&HEADS.map(str::to_owned)) + &format!("|{}\n", "---|".repeat(HEADS.len()));
    heads + &rows.iter().map(|row| line(&cells(row))).collect::<String>()
}

fn line(cells: &[String; 8]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn cells(row: &Record) -> [String; 8] {
    let unit = match row.better {
        None => row.unit.clone(),
        Some(Better::Lower) => format!("{} ↓", row.unit),
        Some(Better::Higher) => format!("{} ↑", row.unit),
    };
    let one = row.rounds == Some(1);
    let spread = |[median, least, most]: [f64; 3]| match one {
        true => figure(median),
        false => format!("{} ({}–{})", figure(median), figure(least), figure(most)),
    };
    let median = row.value().map(|it| spread([it.median, it.min, it.max]));
    let median = median.map(|text| if one { text + ", one run" } else { text });
    let ratio = row.ratios().map(|it| format!("×{}", spread([it.median, it.min, it.max])));
    let [median, ratio] = [median, ratio].map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
    let aim = if row.aim.is_empty() { String::new() } else { format!("{}: {}", row.aim, aimed(row.aim_met)) };
    [format!("`{}`", row.bench), row.metric.clone(), unit, median, ratio, row.must.clone(), met(row).to_owned(), aim]
}

/// A run that failed misses even where nothing must be met.
fn met(row: &Record) -> &'static str {
    match row.met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None if row.must.is_empty() => "–",
        None => "?",
    }
}

fn aimed(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::Verdict;
    use super::super::record::tests::row;
    use super::*;

    #[test]
    fn the_table_is_the_one_of_the_documentation() {
        let record = |must| Record::of(&row(must));
        let told = Record {
            better: None,
            ratio: None,
            must: String::new(),
            aim: String::new(),
            metric: "cores".to_owned(),
            ..record(None)
        };
        let rows = [
            record(Some(Verdict::Met)),
            record(Some(Verdict::Missed("ratio 1.500 > 1.6".to_owned()))),
            record(Some(Verdict::Open("no ratio".to_owned()))),
            Record { met: Some(false), median: None, ..told.clone() },
            Record { rounds: Some(1), ..record(Some(Verdict::Met)) },
            told,
        ];
        let golden = "\
| bench | figure | unit | median (min–max) | ratio | must | met | aim |
|---|---|---|---|---|---|---|---|
| `word-count` | cpu_s_per_m | CPU-s/M ↓ | 0.0520 (0.0500–0.0600) | ×1.50 (1.40–1.70) | ≤ × 1.6 | yes | ≤ × 1.25: NO |
| `word-count` | cpu_s_per_m | CPU-s/M ↓ | 0.0520 (0.0500–0.0600) | ×1.50 (1.40–1.70) | ≤ × 1.6 | **no** | ≤ × 1.25: NO |
| `word-count` | cpu_s_per_m | CPU-s/M ↓ | 0.0520 (0.0500–0.0600) | ×1.50 (1.40–1.70) | ≤ × 1.6 | ? | ≤ × 1.25: NO |
| `word-count` | cores | CPU-s/M | – | – |  | **no** |  |
| `word-count` | cpu_s_per_m | CPU-s/M ↓ | 0.0520, one run | ×1.50 | ≤ × 1.6 | yes | ≤ × 1.25: NO |
| `word-count` | cores | CPU-s/M | 0.0520 (0.0500–0.0600) | – |  | – |  |
";
        assert_eq!(render(&rows), golden);
    }
}
