//! Batches of rows.
//!
//! ```text
//!  0  format 1, kind 1, flags (1 anchors, 2 routes, 4 watermark, 8 barrier), 0
//!  4  input u16, sender u16, width u16, 0 u16
//! 12  rows u32, further anchors u32, bytes of values u32
//! 24  the mark's number u64, or 0
//! 32  values
//!     a root u64 and an edge u64 a row, if the flag says so
//!     further anchors: row u32, root u64, edge u64 each, by ascending row
//!     task u16, key group u16, source u16 a row, if the flag says so
//! ```

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use squall_types::{Anchor, Batch, EdgeId, KeyGroup, Mark, RootId, Route, Timestamp};

use super::header::{self, Kind, VERSION};
use super::reader::Reader;
use super::{FrameError, Unsendable, limits, values};

const ANCHORS: u8 = 1;
const ROUTES: u8 = 2;
const WATERMARK: u8 = 4;
const BARRIER: u8 = 8;

const HEADER: usize = 32;
const ANCHOR: usize = 16;
const MORE: usize = 20;
const ROUTE: usize = 6;

/// A batch on its way into frames: as many as its rows need.
pub struct Rows<'a> {
    batch: &'a Batch,
    row: usize,
    /// Its further anchors before `row`.
    more: usize,
    done: bool,
}

/// What [`Rows::next`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It wrote a frame.
    Frame,
    /// The next row can't be sent: it is left out. Nothing was written.
    Refused {
        /// Its number within the batch.
        row: usize,
        /// Why.
        why: Unsendable,
    },
}

impl<'a> Rows<'a> {
    /// All of a batch.
    pub fn new(batch: &'a Batch) -> Self {
        Self { batch, row: 0, more: 0, done: false }
    }

    /// Writes the next frame to the end of `out`, until nothing is left. The mark goes with the last frame.
    pub fn next(&mut self, out: &mut BytesMut) -> Option<Step> {
        if self.done {
            return None;
        }
        let begin = out.len();
        out.reserve(self.estimate());
        out.put_bytes(0, HEADER);
        let first = self.row;
        let refused = self.values(out, begin + HEADER);
        if self.row == first
            && let Some(why) = refused
        {
            out.truncate(begin);
            self.skip();
            return Some(Step::Refused { row: first, why });
        }
        self.done = refused.is_none() && self.row == self.batch.rows as usize;
        if self.done && first > 0 && first == self.row && self.batch.mark.is_none() {
            // All that was left has been refused.
            out.truncate(begin);
            return None;
        }
        self.columns(out, begin, first..self.row);
        Some(Step::Frame)
    }

    /// A guess at what the next frame takes, and a little more: what is written is copied only if it is too low.
    fn estimate(&self) -> usize {
        let batch = self.batch;
        let rows = (batch.rows as usize - self.row).min(limits::ROWS);
        let per_row = usize::from(batch.width) * 16 + ANCHOR + ROUTE;
        HEADER + (rows * per_row + batch.heap_bytes).min(limits::FULL + limits::FULL / 2)
    }

    fn skip(&mut self) {
        self.row += 1;
        let more = self.batch.more_anchors.get(self.more..).unwrap_or_default();
        self.more += more.iter().take_while(|(row, _)| (*row as usize) < self.row).count();
    }

    /// Appends rows' values until the frame is full, and tells why it stopped at a row that can't be sent.
    fn values(&mut self, out: &mut BytesMut, begin: usize) -> Option<Unsendable> {
        let batch = self.batch;
        let width = usize::from(batch.width);
        // Where all rows together are under the limit, so is each.
        let weigh = batch.heap_bytes > limits::ROW;
        let most = limits::ROWS.min(limits::VALUES.checked_div(width).unwrap_or(limits::ROWS));
        let mut end = (batch.rows as usize).min(self.row + most);
        if let Some((row, _)) = batch.more_anchors.get(self.more + limits::MORE_ANCHORS) {
            end = end.min(*row as usize);
            if end == self.row {
                return Some(Unsendable::Anchors);
            }
        }
        while self.row < end && out.len() - begin < limits::FULL {
            let row = batch.row(self.row);
            if weigh && row.iter().map(squall_types::Value::heap_bytes).sum::<usize>() > limits::ROW {
                return Some(Unsendable::Large);
            }
            let at = out.len();
            if let Err(why) = row.iter().try_for_each(|value| values::write(out, value)) {
                out.truncate(at);
                return Some(why);
            }
            self.row += 1;
        }
        None
    }

    /// Appends the other columns of these rows, whose values are written, and puts the header in its place.
    fn columns(&mut self, out: &mut BytesMut, begin: usize, rows: Range<usize>) {
        let batch = self.batch;
        let values = out.len() - begin - HEADER;
        let anchors = batch.anchors.get(rows.clone()).unwrap_or_default();
        anchors.iter().for_each(|anchor| put_anchor(out, *anchor));
        let more = batch.more_anchors.get(self.more..).unwrap_or_default();
        let more = &more[..more.iter().take_while(|(row, _)| (*row as usize) < rows.end).count()];
        for (row, anchor) in more {
            out.put_u32_le(*row - rows.start as u32);
            put_anchor(out, *anchor);
        }
        self.more += more.len();
        let routes = batch.routes.get(rows.clone()).unwrap_or_default();
        routes.iter().for_each(|route| put_route(out, *route));
        let (mark, number) = match batch.mark.filter(|_| self.done) {
            None => (0, 0),
            Some(Mark::Watermark(until)) => (WATERMARK, until.micros() as u64),
            Some(Mark::Barrier(number)) => (BARRIER, number),
        };
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = flag(!anchors.is_empty(), ANCHORS) | flag(!routes.is_empty(), ROUTES) | mark;
        let mut header = &mut out[begin..begin + HEADER];
        header.put_slice(&[VERSION, Kind::Rows as u8, flags, 0]);
        [batch.input, batch.sender, batch.width, 0].into_iter().for_each(|it| header.put_u16_le(it));
        [rows.len(), more.len(), values].into_iter().for_each(|it| header.put_u32_le(it as u32));
        header.put_u64_le(number);
    }
}

#[inline(always)]
fn put_anchor(out: &mut BytesMut, anchor: Anchor) {
    let mut bytes = [0; ANCHOR];
    bytes[..8].copy_from_slice(&anchor.root.to_bits().to_le_bytes());
    bytes[8..].copy_from_slice(&anchor.edge.to_bits().to_le_bytes());
    out.put_slice(&bytes);
}

#[inline(always)]
fn put_route(out: &mut BytesMut, route: Route) {
    let mut bytes = [0; ROUTE];
    bytes[..2].copy_from_slice(&route.task.to_le_bytes());
    bytes[2..4].copy_from_slice(&route.group.get().to_le_bytes());
    bytes[4..].copy_from_slice(&route.source.to_le_bytes());
    out.put_slice(&bytes);
}

/// Reads a batch of rows into the buffers of an empty one. Nothing is said of `sent_ns`, which is of the sender's clock.
///
/// Tasks, sources, inputs and widths are as they came: whether they exist is for who knows the lane to say.
///
/// # Errors
/// The frame isn't one of rows. The batch is empty then.
pub fn read_rows(frame: &[u8], batch: &mut Batch) -> Result<(), FrameError> {
    let read = read_into(frame, batch);
    if read.is_err() {
        batch.clear();
    }
    read
}

fn read_into(frame: &[u8], batch: &mut Batch) -> Result<(), FrameError> {
    let mut reader = Reader::new(frame);
    header::expect(&mut reader, Kind::Rows)?;
    let [flags, reserved] = reader.array()?;
    [batch.input, batch.sender, batch.width] = [reader.u16()?, reader.u16()?, reader.u16()?];
    if flags & !(ANCHORS | ROUTES | WATERMARK | BARRIER) != 0 || reserved != 0 || reader.u16()? != 0 {
        return Err(FrameError::Header);
    }
    let [rows, more, bytes] = [reader.u32()?, reader.u32()?, reader.u32()?].map(|count| count as usize);
    batch.mark = mark(flags, reader.u64()?)?;
    let values = within(rows, more, batch.width)?;
    let mut column = Reader::new(reader.bytes(bytes)?);
    if values > bytes {
        return Err(FrameError::Truncated);
    }
    batch.values.reserve(values);
    batch.heap_bytes = values::read(&mut column, values, &mut batch.values)?;
    column.end()?;
    if flags & ANCHORS != 0 {
        batch.anchors.extend(chunks(reader.bytes(rows * ANCHOR)?).map(anchor));
    } else if more > 0 {
        return Err(FrameError::Header);
    }
    read_more(reader.bytes(more * MORE)?, rows, &mut batch.more_anchors)?;
    if flags & ROUTES != 0 {
        batch.routes.extend(chunks(reader.bytes(rows * ROUTE)?).map(route));
    }
    batch.rows = rows as u32;
    reader.end()
}

fn mark(flags: u8, number: u64) -> Result<Option<Mark>, FrameError> {
    match (flags & (WATERMARK | BARRIER), number) {
        (0, 0) => Ok(None),
        (WATERMARK, number) => Ok(Some(Mark::Watermark(Timestamp::from_micros(number as i64)))),
        (BARRIER, number) => Ok(Some(Mark::Barrier(number))),
        _ => Err(FrameError::Header),
    }
}

/// How many values there are, if nothing is over its limit.
fn within(rows: usize, more: usize, width: u16) -> Result<usize, FrameError> {
    let values = rows.saturating_mul(usize::from(width));
    match () {
        () if rows > limits::ROWS => Err(FrameError::Over("rows")),
        () if values > limits::VALUES => Err(FrameError::Over("values")),
        () if more > limits::MORE_ANCHORS => Err(FrameError::Over("anchors")),
        () => Ok(values),
    }
}

fn read_more(bytes: &[u8], rows: usize, to: &mut Vec<(u32, Anchor)>) -> Result<(), FrameError> {
    to.extend(chunks::<MORE>(bytes).map(|bytes| {
        let ([row @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _], [_, _, _, _, rest @ ..]) = (bytes, bytes);
        (u32::from_le_bytes(*row), anchor(rest))
    }));
    let in_order = to.is_sorted_by_key(|(row, _)| *row) && to.last().is_none_or(|(row, _)| (*row as usize) < rows);
    if in_order { Ok(()) } else { Err(FrameError::Order("rows of further anchors")) }
}

pub(super) fn chunks<const N: usize>(bytes: &[u8]) -> std::slice::Iter<'_, [u8; N]> {
    bytes.as_chunks().0.iter()
}

#[inline(always)]
fn anchor(bytes: &[u8; ANCHOR]) -> Anchor {
    let [root, edge] = halves(bytes);
    Anchor { root: RootId::from_bits(root), edge: EdgeId::from_bits(edge) }
}

#[inline(always)]
pub(super) fn halves(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}

#[inline(always)]
fn route(&[t0, t1, g0, g1, s0, s1]: &[u8; ROUTE]) -> Route {
    Route {
        task: u16::from_le_bytes([t0, t1]),
        group: KeyGroup::new(u16::from_le_bytes([g0, g1])),
        source: u16::from_le_bytes([s0, s1]),
    }
}
