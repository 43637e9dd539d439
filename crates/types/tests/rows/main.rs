//! Rows: what is emitted, what is read, and the batches they travel in.

mod batch;
mod derive;
mod errors;
mod into_row;
mod tuple;

use std::sync::Arc;

use squall_types::topology::Fields;
use squall_types::{ComponentId, IntoRow, RowWriter, Schema, StreamId, Value};

/// The schema of a stream with these fields.
fn schema(fields: &[&str]) -> Arc<Schema> {
    Arc::new(Schema::new(ComponentId::new("split"), StreamId::default_stream(), Fields::new(fields)))
}

/// What a row writes: its values, and the bytes they hold outside themselves.
fn written(row: impl IntoRow) -> (Vec<Value>, usize) {
    let (mut values, mut heap_bytes) = (Vec::new(), 0);
    row.write(&mut RowWriter::new(&mut values, &mut heap_bytes));
    (values, heap_bytes)
}
