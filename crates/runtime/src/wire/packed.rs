//! Frames compressed with LZ4, between zones.
//!
//! ```text
//! 0  format 1, kind 5, 0 u16
//! 4  bytes of the frame within u32
//! 8  an LZ4 block
//! ```

use bytes::{BufMut, BytesMut};

use super::header::{self, Kind, VERSION};
use super::reader::Reader;
use super::{FrameError, limits};

const HEADER: usize = 8;
/// Frames under this many bytes aren't worth it.
const LEAST: usize = 128;
/// LZ4 makes at most so many bytes out of one.
const MOST_RATIO: usize = 255;

/// Puts the compressed form in place of the frame that begins at `begin` of `out` and ends with it, if that is shorter.
pub fn pack(out: &mut BytesMut, begin: usize) {
    let length = out.len() - begin;
    if length < LEAST {
        return;
    }
    let mut packed = vec![0; HEADER + lz4_flex::block::get_maximum_output_size(length)];
    let (head, block) = packed.split_at_mut(HEADER);
    // There is room for whatever it makes.
    let Ok(written) = lz4_flex::block::compress_into(&out[begin..], block) else { return };
    if HEADER + written >= length {
        return;
    }
    head[..4].copy_from_slice(&[VERSION, Kind::Packed as u8, 0, 0]);
    head[4..].copy_from_slice(&(length as u32).to_le_bytes());
    out.truncate(begin);
    out.put_slice(&packed[..HEADER + written]);
}

/// Puts what a compressed frame holds into `to`, in place of what is there.
///
/// # Errors
/// The frame isn't a compressed one, or holds more than a frame may.
pub fn unpack(frame: &[u8], to: &mut Vec<u8>) -> Result<(), FrameError> {
    let mut reader = Reader::new(frame);
    header::expect(&mut reader, Kind::Packed)?;
    if reader.u16()? != 0 {
        return Err(FrameError::Header);
    }
    let length = reader.u32()? as usize;
    let block = reader.bytes(reader.left())?;
    if length > limits::FRAME {
        return Err(FrameError::Over("bytes"));
    }
    // Before room is made for what can't be in it.
    if length / MOST_RATIO > block.len() {
        return Err(FrameError::Packed);
    }
    to.clear();
    to.resize(length, 0);
    match lz4_flex::block::decompress_into(block, to) {
        Ok(written) if written == length => Ok(()),
        _ => Err(FrameError::Packed),
    }
}
