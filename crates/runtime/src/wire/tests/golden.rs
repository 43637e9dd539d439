//! Format 1, to the byte. These never change: a change is format 2.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use squall_engine::ledger::FailureKind;
use squall_types::cluster::{AssignmentVersion, ExecutorId, Peer, Placement, SlotId, SlotIncarnation};
use squall_types::{Batch, EdgeId, KeyGroup, Mark, RootId, Route, Str, TaskId, Timestamp, Value};

use super::made::{anchor, frame};
use crate::AckBatch;
use crate::transport::{Introduction, LaneNumber, Left};
use crate::wire::{Acks, pack, unpack, write_introduction, write_left, write_placement};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn rows_with_all_that_a_batch_can_have() {
    let route = |task, group| Route { task, group: KeyGroup::new(group), source: 0x0a };
    let batch = Batch {
        input: 1,
        sender: 0x0203,
        width: 2,
        rows: 2,
        values: vec![Value::Int(-2), Value::from("ab"), Value::Null, Value::Bool(true)],
        anchors: vec![anchor(0x11, 0x22), anchor(0x33, 0x44)],
        more_anchors: vec![(1, anchor(0x55, 0x66))],
        routes: vec![route(7, 8), route(9, 0xffff)],
        mark: Some(Mark::Watermark(Timestamp::from_micros(5))),
        ..Batch::default()
    };
    let expected = [
        "01010700",
        "0100",
        "0302",
        "0200",
        "0000",
        "02000000",
        "01000000",
        "0e000000",
        "0500000000000000",
        "03feffffffffffffff",
        "826162",
        "00",
        "02",
        "11000000000000002200000000000000",
        "33000000000000004400000000000000",
        "0100000055000000000000006600000000000000",
        "070008000a00",
        "0900ffff0a00",
    ];
    assert_eq!(hex(&frame(&batch)), expected.concat());
}

#[test]
fn a_value_of_each_type() {
    let map = BTreeMap::from([(Str::new("k"), Value::Int(1))]);
    let long = "x".repeat(64);
    let values = [
        (Value::Bool(false), "01".to_owned()),
        (Value::Float(1.5), "04000000000000f83f".to_owned()),
        (Value::Timestamp(Timestamp::from_micros(-1)), "05ffffffffffffffff".to_owned()),
        (Value::from(""), "80".to_owned()),
        (Value::from(&long[1..]), format!("bf{}", "78".repeat(63))),
        (Value::from(long.as_str()), format!("0640000000{}", "78".repeat(64))),
        (Value::Bytes(vec![1, 2].into()), "07020000000102".to_owned()),
        (Value::List(vec![Value::Null, Value::from("a")].into()), "0802000000008161".to_owned()),
        (Value::Map(Arc::new(map)), "0901000000816b030100000000000000".to_owned()),
    ];
    for (value, expected) in values {
        let heap_bytes = value.heap_bytes();
        let batch = Batch { width: 1, rows: 1, heap_bytes, values: vec![value.clone()], ..Batch::default() };
        assert_eq!(hex(&frame(&batch)[32..]), expected, "{value:?}");
    }
}

#[test]
fn a_barrier_without_rows() {
    let batch = Batch { mark: Some(Mark::Barrier(0x1234)), ..Batch::default() };
    assert_eq!(hex(&frame(&batch)), format!("01010800{}3412000000000000", "00".repeat(20)));
}

#[test]
fn ack_records() {
    let root = RootId::from_bits;
    let batch = AckBatch {
        acked: vec![(root(0x0102), EdgeId::from_bits(0x0304))],
        failed: vec![(root(5), FailureKind::Lost), (root(6), FailureKind::Failed)],
        extended: vec![root(7)],
    };
    let mut out = BytesMut::new();
    assert!(Acks::new(&batch).next(&mut out));
    let expected = [
        "01020000",
        "010000000200000001000000",
        "02010000000000000403000000000000",
        "05000000000000000600000000000000",
        "0200",
        "0700000000000000",
    ];
    assert_eq!(hex(&out), expected.concat());
}

#[test]
fn word_of_a_lost_slot() {
    let slot = SlotId { worker: "n1".parse().unwrap(), number: 3 };
    let mut out = BytesMut::new();
    write_left(&mut out, &Left { slot, incarnation: SlotIncarnation::new(9), components: vec![1, 2] });
    assert_eq!(hex(&out), "010303000900000000000000020002".to_owned() + "6e31" + "01000200");
}

#[test]
fn an_introduction() {
    let mut out = BytesMut::new();
    let tasks = vec![TaskId::new(4), TaskId::new(0x0506)];
    write_introduction(&mut out, &Introduction { input: 2, lane: LaneNumber(3), tasks });
    assert_eq!(hex(&out), "0104020003000200".to_owned() + "04000605");
}

#[test]
fn a_placement() {
    let slot = |number| SlotId { worker: "n1".parse().unwrap(), number };
    let executor = |first, last| ExecutorId { first: TaskId::new(first), last: TaskId::new(last) };
    let known = Peer {
        executors: [executor(1, 2), executor(5, 5)].into(),
        zone: "a".to_owned(),
        incarnation: Some(SlotIncarnation::new(7)),
        address: Some("h:1".to_owned()),
    };
    let slots = [(slot(0), known), (slot(1), Peer::default())].into();
    let mut out = BytesMut::new();
    write_placement(&mut out, &Placement { version: AssignmentVersion::new(3), slots });
    let expected = [
        "01060000",
        "0300000000000000",
        "02000000",
        "0000",
        "03",
        "026e31",
        "0700000000000000",
        "03000000683a31",
        "0100000061",
        "02000000",
        "0100020005000500",
        "0100",
        "00",
        "026e31",
        "00000000",
        "00000000",
    ];
    assert_eq!(hex(&out), expected.concat());
}

#[test]
fn a_packed_frame() {
    // One literal, 193 bytes as the one before, six literals: another compressor may find another way, and each is read.
    let packed = [1, 5, 0, 0, 200, 0, 0, 0, 0x1f, 7, 1, 0, 0xae, 0x60, 7, 7, 7, 7, 7, 7];
    let mut frame = Vec::new();
    assert_eq!(unpack(&packed, &mut frame), Ok(()));
    assert_eq!(frame, [7; 200]);
    let mut out = BytesMut::from(&[0xee; 2][..]);
    out.extend_from_slice(&frame);
    pack(&mut out, 2);
    assert_eq!(hex(&out[..10]), "eeee01050000c8000000");
}
