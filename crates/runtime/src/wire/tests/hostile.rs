//! Bytes that mean harm.

use bytes::BytesMut;
use proptest::prelude::*;
use squall_types::{Batch, Value};

use super::made::{batch, frame, frames};
use crate::AckBatch;
use crate::wire::{
    FrameError, kind, limits, pack, read_acks, read_introduction, read_left, read_placement, read_rows, unpack,
};

/// Reads bytes as whatever a frame can be.
fn read(bytes: &[u8]) {
    let mut batch = Batch::default();
    if read_rows(bytes, &mut batch).is_err() {
        assert!(batch.is_empty() && batch.values.is_empty() && batch.anchors.is_empty() && batch.routes.is_empty());
    } else {
        assert_eq!(batch.values.len(), usize::from(batch.width) * batch.rows as usize);
    }
    // A value of one byte takes 24, an entry of a map 48 and as much in the tree.
    assert!(batch.values.capacity() <= 64 + bytes.len());
    let _ = (kind(bytes), read_acks(bytes, &mut AckBatch::default()), read_left(bytes), read_introduction(bytes));
    let _ = read_placement(bytes);
    let mut to = Vec::new();
    let _ = unpack(bytes, &mut to);
    assert!(to.capacity() <= 64 + 255 * (bytes.len() + 1));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_good_beginning_are_read_without_harm(
        kind in 1_u8..7,
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(1), Just(8)], 0..200),
    ) {
        read(&[&[1, kind, 0, 0], &bytes[..]].concat());
    }

    #[test]
    fn a_frame_with_other_bytes_in_it_is_read_without_harm(
        batch in batch(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = frame(&batch).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read(&bytes);
    }

    #[test]
    fn a_frame_that_was_cut_short_or_goes_on_is_refused(batch in batch(), at in any::<prop::sample::Index>(), more in 1_usize..9) {
        let whole = frame(&batch);
        prop_assert!(read_rows(&whole[..at.index(whole.len())], &mut Batch::default()).is_err());
        let longer = [&whole[..], &vec![0; more]].concat();
        prop_assert_eq!(read_rows(&longer, &mut Batch::default()), Err(FrameError::Trailing));
    }
}

/// A frame of one row with such a value.
fn with_value(value: &[u8]) -> Vec<u8> {
    let batch = Batch { width: 1, rows: 1, values: vec![Value::Null], ..Batch::default() };
    let mut bytes = frame(&batch)[..32].to_vec();
    bytes[20..24].copy_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(value);
    bytes
}

fn refusal(bytes: &[u8]) -> FrameError {
    read_rows(bytes, &mut Batch::default()).unwrap_err()
}

#[test]
fn values_that_are_none_are_refused() {
    let deep: Vec<u8> = std::iter::repeat_n([8, 1, 0, 0, 0], 64).flatten().chain([0]).collect();
    let cases: [(&[u8], FrameError); 9] = [
        (&[10], FrameError::Type(10)),
        (&[0xc0], FrameError::Type(0xc0)),
        (&[3, 1], FrameError::Truncated),
        (&[0x82, b'a'], FrameError::Truncated),
        (&[0x81, 0xff], FrameError::Text),
        (&[7, 0xff, 0xff, 0xff, 0xff], FrameError::Truncated),
        (&[8, 0xff, 0xff, 0xff, 0xff], FrameError::Truncated),
        (&[9, 2, 0, 0, 0, 0x81, b'b', 0, 0x81, b'a', 0], FrameError::Order("map's keys")),
        (&deep, FrameError::Depth),
    ];
    for (value, expected) in cases {
        assert_eq!(refusal(&with_value(value)), expected, "{value:?}");
    }
}

#[test]
fn a_frame_of_little_that_would_become_much_is_refused() {
    let items = limits::HEAP / 24 + 1;
    let mut list = vec![8];
    list.extend_from_slice(&(items as u32).to_le_bytes());
    list.resize(list.len() + items, 0);
    assert_eq!(refusal(&with_value(&list)), FrameError::Over("bytes"));
}

#[test]
fn counts_over_the_limits_are_refused_before_anything_is_read() {
    let mut bytes = with_value(&[0]);
    bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(refusal(&bytes), FrameError::Over("rows"));
    bytes[12..16].copy_from_slice(&8_192_u32.to_le_bytes());
    assert_eq!(refusal(&bytes), FrameError::Truncated);
    bytes[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(refusal(&bytes), FrameError::Over("values"));
    let acks = [&[1, 2, 0, 0][..], &[0xff; 12]].concat();
    assert_eq!(read_acks(&acks, &mut AckBatch::default()), Err(FrameError::Over("ack records")));
}

#[test]
fn a_later_format_and_another_kind_are_told_apart() {
    let mut bytes = with_value(&[0]);
    bytes[0] = 2;
    assert_eq!(refusal(&bytes), FrameError::Version(2));
    assert_eq!(refusal(&[1, 2, 0, 0]), FrameError::Kind(2));
    assert_eq!(kind(&[1, 9]), Err(FrameError::Kind(9)));
    assert_eq!(kind(&[1]), Err(FrameError::Truncated));
}

#[test]
fn a_packed_frame_that_lies_about_its_length_is_refused() {
    let mut out = BytesMut::from(&[7; 1_000][..]);
    pack(&mut out, 0);
    let mut to = Vec::new();
    for length in [999_u32, 1_001, u32::MAX] {
        out[4..8].copy_from_slice(&length.to_le_bytes());
        assert!(unpack(&out, &mut to).is_err(), "{length}");
    }
}

#[test]
fn further_anchors_without_first_ones_are_refused() {
    let mut bytes = with_value(&[0]);
    bytes[16] = 1;
    bytes.extend_from_slice(&[0; 20]);
    assert_eq!(refusal(&bytes), FrameError::Header);
    assert!(frames(&Batch::default()).1.is_empty());
}
