//! The topology: posts → hashtags → count → merge.

use std::num::NonZeroU64;
use std::time::Duration;

use squall::{Delivery, Invalid, Program, TopologyBuilder, WindowSpec};

use super::count::Count;
use super::hashtags::Hashtags;
use super::merge::{Merge, Publish};
use super::source::{Source, Spouts};

/// What the topology is made of.
pub struct Settings {
    pub source: Source,
    pub window: WindowSpec,
    /// How many hashtags are shown.
    pub top: usize,
    /// Executors of each component that can have several.
    pub parallelism: u32,
    pub delivery: Delivery,
    /// The input ends after so long.
    pub end_after: Option<Duration>,
    /// A task of `hashtags` panics each time it has taken so many posts.
    pub panic_every: Option<NonZeroU64>,
}

/// Trending hashtags; each window's goes to `publish`.
pub fn trending(settings: Settings, publish: Publish) -> Result<Program, Invalid> {
    let Settings { source, window, top, parallelism, delivery, end_after, panic_every } = settings;
    let mut topology = TopologyBuilder::new("trending");
    topology.delivery(delivery);
    source.declare("posts", &mut topology, &Spouts { window, parallelism, end_after });
    let hashtags = move || Hashtags::panicking_after(panic_every);
    topology.bolt("hashtags", hashtags).parallelism(parallelism).local_or_shuffle("posts");
    topology.bolt("count", move || Count::new(window, top)).parallelism(parallelism).fields("hashtags", ["tag"]);
    topology.bolt("merge", move || Merge::new(top, publish.clone())).global("count");
    topology.build()
}
