//! Tokens: a tuple that a bolt keeps, to be acked or failed later.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use squall_types::{Anchor, EdgeId, RootId};

/// Something that can be woken to look at what came back.
pub trait Notify: Send + Sync {
    /// Wakes it.
    fn notify(&self);
}

impl<T: crate::inbox::Parcel + Send> Notify for crate::inbox::Inbox<T> {
    fn notify(&self) {
        Self::notify(self);
    }
}

/// A token that came back.
pub(crate) struct Returned {
    pub anchors: Vec<Anchor>,
    pub acked: bool,
    pub node: u16,
    /// The task to count the tuple for, if this token stands for it.
    pub task: Option<u16>,
    pub taken_ns: u64,
}

/// What tokens have said.
#[derive(Default)]
pub(crate) struct Said {
    /// Tokens that came back, in order.
    pub returned: Vec<Returned>,
    /// Roots that get their whole timeout again. A set, so that tokens that say so often don't fill it.
    pub extended: HashSet<RootId>,
}

/// Where a lane's tokens come back to.
pub struct Returns {
    said: Mutex<Said>,
    lane: Arc<dyn Notify>,
}

impl Returns {
    /// Tokens come back to this lane.
    pub fn new(lane: Arc<dyn Notify>) -> Self {
        Self { said: Mutex::default(), lane }
    }

    /// All that tokens have said since it was last taken.
    pub(crate) fn take(&self) -> Said {
        std::mem::take(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, returned: Returned) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).returned.push(returned);
        self.lane.notify();
    }

    fn extend(&self, roots: impl Iterator<Item = RootId>) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).extended.extend(roots);
        self.lane.notify();
    }
}

/// A kept tuple. [`ack`](Self::ack) it or [`fail`](Self::fail) it; dropping it fails it.
#[must_use = "dropping a token fails its tuple"]
pub struct Token {
    anchors: Vec<(RootId, AtomicU64)>,
    returns: Arc<Returns>,
    node: u16,
    task: Option<u16>,
    taken_ns: u64,
}

impl Token {
    pub(crate) fn new(
        anchors: Vec<Anchor>,
        returns: Arc<Returns>,
        node: u16,
        task: Option<u16>,
        taken_ns: u64,
    ) -> Self {
        let anchors = anchors.into_iter().map(|a| (a.root, AtomicU64::new(a.edge.to_bits()))).collect();
        Self { anchors, returns, node, task, taken_ns }
    }

    /// The tuple is done.
    pub fn ack(mut self) {
        self.give_back(true);
    }

    /// The tuple takes longer: each of its roots gets its whole timeout again, from when its spout's lane hears of it. A root
    /// that has timed out or failed already stays so.
    pub fn extend(&self) {
        if !self.anchors.is_empty() {
            self.returns.extend(self.anchors.iter().map(|(root, _)| *root));
        }
    }

    /// The tuple can't be done: its root fails.
    pub fn fail(self) {}

    /// Adds an edge below the token for each of its roots, drawn by `draw`, and hands them to `each`.
    pub(crate) fn branch(&self, mut draw: impl FnMut() -> EdgeId, mut each: impl FnMut(Anchor)) {
        for (root, sum) in &self.anchors {
            let edge = draw();
            sum.fetch_xor(edge.to_bits(), Relaxed);
            each(Anchor { root: *root, edge });
        }
    }

    fn give_back(&mut self, acked: bool) {
        if self.anchors.is_empty() {
            return;
        }
        let anchors = std::mem::take(&mut self.anchors)
            .into_iter()
            .map(|(root, sum)| Anchor { root, edge: EdgeId::from_bits(sum.into_inner()) })
            .collect();
        self.returns.put(Returned { anchors, acked, node: self.node, task: self.task, taken_ns: self.taken_ns });
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.give_back(false);
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.anchors.iter().map(|(root, _)| root)).finish()
    }
}
