//! Batches of all sorts.

use std::sync::Arc;

use bytes::BytesMut;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use squall_engine::ledger::FailureKind;
use squall_types::{Anchor, Batch, EdgeId, KeyGroup, Mark, RootId, Route, Str, Timestamp, Value};

use crate::AckBatch;
use crate::wire::{Rows, Step};

pub fn anchor(root: u64, edge: u64) -> Anchor {
    Anchor { root: RootId::from_bits(root), edge: EdgeId::from_bits(edge) }
}

pub fn value() -> impl Strategy<Value = Value> {
    let flat = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<i64>().prop_map(|micros| Value::Timestamp(Timestamp::from_micros(micros))),
        ".{0,30}".prop_map(|text: String| Value::Str(Str::new(&text))),
        "[a-z]{60,70}".prop_map(|text: String| Value::from(text)),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    flat.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| Value::List(items.into())),
            btree_map(".{0,5}".prop_map(|key: String| Str::new(&key)), inner, 0..4)
                .prop_map(|entries| Value::Map(Arc::new(entries))),
        ]
    })
}

fn mark() -> impl Strategy<Value = Option<Mark>> {
    prop_oneof![
        Just(None),
        any::<i64>().prop_map(|micros| Some(Mark::Watermark(Timestamp::from_micros(micros)))),
        any::<u64>().prop_map(|number| Some(Mark::Barrier(number))),
    ]
}

prop_compose! {
    pub fn batch()(width in 0_u16..5, rows in 0_u32..20)(
        values in vec(value(), usize::from(width) * rows as usize),
        anchors in prop_oneof![Just(vec![]), vec((any::<u64>(), any::<u64>()), rows as usize)],
        more in vec((0..rows.max(1), any::<u64>()), 0..8),
        routes in prop_oneof![Just(vec![]), vec((any::<u16>(), any::<u16>(), any::<u16>()), rows as usize)],
        mark in mark(),
        (input, sender) in (any::<u16>(), any::<u16>()),
        (width, rows) in Just((width, rows)),
    ) -> Batch {
        let more = if anchors.is_empty() { vec![] } else { more };
        let mut more: Vec<_> = more.into_iter().map(|(row, bits)| (row, anchor(bits, !bits))).collect();
        more.sort_by_key(|(row, _)| *row);
        let route = |(task, group, source)| Route { task, group: KeyGroup::new(group), source };
        Batch {
            input,
            sender,
            width,
            rows,
            heap_bytes: values.iter().map(Value::heap_bytes).sum(),
            values,
            anchors: anchors.into_iter().map(|(root, edge)| anchor(root, edge)).collect(),
            more_anchors: more,
            routes: routes.into_iter().map(route).collect(),
            sent_ns: 0,
            mark,
        }
    }
}

prop_compose! {
    pub fn acks()(
        acked in vec((any::<u64>(), any::<u64>()), 0..30),
        failed in vec((any::<u64>(), 0_usize..3), 0..30),
        extended in vec(any::<u64>(), 0..30),
    ) -> AckBatch {
        let kinds = [FailureKind::Failed, FailureKind::TimedOut, FailureKind::Lost];
        AckBatch {
            acked: acked.into_iter().map(|(root, edge)| (RootId::from_bits(root), EdgeId::from_bits(edge))).collect(),
            failed: failed.into_iter().map(|(root, kind)| (RootId::from_bits(root), kinds[kind])).collect(),
            extended: extended.into_iter().map(RootId::from_bits).collect(),
        }
    }
}

/// The frames of a batch, and the rows that can't be sent.
pub fn frames(batch: &Batch) -> (Vec<BytesMut>, Vec<Step>) {
    let (mut rows, mut frames, mut refused) = (Rows::new(batch), Vec::new(), Vec::new());
    let mut out = BytesMut::from(&b"before"[..]);
    while let Some(step) = rows.next(&mut out) {
        match step {
            Step::Frame => frames.push(out.split_off(6)),
            Step::Refused { .. } => {
                assert_eq!(out.len(), 6, "nothing is written of what is refused");
                refused.push(step);
            }
        }
    }
    assert_eq!(out, &b"before"[..]);
    (frames, refused)
}

/// The one frame of a small batch.
pub fn frame(batch: &Batch) -> BytesMut {
    let (mut frames, refused) = frames(batch);
    assert_eq!((frames.len(), refused), (1, vec![]));
    frames.remove(0)
}

/// What is compared of a batch: floats by their bits, and all that is sent.
pub fn shown(batch: &Batch) -> String {
    let bits = |value: &Value| match value {
        Value::Float(number) => format!("float {:016x}", number.to_bits()),
        other => format!("{other:?}"),
    };
    let values: Vec<_> = batch.values.iter().map(bits).collect();
    let Batch { input, sender, width, rows, anchors, more_anchors, routes, mark, .. } = batch;
    format!("{input} {sender} {width} {rows} {values:?} {anchors:?} {more_anchors:?} {routes:?} {mark:?}")
}
