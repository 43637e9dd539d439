//! Frames between slots: what it costs to write a row as bytes, and to read it.

use std::hint::black_box;
use std::time::Instant;

use bytes::BytesMut;
use squall_runtime::wire::{Rows, Step, read_rows};
use squall_types::{Batch, Timestamp, Value};

use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::cpu_seconds;

/// Rows of a batch.
const ROWS: u32 = 512;
/// Between two looks at the clock.
const ROUNDS: u32 = 200;

/// Rows of four fields, as many topologies have them: a key, a text of a sentence, a number and a time.
fn batch() -> Batch {
    let row = |number: u32| {
        [
            Value::from(format!("device-{number:06}")),
            Value::from("the quick brown fox jumps over the lazy dog again"),
            Value::Float(f64::from(number) / 3.0),
            Value::Timestamp(Timestamp::from_millis(1_700_000_000_000 + i64::from(number))),
        ]
    };
    let values: Vec<_> = (0..ROWS).flat_map(row).collect();
    let heap_bytes = values.iter().map(Value::heap_bytes).sum();
    Batch { width: 4, rows: ROWS, values, heap_bytes, ..Batch::default() }
}

/// Nanoseconds that a row of four fields takes to be written, and to be read into a batch that was used before.
///
/// # Errors
/// What was written isn't read back.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    let batch = batch();
    let mut out = BytesMut::new();
    let write_ns = per_row(seconds / 2.0, || {
        out.clear();
        let mut rows = Rows::new(black_box(&batch));
        while rows.next(&mut out) == Some(Step::Frame) {}
        Ok(())
    })?;
    let mut read = Batch::default();
    let read_ns = per_row(seconds / 2.0, || {
        read.clear();
        read_rows(black_box(&out), &mut read).map_err(|_| Error::Shape("a frame that was written isn't read"))
    })?;
    if read.values != batch.values {
        return Err(Error::Shape("a batch came back otherwise than it was"));
    }
    Ok(figures([("write_ns", write_ns), ("read_ns", read_ns), ("bytes", out.len() as f64 / f64::from(ROWS))]))
}

/// In CPU time, so that others on the machine cost nothing.
fn per_row(seconds: f64, mut once: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let (begun, spent, mut rounds) = (Instant::now(), cpu_seconds()?, 0.0);
    while begun.elapsed().as_secs_f64() < seconds {
        for _ in 0..ROUNDS {
            once()?;
        }
        rounds += f64::from(ROUNDS);
    }
    Ok((cpu_seconds()? - spent) * 1e9 / rounds / f64::from(ROWS))
}
