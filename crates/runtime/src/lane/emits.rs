//! Rows that are kept until they may go out: those of an asynchronous call, and those made on another thread.

use squall_types::{IntoRow, RowWriter, TaskId, Value};

use super::outputs::{Origin, Outputs};
use crate::api::StreamHandle;

/// Rows in the order in which they were emitted.
#[derive(Debug, Default)]
pub struct Emits {
    rows: Vec<Emit>,
    values: Vec<Value>,
    heap_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Emit {
    stream: StreamHandle,
    fields: Option<&'static [&'static str]>,
    /// The receiver that was named.
    to: Option<TaskId>,
    /// Its values begin here.
    at: usize,
}

/// A row taken out of [`Emits`], with all that was said of it.
pub struct Emitted {
    pub stream: StreamHandle,
    /// The fields of the type that it was emitted as.
    pub fields: Option<&'static [&'static str]>,
    /// The receiver that was named.
    pub to: Option<TaskId>,
    pub values: Box<[Value]>,
}

/// A kept row's values. What its type was is checked by [`Emits::emit`].
struct Kept<'a>(&'a mut [Value]);

impl IntoRow for Kept<'_> {
    fn fields() -> Option<&'static [&'static str]> {
        None
    }

    fn write(self, row: &mut RowWriter<'_>) {
        self.0.iter_mut().for_each(|value| row.push(std::mem::take(value)));
    }
}

impl Emits {
    /// Keeps a row, and the receiver that was named for it.
    pub fn push<R: IntoRow>(&mut self, stream: StreamHandle, to: Option<TaskId>, row: R) {
        let at = self.values.len();
        row.write(&mut RowWriter::new(&mut self.values, &mut self.heap_bytes));
        self.rows.push(Emit { stream, fields: R::fields(), to, at });
    }

    /// Bytes that the kept rows hold.
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// How many rows are kept.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Emits the row at `index`, which is then gone. What is wrong with it, the outputs remember.
    pub fn emit(&mut self, index: usize, outputs: &mut Outputs, origin: &mut Origin<'_>) {
        let Emit { stream, fields, to, at } = self.rows[index];
        let end = self.rows.get(index + 1).map_or(self.values.len(), |next| next.at);
        if outputs.accepts(stream, fields) {
            outputs.append_to(stream, to, Kept(&mut self.values[at..end]), origin);
        }
    }

    /// Which stream the row at `index` goes to.
    pub fn stream(&self, index: usize) -> StreamHandle {
        self.rows[index].stream
    }

    /// Takes all rows out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Emitted> {
        self.heap_bytes = 0;
        let all = self.values.len();
        let mut values = self.values.drain(..);
        let mut rows = self.rows.drain(..).peekable();
        std::iter::from_fn(move || {
            let row = rows.next()?;
            let end = rows.peek().map_or(all, |next| next.at);
            let values = values.by_ref().take(end - row.at).collect();
            Some(Emitted { stream: row.stream, fields: row.fields, to: row.to, values })
        })
    }

    /// Forgets all rows and keeps the buffers.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
        self.heap_bytes = 0;
    }
}
