//! Batches of any size go in frames of a bounded one, and what can't is refused where it is sent.

use std::sync::Arc;

use bytes::BytesMut;
use squall_types::{Batch, EdgeId, KeyGroup, Mark, RootId, Route, Timestamp, Value};

use super::made::{anchor, frames, shown};
use crate::AckBatch;
use crate::wire::{Acks, Rows, Step, Unsendable, limits, read_acks, read_rows};

/// Puts batches one behind the other.
fn join(parts: Vec<Batch>) -> Batch {
    let mut all = Batch::default();
    for part in parts {
        (all.input, all.sender, all.width) = (part.input, part.sender, part.width);
        all.more_anchors.extend(part.more_anchors.into_iter().map(|(row, anchor)| (row + all.rows, anchor)));
        all.values.extend(part.values);
        all.anchors.extend(part.anchors);
        all.routes.extend(part.routes);
        all.rows += part.rows;
        assert!(all.mark.is_none(), "the mark comes last");
        all.mark = part.mark;
    }
    all
}

fn read_all(frames: &[BytesMut]) -> Vec<Batch> {
    let read = |frame: &BytesMut| {
        let mut batch = Batch::default();
        read_rows(frame, &mut batch).unwrap();
        batch
    };
    frames.iter().map(read).collect()
}

#[test]
fn a_large_batch_goes_in_several_frames_and_keeps_its_order_columns_and_mark() {
    let rows = 3_000_u32;
    let value = |row: u32| Value::Bytes(row.to_le_bytes().repeat(25).into());
    let route = |row: u32| Route { task: row as u16, group: KeyGroup::new(1), source: 2 };
    let batch = Batch {
        width: 1,
        rows,
        values: (0..rows).map(value).collect(),
        anchors: (0..rows).map(|row| anchor(row.into(), 1)).collect(),
        more_anchors: (0..rows).filter(|row| row % 3 == 0).map(|row| (row, anchor(7, row.into()))).collect(),
        routes: (0..rows).map(route).collect(),
        heap_bytes: rows as usize * 100,
        mark: Some(Mark::Watermark(Timestamp::MAX)),
        ..Batch::default()
    };
    let (frames, refused) = frames(&batch);
    assert_eq!((frames.len(), refused), (5, vec![]));
    assert!(frames.iter().all(|frame| frame.len() < 2 * limits::FULL));
    assert_eq!(shown(&join(read_all(&frames))), shown(&batch));
}

#[test]
fn rows_without_bytes_are_bounded_in_number() {
    let rows = 2 * limits::ROWS as u32 + 1;
    let batch = Batch { rows, ..Batch::default() };
    let (frames, _) = frames(&batch);
    assert_eq!(read_all(&frames).iter().map(|part| part.rows).collect::<Vec<_>>(), [8_192, 8_192, 1]);
}

#[test]
fn values_without_bytes_are_bounded_in_number() {
    let (width, rows) = (u16::MAX, 5);
    let values = vec![Value::Null; usize::from(width) * rows as usize];
    let (frames, _) = frames(&Batch { width, rows, values, ..Batch::default() });
    assert!(read_all(&frames).iter().all(|part| part.values.len() <= limits::VALUES));
}

fn batch_of(values: Vec<Value>, width: u16) -> Batch {
    let heap_bytes = values.iter().map(Value::heap_bytes).sum();
    let rows = values.len() as u32 / u32::from(width);
    Batch { width, rows, values, heap_bytes, ..Batch::default() }
}

#[test]
fn a_row_at_the_limit_passes_and_one_over_it_is_refused_alone() {
    let large = |bytes: usize| Value::Bytes(vec![7; bytes].into());
    let mut batch = batch_of(vec![Value::Int(1), large(limits::ROW), large(limits::ROW + 1), Value::Int(2)], 1);
    batch.mark = Some(Mark::Barrier(1));
    let (frames, refused) = frames(&batch);
    assert_eq!(refused, [Step::Refused { row: 2, why: Unsendable::Large }]);
    let read = read_all(&frames);
    assert_eq!(read.iter().map(|part| part.rows).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((&read[1].values[0], read[1].mark), (&Value::Int(2), batch.mark));
}

#[test]
fn a_payload_that_a_row_shares_with_itself_counts_each_time() {
    let shared: Arc<[u8]> = vec![7; 1 << 20].into();
    let batch = batch_of(vec![Value::Bytes(shared); 65], 65);
    assert_eq!(frames(&batch).1, [Step::Refused { row: 0, why: Unsendable::Large }]);
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(Value::Int(1), |inner, _| Value::List(vec![inner].into()))
}

#[test]
fn what_nests_too_deep_is_refused_and_the_mark_still_comes() {
    let mut batch = batch_of(vec![nested(64), nested(65)], 1);
    batch.mark = Some(Mark::Barrier(1));
    let (frames, refused) = frames(&batch);
    assert_eq!(refused, [Step::Refused { row: 1, why: Unsendable::Deep }]);
    let read = read_all(&frames);
    assert_eq!(read.iter().map(|part| (part.rows, part.mark)).collect::<Vec<_>>(), [(1, None), (0, batch.mark)]);
    assert_eq!(read[0].values[0], nested(64));
}

#[test]
fn of_a_batch_whose_rows_are_all_refused_nothing_is_left_to_send() {
    let (frames, refused) = frames(&batch_of(vec![nested(65), nested(66)], 1));
    assert_eq!((frames.len(), refused.len()), (0, 2));
}

#[test]
fn a_row_with_too_many_anchors_is_refused_and_its_anchors_with_it() {
    let mut batch = batch_of((0..3).map(Value::Int).collect(), 1);
    batch.anchors = (1..=3).map(|root| anchor(root, 1)).collect();
    let more = |row, count| std::iter::repeat_n((row, anchor(9, u64::from(row))), count);
    batch.more_anchors = more(0, 2).chain(more(1, limits::MORE_ANCHORS + 1)).chain(more(2, 1)).collect();
    let (frames, refused) = frames(&batch);
    assert_eq!(refused, [Step::Refused { row: 1, why: Unsendable::Anchors }]);
    let joined = join(read_all(&frames));
    assert_eq!(joined.values, [0, 2].map(Value::Int));
    assert_eq!(joined.more_anchors, [(0, anchor(9, 0)), (0, anchor(9, 0)), (1, anchor(9, 2))]);
}

#[test]
fn room_is_made_once_for_rows_of_short_values() {
    let batch = batch_of(vec![Value::Int(1); 512], 1);
    let mut out = BytesMut::new();
    Rows::new(&batch).next(&mut out);
    let capacity = out.capacity();
    out.clear();
    Rows::new(&batch).next(&mut out);
    assert_eq!(out.capacity(), capacity);
}

#[test]
fn many_ack_records_go_in_several_frames() {
    let count = limits::RECORDS as u64;
    let batch = AckBatch {
        acked: (0..count + 5).map(|at| (RootId::from_bits(at), EdgeId::from_bits(!at))).collect(),
        failed: vec![],
        extended: (0..count).map(RootId::from_bits).collect(),
    };
    let (mut writing, mut read, mut frames) = (Acks::new(&batch), AckBatch::default(), 0);
    let mut out = BytesMut::new();
    while writing.next(&mut out) {
        frames += 1;
        read_acks(&out.split(), &mut read).unwrap();
    }
    assert_eq!(frames, 3);
    assert_eq!(format!("{read:?}"), format!("{batch:?}"));
}
