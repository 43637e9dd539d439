//! The two bytes that every frame begins with.

use super::FrameError;
use super::reader::Reader;

/// The format that is written.
pub(super) const VERSION: u8 = 1;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A batch of rows, its mark.
    Rows = 1,
    /// Ack records.
    Acks = 2,
    /// Word of a lost slot.
    Left = 3,
    /// Who sends the batches that follow.
    Introduction = 4,
    /// One of the others, compressed.
    Packed = 5,
    /// Where the topology's executors are.
    Placement = 6,
}

/// What a frame is, by its first bytes.
///
/// # Errors
/// They are of another format, or of no kind that is known.
pub fn kind(frame: &[u8]) -> Result<Kind, FrameError> {
    let mut reader = Reader::new(frame);
    match reader.u8()? {
        VERSION => {}
        other => return Err(FrameError::Version(other)),
    }
    match reader.u8()? {
        1 => Ok(Kind::Rows),
        2 => Ok(Kind::Acks),
        3 => Ok(Kind::Left),
        4 => Ok(Kind::Introduction),
        5 => Ok(Kind::Packed),
        6 => Ok(Kind::Placement),
        other => Err(FrameError::Kind(other)),
    }
}

/// Reads the two bytes of a frame that can only be of this kind here.
pub(super) fn expect(reader: &mut Reader<'_>, wanted: Kind) -> Result<(), FrameError> {
    let first: [u8; 2] = reader.array()?;
    let found = kind(&first)?;
    if found == wanted { Ok(()) } else { Err(FrameError::Kind(first[1])) }
}
