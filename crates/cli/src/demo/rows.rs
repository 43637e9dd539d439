//! The rows that flow through the topology.

use std::collections::BTreeMap;

use squall::{Timestamp, Tuple};

/// A post, from the spout.
#[derive(Tuple)]
pub struct Post<'a> {
    pub text: &'a str,
    /// Event time: when it was written.
    pub at: Timestamp,
    /// When the spout emitted it.
    pub emitted: Timestamp,
}

/// A hashtag in a post.
#[derive(Tuple)]
pub struct Tagged<'a> {
    pub tag: &'a str,
    pub at: Timestamp,
    pub emitted: Timestamp,
}

/// The most frequent of the hashtags that one task counts, in one window.
#[derive(Tuple)]
pub struct Partial {
    /// The end of the window; [`Timestamp::MAX`] stands for the whole input.
    pub end: Timestamp,
    pub counts: BTreeMap<String, i64>,
    /// When the newest post that it counts was emitted; none if the task has counted nothing since its last.
    pub emitted: Option<Timestamp>,
}
