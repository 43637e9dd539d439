//! Counters, gauges and histograms of the user's own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Latency, LatencySnapshot};

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// A distribution of whole numbers, with two digits.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Mutex<Latency>>);

impl Histogram {
    /// Records a value.
    pub fn record(&self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records a value `count` times.
    pub fn record_n(&self, value: u64, count: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).record(value, count);
    }

    fn snapshot(&self) -> LatencySnapshot {
        LatencySnapshot::of(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug, Default)]
struct Registry {
    counters: BTreeMap<String, Counter>,
    gauges: BTreeMap<String, Gauge>,
    histograms: BTreeMap<String, Histogram>,
}

/// A component's own metrics, shared by its tasks: the same name is the same metric.
#[derive(Clone, Debug, Default)]
pub struct UserMetrics(Arc<Mutex<Registry>>);

/// What users' metrics show.
#[derive(Clone, Debug, Default)]
pub struct UserSnapshot {
    /// Counters by name.
    pub counters: BTreeMap<String, u64>,
    /// Gauges by name.
    pub gauges: BTreeMap<String, i64>,
    /// Histograms by name.
    pub histograms: BTreeMap<String, LatencySnapshot>,
}

impl UserMetrics {
    fn with<T>(&self, f: impl FnOnce(&mut Registry) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The counter with this name.
    pub fn counter(&self, name: &str) -> Counter {
        self.with(|r| r.counters.entry(name.to_owned()).or_default().clone())
    }

    /// The gauge with this name.
    pub fn gauge(&self, name: &str) -> Gauge {
        self.with(|r| r.gauges.entry(name.to_owned()).or_default().clone())
    }

    /// The histogram with this name.
    pub fn histogram(&self, name: &str) -> Histogram {
        self.with(|r| r.histograms.entry(name.to_owned()).or_default().clone())
    }

    /// What they show now.
    pub fn snapshot(&self) -> UserSnapshot {
        self.with(|r| UserSnapshot {
            counters: r.counters.iter().map(|(name, counter)| (name.clone(), counter.get())).collect(),
            gauges: r.gauges.iter().map(|(name, gauge)| (name.clone(), gauge.get())).collect(),
            histograms: r.histograms.iter().map(|(name, h)| (name.clone(), h.snapshot())).collect(),
        })
    }
}
