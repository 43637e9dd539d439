//! What can be measured, and what is asked of it.

use serde_json::{Value, json};
use squall::Delivery::{self, AtLeastOnce, AtMostOnce};

use crate::error::Error;
use crate::harness::Figures;
use crate::plans::{self, Size};
use crate::{
    allocations, awaiting, carriage, derive, frames, idle, latency, line, masters, memory, null, rare, remote, words,
};

/// A bench: how it is called, what it is compared with, and what is asked of its figures.
pub struct Bench {
    /// Its name.
    pub name: String,
    /// The probe's variant that runs beside it.
    pub probe: Option<&'static str>,
    /// How long it measures, unless it is told.
    pub seconds: f64,
    rows: Vec<Value>,
    /// Measures for so many seconds.
    pub run: Measure,
}

/// Measures for so many seconds.
pub type Measure = Box<dyn Fn(f64) -> Result<Figures, Error>>;

impl Bench {
    fn new(name: impl Into<String>, seconds: f64, run: impl Fn(f64) -> Result<Figures, Error> + 'static) -> Self {
        Self { name: name.into(), probe: None, seconds, rows: Vec::new(), run: Box::new(run) }
    }

    fn probe(mut self, variant: &'static str) -> Self {
        self.probe = Some(variant);
        self
    }

    /// A figure that is to be small.
    fn lower(self, metric: &str, unit: &str, must: Value, aim: Value) -> Self {
        self.row(json!({ "metric": metric, "unit": unit, "better": "lower", "must": must, "aim": aim }))
    }

    /// A figure that is to be large.
    fn higher(self, metric: &str, unit: &str, must: Value, aim: Value) -> Self {
        self.row(json!({ "metric": metric, "unit": unit, "better": "higher", "must": must, "aim": aim }))
    }

    /// A figure that is only told.
    fn told(self, metric: &str, unit: &str) -> Self {
        self.row(json!({ "metric": metric, "unit": unit }))
    }

    fn row(mut self, row: Value) -> Self {
        self.rows.push(row);
        self
    }

    /// The bench as a line of the list.
    pub fn json(&self) -> Value {
        json!({ "name": self.name, "probe": self.probe, "rows": self.rows })
    }
}

/// All benches.
pub fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    benches.extend(word_counts());
    benches.extend(nulls());
    benches.push(derive());
    benches.extend([10.0, 100.0, 10_000.0, 100_000.0].map(latency));
    benches.push(allocations());
    benches.extend([AtMostOnce, AtLeastOnce].map(memory));
    benches.extend(others());
    benches.extend(between_slots());
    benches.push(plan(Size { workers: 100, topologies: 10, executors: 500 }, 20.0, 5.0));
    benches.push(plan(Size { workers: 5_000, topologies: 100, executors: 1_000 }, 2_000.0, 500.0));
    benches.extend(masters());
    benches
}

fn mode(delivery: Delivery) -> &'static str {
    match delivery {
        AtMostOnce => "at-most-once",
        AtLeastOnce => "at-least-once",
    }
}

fn word_counts() -> Vec<Bench> {
    let count = |name: &str, delivery, chained, probe| {
        let bench = Bench::new(name, 3.0, move |seconds| words::run(delivery, chained, seconds)).probe(probe);
        bench.lower("cpu_s_per_m", "CPU-s/M words", json!({ "ratio_max": 1.6 }), json!({ "ratio_max": 1.25 }))
    };
    let chained =
        |bench: Bench| bench.higher("mwords_s", "M words/s", json!({ "ratio_min": 0.6 }), json!({ "ratio_min": 0.8 }));
    let unchained = |bench: Bench| bench.told("mwords_s", "M words/s");
    vec![
        chained(count("word-count-at-most-once", AtMostOnce, true, "chain-percore")),
        chained(count("word-count-at-least-once", AtLeastOnce, true, "chain-percore-acked")).lower(
            "complete_ms",
            "ms, mean",
            json!({ "max": 2.0 }),
            json!({ "max": 0.3 }),
        ),
        unchained(count("word-count-unchained-at-most-once", AtMostOnce, false, "queue")),
        unchained(count("word-count-unchained-at-least-once", AtLeastOnce, false, "queue-acked"))
            .told("complete_ms", "ms, mean"),
    ]
}

fn nulls() -> Vec<Bench> {
    let rate = |bench: Bench, must: f64, aim: f64| {
        bench
            .higher("mroots_s", "M roots/s", json!({ "min": must }), json!({ "min": aim }))
            .told("cpu_s_per_m", "CPU-s/M roots")
            .told("cores", "cores")
    };
    let direct =
        |delivery| Bench::new(format!("null-{}", mode(delivery)), 3.0, move |seconds| null::direct(delivery, seconds));
    let identity = |name, chained| Bench::new(name, 3.0, move |seconds| null::identity(chained, seconds));
    vec![
        rate(direct(AtMostOnce), 40.0, 100.0),
        rate(direct(AtLeastOnce), 20.0, 40.0),
        rate(identity("identity-unchained", false), 10.0, 20.0),
        rate(identity("identity-chained", true), 15.0, 40.0),
    ]
}

fn derive() -> Bench {
    Bench::new("derive", 6.0, derive::run)
        .lower("cpu_s_per_m", "CPU-s/M roots", json!({ "ratio_max": 1.05 }), Value::Null)
        .told("mroots_s", "M roots/s")
}

fn latency(rate: f64) -> Bench {
    let seconds = if rate < 100.0 { 30.0 } else { 4.0 };
    let must = |ms: f64| json!({ "or": [{ "max": ms }, { "ratio_max": 2.0 }] });
    Bench::new(format!("latency-{rate}"), seconds, move |seconds| latency::run(rate, seconds))
        .lower("p50_ms", "ms", must(0.1), json!({ "ratio_max": 1.3 }))
        .lower("p99_ms", "ms", must(1.0), json!({ "ratio_max": 1.3 }))
}

fn allocations() -> Bench {
    let metrics = ["integers_at_most_once", "integers_at_least_once", "texts_at_most_once", "texts_at_least_once"];
    let bench = Bench::new("allocations", 0.0, |_| allocations::run());
    let row =
        |bench: Bench, metric: &&str| bench.lower(metric, "per tuple", json!({ "max": 0.02 }), json!({ "max": 0.0 }));
    metrics.iter().fold(bench, row)
}

fn memory(delivery: Delivery) -> Bench {
    Bench::new(format!("memory-{}", mode(delivery)), 30.0, move |seconds| memory::run(delivery, seconds))
        .lower("rss_mb", "MB", json!({ "max": 100.0 }), Value::Null)
        .lower("growth_mb", "MB", json!({ "max": 1.0 }), Value::Null)
        .told("krows_s", "K rows/s")
        .told("cpu_s_per_m", "CPU-s/M rows")
}

fn others() -> [Bench; 4] {
    [
        Bench::new("rare", 5.0, rare::run)
            .told("p50_ms", "ms")
            .lower("p99_ms", "ms", json!({ "max": 5.0 }), json!({ "max": 2.0 }))
            .told("busy_share", "of a core")
            .told("common_blocked_share", "of the time")
            .told("common_mrows_s", "M rows/s")
            .told("cpu_s_per_m", "CPU-s/M rows"),
        Bench::new("idle", 5.0, idle::run).lower(
            "cpu_percent",
            "% of a core",
            json!({ "max": 0.5 }),
            json!({ "max": 0.1 }),
        ),
        Bench::new("line", 6.0, line::run)
            .higher("mrows_s", "M rows/s", json!({ "ratio_min": 0.5 }), json!({ "ratio_min": 0.8 }))
            .told("cpu_s_per_m", "CPU-s/M rows")
            .lower("rss_mb", "MB", json!({ "max": 200.0 }), Value::Null),
        Bench::new("awaiting", 6.0, awaiting::run)
            .higher("kcalls_s", "K calls/s", json!({ "ratio_min": 0.6 }), json!({ "ratio_min": 0.85 }))
            .told("cpu_s_per_m", "CPU-s/M calls")
            .told("cores", "cores"),
    ]
}

fn between_slots() -> [Bench; 5] {
    let remote = |delivery| {
        Bench::new(format!("remote-{}", mode(delivery)), 6.0, move |seconds| remote::run(delivery, seconds))
            .higher("mrows_s", "M rows/s", json!({ "min": 5.0 }), json!({ "min": 10.0 }))
            .higher("payload_mb_s", "MB/s", json!({ "ratio_min": 0.5 }), json!({ "ratio_min": 0.8 }))
            .told("cpu_s_per_m", "CPU-s/M rows")
    };
    [
        remote(AtMostOnce),
        remote(AtLeastOnce),
        Bench::new("frames", 3.0, frames::run)
            .lower("write_ns", "ns/row", json!({ "max": 30.0 }), json!({ "max": 15.0 }))
            .lower("read_ns", "ns/row", json!({ "max": 150.0 }), json!({ "max": 73.0 }))
            .told("bytes", "bytes/row"),
        Bench::new("carriage", 6.0, carriage::run)
            .higher("mrows_s", "M rows/s", json!({ "min": 5.0 }), json!({ "min": 10.0 }))
            .higher("payload_mb_s", "MB/s", json!({ "ratio_min": 0.5 }), json!({ "ratio_min": 0.8 }))
            .told("cpu_s_per_m", "CPU-s/M rows")
            .told("cpu_s_per_gb", "CPU-s/GB"),
        Bench::new("carriage-packed", 3.0, carriage::run_packed)
            .higher("mrows_s", "M rows/s", json!({ "min": 1.0 }), Value::Null)
            .told("cpu_s_per_m", "CPU-s/M rows"),
    ]
}

fn plan(size: Size, must: f64, aim: f64) -> Bench {
    let time = |bench: Bench, metric: &str| bench.lower(metric, "ms", json!({ "max": must }), json!({ "max": aim }));
    let bench = Bench::new(format!("plan-{}", size.workers), 3.0, move |seconds| plans::run(size, seconds));
    ["fresh_ms", "death_ms", "still_ms"].into_iter().fold(bench, time).told("check_ms", "ms")
}

fn masters() -> [Bench; 5] {
    let most = |most: f64| json!({ "max": most });
    [
        Bench::new("masters-failover", 0.0, masters::failover::run)
            .told("p50_ms", "ms")
            .lower("of_30_the_29th_ms", "ms", most(1_500.0), most(800.0))
            .told("most_ms", "ms"),
        Bench::new("masters-activates", 10.0, masters::activates::run)
            .higher("committed_s", "commands/s", json!({ "min": 3_000.0 }), json!({ "min": 8_000.0 }))
            .told("p50_ms", "ms")
            .lower("p99_ms", "ms", most(50.0), most(20.0))
            .told("masters_cores", "cores, all three")
            .told("clients_cores", "cores"),
        Bench::new("masters-idle", 20.0, masters::idle::run).lower("rss_mb", "MB", most(40.0), most(20.0)).lower(
            "cpu_percent",
            "% of a core",
            most(0.5),
            most(0.2),
        ),
        Bench::new("masters-start", 0.0, masters::start::run)
            .lower("ready_ms", "ms", most(1_000.0), most(300.0))
            .told("most_ms", "ms")
            .told("entries", "entries"),
        Bench::new("masters-streams", 20.0, masters::streams::run)
            .lower("cpu_percent", "% of a core", most(25.0), most(10.0))
            .told("rss_mb", "MB")
            .told("beats_s", "beats/s")
            .told("workers_cores", "cores"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bench_has_a_name_of_its_own_and_asks_for_something() {
        let benches = benches();
        let names: std::collections::BTreeSet<_> = benches.iter().map(|bench| &bench.name).collect();
        assert_eq!(names.len(), benches.len());
        for bench in &benches {
            assert!(bench.rows.iter().any(|row| row["must"].is_object()), "{}", bench.name);
        }
    }
}
