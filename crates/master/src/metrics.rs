//! What a master counts, for Prometheus.
//!
//! Invariants: one registry a node, so that several in one process never share a counter; names and help are held by a golden file, and no
//! label has a value that a client chose.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// One of the public API's methods.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Method {
    /// As `Topologies/Submit`.
    pub method: &'static str,
}

/// A method and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    /// As `Topologies/Submit`.
    pub method: &'static str,
    /// As gRPC names it: `OK`, `NOT_FOUND`, ….
    pub code: &'static str,
}

/// A kind of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// Which.
    pub kind: &'static str,
}

/// What a master counts. Each is a handle: cloning shares it.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// 1 while it leads.
    pub leader: Gauge,
    /// Raft's term.
    pub term: Gauge,
    /// The last entry that a majority has.
    pub committed: Gauge,
    /// The last entry in its state.
    pub applied: Gauge,
    /// Masters, by whether they are `alive` or `silent`, as the leader sees them.
    pub masters: Family<Kind, Gauge>,
    /// Workers by state, as the leader sees them.
    pub workers: Family<Kind, Gauge>,
    /// Topologies by state.
    pub topologies: Family<Kind, Gauge>,
    /// Executors, `placed` and `unplaced`.
    pub executors: Family<Kind, Gauge>,
    /// Packages on this disk.
    pub blobs: Gauge,
    /// Their bytes.
    pub blob_bytes: Gauge,
    /// Packages that the cluster has and this disk doesn't.
    pub blobs_missing: Gauge,
    /// Connections refused before a request, by port: `api`, `monitoring`.
    pub refused: Family<Kind, Counter>,
    /// Requests, by how they went.
    pub requests: Family<Answer, Counter>,
    /// How long requests took.
    pub request_seconds: Family<Method, Histogram>,
    /// Requests under way.
    pub in_flight: Gauge,
    /// Plans, by what became of them: `committed`, `unchanged`, `refused` by the checker, `stale`.
    pub plans: Family<Kind, Counter>,
    /// How long planning took.
    pub plan_seconds: Histogram,
    /// How often the leader noticed that it had stalled itself.
    pub stalls: Counter,
}

fn latency() -> Histogram {
    Histogram::new([0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
}

impl Metrics {
    /// A node's own, at zero.
    pub fn new(version: &'static str) -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            leader: Gauge::default(),
            term: Gauge::default(),
            committed: Gauge::default(),
            applied: Gauge::default(),
            masters: Family::default(),
            workers: Family::default(),
            topologies: Family::default(),
            executors: Family::default(),
            blobs: Gauge::default(),
            blob_bytes: Gauge::default(),
            blobs_missing: Gauge::default(),
            refused: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(latency),
            in_flight: Gauge::default(),
            plans: Family::default(),
            plan_seconds: latency(),
            stalls: Counter::default(),
        };
        metrics.registry = Arc::new(metrics.register(version));
        metrics
    }

    fn register(&self, version: &'static str) -> Registry {
        let mut all = Registry::with_prefix("squall");
        all.register("build", "The build that runs", Info::new([("version", version)]));
        let master = all.sub_registry_with_prefix("master");
        master.register("leader", "1 while this master leads", self.leader.clone());
        master.register("raft_term", "Raft's term", self.term.clone());
        master.register("raft_committed", "Index of the last entry that a majority has", self.committed.clone());
        master.register("raft_applied", "Index of the last entry in this master's state", self.applied.clone());
        master.register("masters", "Masters as the leader sees them, by state", self.masters.clone());
        master.register("workers", "Workers as the leader sees them, by state", self.workers.clone());
        master.register("topologies", "Topologies by state", self.topologies.clone());
        master.register("executors", "Executors, placed and unplaced", self.executors.clone());
        master.register("blobs", "Packages on this master's disk", self.blobs.clone());
        master.register_with_unit(
            "blob_size",
            "Size of the packages on this master's disk",
            Unit::Bytes,
            self.blob_bytes.clone(),
        );
        master.register(
            "blobs_missing",
            "Packages that the cluster has and this disk doesn't",
            self.blobs_missing.clone(),
        );
        master.register("connections_refused", "Connections refused before a request, by port", self.refused.clone());
        master.register("requests", "Requests answered, by method and gRPC code", self.requests.clone());
        let help = "How long requests took, by method";
        master.register_with_unit("request_duration", help, Unit::Seconds, self.request_seconds.clone());
        master.register("requests_in_flight", "Requests under way", self.in_flight.clone());
        master.register("plans", "Plans made, by what became of them", self.plans.clone());
        master.register_with_unit("plan_duration", "How long planning took", Unit::Seconds, self.plan_seconds.clone());
        master.register("stalls", "How often the leader noticed that it had stalled itself", self.stalls.clone());
        all
    }

    /// All of it, as Prometheus reads it (OpenMetrics 1.0).
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all text");
        text
    }
}
