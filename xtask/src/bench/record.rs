//! A judged row as it is saved: what `--json` prints and `--from` reads back.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::judge::Verdict;
use super::rounds::Judged;
use super::spec::Better;
use super::stats::Stats;
use crate::error::Error;

/// A row with what it came to. Rows measured apart can be put together again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The bench's name.
    pub bench: String,
    /// The figure's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Which way it improves.
    pub better: Option<Better>,
    /// Rounds that count.
    #[serde(default)]
    pub rounds: Option<usize>,
    /// The figure's median.
    pub median: Option<f64>,
    /// Its least.
    pub min: Option<f64>,
    /// Its greatest.
    pub max: Option<f64>,
    /// The median of the ratios to the comparison.
    pub ratio: Option<f64>,
    /// The least ratio.
    pub ratio_min: Option<f64>,
    /// The greatest ratio.
    pub ratio_max: Option<f64>,
    /// What must be met; empty where nothing must.
    pub must: String,
    /// Whether it is; null where nothing must be met or it can't be said.
    pub met: Option<bool>,
    /// Why it isn't met, or can't be said.
    pub why: Option<String>,
    /// What is aimed at; empty where nothing is.
    pub aim: String,
    /// Whether that is met; null as for `met`.
    pub aim_met: Option<bool>,
}

impl Record {
    /// What is saved of a row.
    pub fn of(row: &Judged) -> Self {
        Self {
            bench: row.bench.clone(),
            metric: row.metric.clone(),
            unit: row.unit.clone(),
            better: row.better,
            rounds: Some(row.rounds),
            median: row.value.map(|it| it.median),
            min: row.value.map(|it| it.min),
            max: row.value.map(|it| it.max),
            ratio: row.ratio.map(|it| it.median),
            ratio_min: row.ratio.map(|it| it.min),
            ratio_max: row.ratio.map(|it| it.max),
            must: row.bounds.must.clone(),
            met: met(row.must.as_ref()),
            why: match &row.must {
                Some(Verdict::Missed(why) | Verdict::Open(why)) => Some(why.clone()),
                None | Some(Verdict::Met) => None,
            },
            aim: row.bounds.aim.clone(),
            aim_met: met(row.aim.as_ref()),
        }
    }

    /// The figure over the rounds.
    pub fn value(&self) -> Option<Stats> {
        stats([self.median, self.min, self.max])
    }

    /// The ratio over the rounds.
    pub fn ratios(&self) -> Option<Stats> {
        stats([self.ratio, self.ratio_min, self.ratio_max])
    }
}

fn met(verdict: Option<&Verdict>) -> Option<bool> {
    match verdict {
        None | Some(Verdict::Open(_)) => None,
        Some(verdict) => Some(*verdict == Verdict::Met),
    }
}

fn stats([median, min, max]: [Option<f64>; 3]) -> Option<Stats> {
    Some(Stats { median: median?, min: min?, max: max? })
}

/// The rows that these files hold, put together.
///
/// # Errors
/// A file can't be read, or holds something else than rows.
pub fn read(files: &[PathBuf]) -> Result<Vec<Record>, Error> {
    let mut rows = Vec::new();
    for path in files {
        let text = fs::read_to_string(path).map_err(fail(path))?;
        for row in serde_json::Deserializer::from_str(&text).into_iter() {
            put(&mut rows, row.map_err(|source| fail(path)(source.into()))?);
        }
    }
    Ok(rows)
}

fn fail(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::File { path: path.to_path_buf(), source }
}

/// Adds a row in the place of an earlier one of the same figure, or behind its bench's last.
fn put(rows: &mut Vec<Record>, row: Record) {
    let same = |it: &Record| it.bench == row.bench && it.metric == row.metric;
    if let Some(at) = rows.iter().position(same) {
        rows[at] = row;
        return;
    }
    let behind = rows.iter().rposition(|it| it.bench == row.bench).map_or(rows.len(), |at| at + 1);
    rows.insert(behind, row);
}

#[cfg(test)]
pub mod tests {
    use super::super::rounds::Bounds;
    use super::*;

    /// A row that compares, with this verdict on what must be met.
    pub fn row(must: Option<Verdict>) -> Judged {
        Judged {
            bench: "word-count".to_owned(),
            metric: "cpu_s_per_m".to_owned(),
            unit: "CPU-s/M".to_owned(),
            better: Some(Better::Lower),
            rounds: 3,
            value: Stats::of(&[0.05, 0.052, 0.06]),
            ratio: Stats::of(&[1.4, 1.5, 1.7]),
            must,
            aim: Some(Verdict::Missed("ratio 1.500 > 1.25".to_owned())),
            bounds: Bounds { must: "≤ × 1.6".to_owned(), aim: "≤ × 1.25".to_owned() },
        }
    }

    #[test]
    fn a_saved_row_tells_missed_from_open() {
        let met = |must| {
            let record = Record::of(&row(must));
            (record.met, record.why, record.aim_met)
        };
        assert_eq!(met(Some(Verdict::Met)), (Some(true), None, Some(false)));
        assert_eq!(met(Some(Verdict::Missed("x".to_owned()))), (Some(false), Some("x".to_owned()), Some(false)));
        assert_eq!(met(Some(Verdict::Open("y".to_owned()))), (None, Some("y".to_owned()), Some(false)));
    }

    #[test]
    fn a_row_comes_back_as_it_was_saved() {
        let record = Record::of(&row(Some(Verdict::Met)));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        assert_eq!(record.value(), row(None).value);
        assert_eq!(record.ratios(), row(None).ratio);
    }

    #[test]
    fn of_rows_of_the_same_figure_the_later_wins_in_the_earlier_ones_place() {
        let record = |bench: &str, metric: &str, why: &str| Record {
            bench: bench.to_owned(),
            metric: metric.to_owned(),
            why: Some(why.to_owned()),
            ..Record::of(&row(None))
        };
        let mut rows = Vec::new();
        for (bench, metric, why) in [("a", "x", "1"), ("b", "x", "2"), ("a", "y", "3"), ("a", "x", "4")] {
            put(&mut rows, record(bench, metric, why));
        }
        assert_eq!(rows, [record("a", "x", "4"), record("a", "y", "3"), record("b", "x", "2")]);
    }
}
