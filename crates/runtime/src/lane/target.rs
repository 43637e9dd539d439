//! The batches that are filled for each receiving lane.

use std::sync::Arc;

use squall_types::{Anchor, Batch, Route, Value};

use super::control::Control;
use super::outputs::{BATCH, BATCH_BYTES};
use crate::inbox::{Inbox, Parcel, Size};

impl Parcel for Batch {
    fn rows(&self) -> usize {
        self.rows as usize
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn sender(&self) -> (u16, u16) {
        (self.input, self.sender)
    }

    fn recycle(&mut self) {
        super::moving::empty(&mut self.values, self.heap_bytes);
        self.clear();
        // Buffers that one long run has swollen don't stay.
        if self.values.capacity() > 16 * BATCH * usize::from(self.width.max(1)) {
            *self = Self::default();
        }
    }
}

/// What leaves at a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushPolicy {
    /// Full batches, and those whose first row is older than this, in nanoseconds.
    Older(u64),
    /// Everything.
    All,
}

impl FlushPolicy {
    /// Whether a batch that has waited since then leaves.
    #[inline]
    pub fn wants(self, rows: u32, bytes: usize, since_ns: u64, now_ns: u64) -> bool {
        match self {
            Self::All => true,
            Self::Older(age) => {
                rows as usize >= BATCH || bytes >= BATCH_BYTES || now_ns.saturating_sub(since_ns) >= age
            }
        }
    }
}

/// A lane that has no room: whom to wait for, and with what.
pub struct Blocked {
    /// The inbox.
    pub inbox: Arc<Inbox<Batch>>,
    /// What waits.
    pub size: Size,
}

/// A receiving lane, and the batch that is filled for it.
pub struct Target {
    pub inbox: Arc<Inbox<Batch>>,
    pub batch: Batch,
    pub since_ns: u64,
    /// Rows that the run under way has for it: counted before any is moved.
    pub dealt: u32,
    /// The consumer's input, the sender's number there, the values a row: they stand in each batch.
    pub input: u16,
    pub sender: u16,
    pub width: u16,
    /// For an edge that closes a cycle: whom to tell how full it is.
    pub feedback: Option<Arc<Control>>,
    /// Nobody is there yet: rows wait here.
    pub held: bool,
}

impl Target {
    /// A target with nothing to send.
    pub fn new(inbox: Arc<Inbox<Batch>>, input: u16, sender: u16, width: u16, feedback: Option<Arc<Control>>) -> Self {
        let batch = Batch::default();
        Self { inbox, batch, since_ns: u64::MAX, dealt: 0, input, sender, width, feedback, held: false }
    }

    /// Starts or goes on with the batch.
    #[inline]
    pub fn open(&mut self, now_ns: u64) {
        if self.batch.rows == 0 {
            self.since_ns = now_ns;
        }
    }

    /// Appends a row's anchors and route; its values are the caller's.
    #[inline]
    pub fn push(&mut self, anchor: Option<Anchor>, route: Option<Route>) {
        self.batch.rows += 1;
        if let Some(anchor) = anchor {
            self.batch.anchors.push(anchor);
        }
        if let Some(route) = route {
            self.batch.routes.push(route);
        }
    }

    /// Appends copies of a row's values.
    pub fn push_values(&mut self, values: &[Value]) {
        self.batch.values.extend_from_slice(values);
        self.batch.heap_bytes += values.iter().map(Value::heap_bytes).sum::<usize>();
    }

    /// Sends the batch if the policy wants it to leave; says so if there is no room.
    pub fn flush(&mut self, now_ns: u64, policy: FlushPolicy) -> Option<Blocked> {
        let marked = self.batch.mark.is_some();
        let Batch { rows, heap_bytes, .. } = self.batch;
        if self.batch.is_empty() || !marked && !policy.wants(rows, heap_bytes, self.since_ns, now_ns) {
            return None;
        }
        let mut batch = std::mem::take(&mut self.batch);
        (batch.input, batch.sender, batch.width, batch.sent_ns) = (self.input, self.sender, self.width, now_ns);
        let sent = match &self.feedback {
            Some(control) => self.inbox.push(batch).inspect(|_| control.add_feedback(i64::from(rows))),
            None => self.inbox.try_send(batch),
        };
        match sent {
            Ok(empty) => {
                self.batch = empty;
                None
            }
            Err(batch) => {
                let blocked = Blocked { inbox: self.inbox.clone(), size: Size::of(&batch) };
                self.batch = batch;
                Some(blocked)
            }
        }
    }
}
