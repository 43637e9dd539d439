//! What the benches say of themselves, and what a run prints.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// Figures by name.
pub type Metrics = BTreeMap<String, f64>;

/// One bench, a line of `squall-bench list`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// Its name.
    pub name: String,
    /// The unit of the rows that name none.
    #[serde(default)]
    pub unit: String,
    /// The probe's variant to compare with.
    #[serde(default)]
    pub probe: Option<String>,
    /// The figures to report.
    pub rows: Vec<Row>,
}

/// One figure of a bench.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The figure's name among the metrics of a run.
    pub metric: String,
    /// Its unit, when it isn't the bench's.
    #[serde(default)]
    pub unit: Option<String>,
    /// Which way is better.
    #[serde(default)]
    pub better: Option<Better>,
    /// What it must meet.
    #[serde(default)]
    pub must: Option<Bound>,
    /// What it should come to meet.
    #[serde(default)]
    pub aim: Option<Bound>,
}

/// Which way a figure improves.
#[derive(Clone, Copy, Debug, Deserialize, serde::Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Down.
    Lower,
    /// Up.
    Higher,
}

/// A condition on the median: every part that is given must hold, and of `or` at least one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bound {
    /// The ratio to the comparison is at most this.
    pub ratio_max: Option<f64>,
    /// The ratio to the comparison is at least this.
    pub ratio_min: Option<f64>,
    /// The figure is at most this.
    pub max: Option<f64>,
    /// The figure is at least this.
    pub min: Option<f64>,
    /// Alternatives.
    pub or: Vec<Bound>,
}

impl Bound {
    /// Whether it needs something to compare with.
    pub fn compares(&self) -> bool {
        self.ratio_max.is_some() || self.ratio_min.is_some() || self.or.iter().any(Self::compares)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = |sign: &str, limit: Option<f64>| limit.map(|limit| format!("{sign} {limit}"));
        let own =
            [limit("≤ ×", self.ratio_max), limit("≥ ×", self.ratio_min), limit("≤", self.max), limit("≥", self.min)];
        let or = self.or.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let parts = own.into_iter().flatten().chain((!or.is_empty()).then_some(or));
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// What one run of a bench came to.
#[derive(Debug, Deserialize)]
pub struct Outcome {
    /// Whether the run's books balance.
    pub ok: bool,
    /// Why not.
    #[serde(default)]
    pub why: Option<String>,
    /// The figures.
    #[serde(default)]
    pub metrics: Metrics,
}

impl Outcome {
    /// A run that came to nothing.
    pub fn failed(why: String) -> Self {
        Self { ok: false, why: Some(why), metrics: Metrics::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_is_read_with_what_it_leaves_out() {
        let line = r#"{"name":"word-count","unit":"M words/s","probe":"chain-percore","rows":[
            {"metric":"cpu_s_per_m","unit":"CPU-s/M","better":"lower","must":{"ratio_max":1.6},"aim":{"ratio_max":1.25}},
            {"metric":"mwords_s","must":{"or":[{"ratio_min":0.6},{"min":40}]}},
            {"metric":"complete_ms","must":{"max":2.0}}]}"#;
        let bench: Bench = serde_json::from_str(line).unwrap();
        assert_eq!(bench.probe.as_deref(), Some("chain-percore"));
        assert_eq!(bench.rows[0].better, Some(Better::Lower));
        assert_eq!(bench.rows[1].must.as_ref().unwrap().or[1].min, Some(40.0));
    }

    #[test]
    fn a_bound_that_is_misspelt_is_refused_and_not_ignored() {
        assert!(serde_json::from_str::<Bound>(r#"{"ratio_mx":1.6}"#).is_err());
    }

    #[test]
    fn a_bound_reads_as_what_it_asks_and_knows_whether_it_compares() {
        let bound: Bound = serde_json::from_str(r#"{"max":2,"or":[{"ratio_max":1.6},{"min":40}]}"#).unwrap();
        assert_eq!(bound.to_string(), "≤ 2, ≤ × 1.6 or ≥ 40");
        assert!(bound.compares());
        assert!(!bound.or[1].compares());
    }

    #[test]
    fn a_run_may_say_null_for_why() {
        let outcome: Outcome = serde_json::from_str(r#"{"name":"a","ok":true,"why":null,"metrics":{"x":1}}"#).unwrap();
        assert_eq!(outcome.metrics["x"], 1.0);
    }
}
