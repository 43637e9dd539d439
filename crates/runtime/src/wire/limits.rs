//! What a frame may hold at the most. Both ends hold to it: who writes refuses what who reads would.

/// Bytes of values after which a frame is full. A row is never split, so a frame may be larger.
pub const FULL: usize = 64 << 10;
/// Bytes that the values of one row hold outside themselves.
pub const ROW: usize = 64 << 20;
/// Bytes of a frame: a row of the largest, written, what was in the frame before it, and the other columns.
pub const FRAME: usize = ROW + ROW / 4;
/// Bytes that the values of a frame hold outside themselves.
pub const HEAP: usize = ROW + ROW / 4;
/// Rows of a frame.
pub const ROWS: usize = 8 << 10;
/// Values of a frame, those within lists and maps not counted.
pub const VALUES: usize = 128 << 10;
/// Anchors beyond the first of all rows of a frame.
pub const MORE_ANCHORS: usize = 64 << 10;
/// Ack records of a frame.
pub const RECORDS: usize = 64 << 10;
