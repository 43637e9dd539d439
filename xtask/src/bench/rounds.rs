//! From the rounds of a bench to the judgement of each of its rows.

use super::judge::{Verdict, judge as judge_bound};
use super::spec::{Bench, Better, Bound, Metrics, Outcome, Row};
use super::stats::Stats;

/// The bench and its probe, one after the other.
pub struct Round {
    /// What the bench came to.
    pub product: Outcome,
    /// The probe's figures, or why there are none; `None` when it wasn't to be run.
    pub probe: Option<Result<Metrics, String>>,
}

/// A row with what it came to.
pub struct Judged {
    /// The bench's name.
    pub bench: String,
    /// The figure's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Which way it improves.
    pub better: Option<Better>,
    /// Rounds that count.
    pub rounds: usize,
    /// The figure over the rounds.
    pub value: Option<Stats>,
    /// The ratio to the comparison over the rounds.
    pub ratio: Option<Stats>,
    /// Whether what must be met is met; `None` when nothing must.
    pub must: Option<Verdict>,
    /// Whether the aim is met.
    pub aim: Option<Verdict>,
    /// The row as the bench gave it.
    pub bounds: Bounds,
}

/// The row's bounds as text, for people.
pub struct Bounds {
    /// What must be met.
    pub must: String,
    /// What is aimed at.
    pub aim: String,
}

impl Judged {
    /// Whether this row is one that must be met and isn't.
    pub fn is_missed(&self) -> bool {
        matches!(self.must, Some(Verdict::Missed(_)))
    }
}

/// Judges one row. A round whose books are wrong makes it missed, whatever the figures say.
pub fn judge(bench: &Bench, row: &Row, rounds: &[Round]) -> Judged {
    let values: Vec<_> = rounds.iter().filter_map(|round| figure(round, &row.metric)).collect();
    let ratios: Vec<_> = rounds.iter().filter_map(|round| ratio(round, &row.metric)).collect();
    let (value, ratio) = (Stats::of(&values), Stats::of(&ratios));
    let failure = failures(row, rounds);
    let verdict = |bound| {
        let verdict = judge_bound(bound, value.map(|it| it.median), ratio.map(|it| it.median));
        failure.iter().cloned().map(Verdict::Missed).fold(verdict, Verdict::and)
    };
    let must = row.must.as_ref().map(verdict).or_else(|| failure.clone().map(Verdict::Missed));
    Judged {
        bench: bench.name.clone(),
        metric: row.metric.clone(),
        unit: row.unit.clone().unwrap_or_else(|| bench.unit.clone()),
        better: row.better,
        rounds: values.len(),
        value,
        ratio,
        must,
        aim: row.aim.as_ref().map(verdict),
        bounds: Bounds {
            must: row.must.as_ref().map(ToString::to_string).unwrap_or_default(),
            aim: row.aim.as_ref().map(ToString::to_string).unwrap_or_default(),
        },
    }
}

/// The figure of a good round.
fn figure(round: &Round, metric: &str) -> Option<f64> {
    round.product.metrics.get(metric).copied().filter(|it| round.product.ok && it.is_finite())
}

/// The round's figure over the bench's own comparison, `<metric>_base`, or else over the probe's figure of the same name.
fn ratio(round: &Round, metric: &str) -> Option<f64> {
    let own = round.product.metrics.get(&format!("{metric}_base"));
    let probe = || round.probe.as_ref()?.as_ref().ok()?.get(metric);
    let base = own.or_else(probe).copied().filter(|base| *base > 0.0)?;
    figure(round, metric).map(|figure| figure / base)
}

/// Why rounds don't count, the first of them, and how many.
fn failures(row: &Row, rounds: &[Round]) -> Option<String> {
    let whys: Vec<_> = rounds.iter().filter_map(|round| failure(row, round)).collect();
    let first = whys.first()?;
    Some(format!("{} of {} rounds failed: {first}", whys.len(), rounds.len()))
}

fn failure(row: &Row, round: &Round) -> Option<String> {
    let metric = &row.metric;
    if !round.product.ok {
        return Some(round.product.why.clone().unwrap_or_else(|| "without a reason".to_owned()));
    }
    if figure(round, metric).is_none() {
        return Some(format!("no {metric}"));
    }
    let compared = row.must.iter().chain(&row.aim).any(Bound::compares);
    match &round.probe {
        Some(Err(why)) if compared && ratio(round, metric).is_none() => Some(why.clone()),
        Some(Ok(_)) if compared && ratio(round, metric).is_none() => Some(format!("nothing to compare {metric} with")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
