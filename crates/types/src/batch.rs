//! Batches: what travels between tasks. Flat, so that a tuple costs no allocation of its own.

use crate::{EdgeId, KeyGroup, RootId, Timestamp, Value};

/// What acking needs of a row: the root it belongs to and its own edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The root, or [`RootId::NONE`] for a row that isn't tracked.
    pub root: RootId,
    /// This row's edge in that root's tree.
    pub edge: EdgeId,
}

impl Anchor {
    /// The anchor of a row that isn't tracked.
    pub const NONE: Self = Self { root: RootId::NONE, edge: EdgeId::ZERO };
}

/// Where a row goes and comes from, within the two lanes that a batch joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The receiving task, as an index into the receiving lane's tasks.
    pub task: u16,
    /// The key group that the router found, for keyed edges.
    pub group: KeyGroup,
    /// The emitting task, as an index into the sending lane's tasks.
    pub source: u16,
}

impl Route {
    /// What holds for every row of a batch without routes.
    pub const FIRST: Self = Self { task: 0, group: KeyGroup::NONE, source: 0 };
}

/// A statement about all that came before it on its stream. Marks close a batch and keep their place between the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// No row with an earlier event time follows. [`Timestamp::MAX`] ends the input.
    Watermark(Timestamp),
    /// A checkpoint's barrier, with its number. The tag is kept for checkpoints; nothing emits it today.
    Barrier(u64),
}

/// Rows of one stream on their way from one lane to another.
///
/// Columns are parallel: row `i` has `values[i * width..][..width]`, and `anchors[i]` and `routes[i]` where these are not
/// empty. Empty `anchors`: no row is tracked. Empty `routes`: every row has [`Route::FIRST`].
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Which of the receiving component's inputs this is.
    pub input: u16,
    /// The sending lane, as the receiver numbers the senders of this input; marks are counted by it.
    pub sender: u16,
    /// Values a row.
    pub width: u16,
    /// Number of rows (a row may have no values).
    pub rows: u32,
    /// All rows' values.
    pub values: Vec<Value>,
    /// A root and an edge a row, or empty.
    pub anchors: Vec<Anchor>,
    /// Anchors of rows that have more than one, by ascending row.
    pub more_anchors: Vec<(u32, Anchor)>,
    /// A route a row, or empty.
    pub routes: Vec<Route>,
    /// Bytes that the values hold outside themselves.
    pub heap_bytes: usize,
    /// When the batch was handed over, in nanoseconds of the process's clock.
    pub sent_ns: u64,
    /// The mark that follows the last row.
    pub mark: Option<Mark>,
}

impl Batch {
    /// Whether there is neither a row nor a mark in it.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 && self.mark.is_none()
    }

    /// What the batch holds in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.heap_bytes
            + self.values.len() * size_of::<Value>()
            + self.anchors.len() * size_of::<Anchor>()
            + self.more_anchors.len() * size_of::<(u32, Anchor)>()
            + self.routes.len() * size_of::<Route>()
    }

    /// The values of row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> &[Value] {
        let width = self.width as usize;
        &self.values[i * width..][..width]
    }

    /// The route of row `i`.
    #[inline]
    pub fn route(&self, i: usize) -> Route {
        self.routes.get(i).copied().unwrap_or(Route::FIRST)
    }

    /// The first anchor of row `i`.
    #[inline]
    pub fn anchor(&self, i: usize) -> Anchor {
        self.anchors.get(i).copied().unwrap_or(Anchor::NONE)
    }

    /// Empties the batch and keeps its buffers.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.values.clear();
        self.anchors.clear();
        self.more_anchors.clear();
        self.routes.clear();
        self.heap_bytes = 0;
        self.mark = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(root: u64) -> Anchor {
        Anchor { root: RootId::from_bits(root), edge: EdgeId::from_bits(root) }
    }

    /// Three rows of two values, all of whose columns are filled.
    fn full() -> Batch {
        let route = |task| Route { task, group: KeyGroup::new(7), source: 1 };
        Batch {
            width: 2,
            rows: 3,
            values: (0..6).map(Value::Int).collect(),
            anchors: (1..=3).map(anchor).collect(),
            more_anchors: vec![(1, anchor(9))],
            routes: (0..3).map(route).collect(),
            heap_bytes: 100,
            mark: Some(Mark::Barrier(1)),
            ..Batch::default()
        }
    }

    #[test]
    fn a_row_has_its_values_its_anchor_and_its_route() {
        let batch = full();
        assert_eq!(batch.row(1), [Value::Int(2), Value::Int(3)]);
        assert_eq!(batch.anchor(1), anchor(2));
        assert_eq!((batch.route(1).task, batch.route(1).group), (1, KeyGroup::new(7)));
    }

    #[test]
    fn rows_of_a_batch_without_columns_are_untracked_and_for_the_first_task() {
        let batch = Batch { rows: 2, ..Batch::default() };
        assert_eq!(batch.row(1), []);
        assert_eq!((batch.anchor(1), batch.route(1)), (Anchor::NONE, Route::FIRST));
        assert!(!batch.anchor(1).root.is_some() && !batch.route(1).group.is_some());
    }

    #[test]
    fn a_mark_alone_is_something_to_send() {
        assert!(Batch::default().is_empty());
        assert!(!Batch { rows: 1, ..Batch::default() }.is_empty());
        assert!(!Batch { mark: Some(Mark::Watermark(Timestamp::MAX)), ..Batch::default() }.is_empty());
    }

    #[test]
    fn all_columns_weigh_and_what_values_hold_outside_too() {
        let columns = 6 * size_of::<Value>() + 3 * size_of::<Anchor>() + 3 * size_of::<Route>();
        assert_eq!(full().bytes(), 100 + columns + size_of::<(u32, Anchor)>());
    }

    #[test]
    fn a_batch_that_was_emptied_keeps_its_buffers() {
        let mut batch = full();
        let buffers = (batch.values.as_ptr(), batch.anchors.as_ptr(), batch.routes.as_ptr());
        batch.clear();
        assert!(batch.is_empty() && batch.bytes() == 0 && batch.more_anchors.is_empty());
        assert_eq!((batch.values.as_ptr(), batch.anchors.as_ptr(), batch.routes.as_ptr()), buffers);
    }
}
