//! What the nodes of a chain share while they run.

use std::sync::Arc;

use squall_types::{Anchor, EdgeId};

use super::heads::Heads;
use crate::clock::Clock;
use crate::token::Returns;

/// One for each chain; a call of user code sees it through its collector.
pub struct Run {
    /// The head rows that the chain works on.
    pub heads: Heads,
    /// Tells the time.
    pub clock: Clock,
    /// Where tokens come back to.
    pub returns: Arc<Returns>,
    /// When the stretch under way began: close enough for latencies, and free.
    pub began_ns: u64,
    /// The node that runs.
    pub node: u16,
    /// The current tuple's further roots, with the sums of their edges.
    pub more: Vec<Anchor>,
}

impl Run {
    /// A call begins on a tuple of this head: its anchor. Its further roots are in `more`.
    #[inline]
    pub fn begin(&mut self, head: u32) -> Anchor {
        if !self.heads.more.is_empty() {
            self.more.clear();
            self.heads.further(head, &mut self.more);
        }
        self.heads.get(head)
    }

    /// The call has ended, with edges below its roots that XOR to `sum`, and to what stands in `more`.
    #[inline]
    pub fn end(&mut self, head: u32, sum: EdgeId) {
        self.heads.add_sum(head, sum);
        if !self.more.is_empty() {
            self.heads.add_further(head, &self.more);
        }
    }

    /// A run that hasn't begun.
    pub fn new(clock: Clock, returns: Arc<Returns>) -> Self {
        Self { heads: Heads::default(), clock, returns, began_ns: 0, node: 0, more: Vec::new() }
    }
}
