//! What a worker counts, for Prometheus.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// A kind of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Kind {
    pub kind: &'static str,
}

/// What a worker counts. Each is a handle: cloning shares it.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    /// Slots in use, by state.
    pub slots: Family<Kind, Gauge>,
    /// Processes started.
    pub starts: Counter,
    /// Processes that ended though nobody asked them to.
    pub failures: Counter,
    /// 1 while a master is heard.
    pub linked: Gauge,
    /// The place in the log of the state that is obeyed.
    pub revision: Gauge,
    /// Packages on the disk.
    pub packages: Gauge,
    /// Their bytes.
    pub package_bytes: Gauge,
    /// Connections refused before a request, by port.
    pub refused: Family<Kind, Counter>,
}

impl Metrics {
    /// A worker's own, at zero.
    pub(crate) fn new(version: &'static str) -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            slots: Family::default(),
            starts: Counter::default(),
            failures: Counter::default(),
            linked: Gauge::default(),
            revision: Gauge::default(),
            packages: Gauge::default(),
            package_bytes: Gauge::default(),
            refused: Family::default(),
        };
        metrics.registry = Arc::new(metrics.register(version));
        metrics
    }

    fn register(&self, version: &'static str) -> Registry {
        let mut all = Registry::with_prefix("squall");
        all.register("build", "The build that runs", Info::new([("version", version)]));
        let worker = all.sub_registry_with_prefix("worker");
        worker.register("slots", "Slots in use, by state", self.slots.clone());
        worker.register("slot_starts", "Processes of slots that were started", self.starts.clone());
        worker.register(
            "slot_failures",
            "Processes of slots that ended though nobody asked them to",
            self.failures.clone(),
        );
        worker.register("linked", "1 while a master is heard", self.linked.clone());
        worker.register("revision", "Place in the log of the state that is obeyed", self.revision.clone());
        worker.register("packages", "Packages on this worker's disk", self.packages.clone());
        let help = "Size of the packages on this worker's disk";
        worker.register_with_unit("package_size", help, Unit::Bytes, self.package_bytes.clone());
        worker.register("connections_refused", "Connections refused before a request, by port", self.refused.clone());
        all
    }

    /// All of it, as Prometheus reads it (OpenMetrics 1.0).
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all text");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_help_are_those_of_the_golden_file() {
        let metrics = Metrics::new("1");
        metrics.slots.get_or_create(&Kind { kind: "x" }).set(1);
        metrics.refused.get_or_create(&Kind { kind: "x" }).inc();
        let text = metrics.text();
        let described: String =
            text.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        assert_eq!(described, include_str!("metrics/golden.txt"));
    }
}
