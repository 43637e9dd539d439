//! Batches.

use proptest::prelude::*;
use squall_types::{Anchor, Batch, EdgeId, KeyGroup, Mark, RootId, Route, Timestamp, Value};

fn anchor(bits: u64) -> Anchor {
    Anchor { root: RootId::from_bits(bits), edge: EdgeId::from_bits(bits) }
}

fn route(task: u16) -> Route {
    Route { task, group: KeyGroup::new(1), source: 2 }
}

/// Two rows of two values, with all that a batch can carry.
fn full() -> Batch {
    Batch {
        input: 1,
        sender: 2,
        width: 2,
        rows: 2,
        values: (0..4).map(Value::Int).collect(),
        anchors: vec![anchor(1), anchor(2)],
        more_anchors: vec![(1, anchor(3))],
        routes: vec![route(4), route(5)],
        heap_bytes: 100,
        sent_ns: 7,
        mark: Some(Mark::Watermark(Timestamp::MAX)),
    }
}

#[test]
fn each_row_has_its_own_values_anchor_and_route() {
    let batch = full();
    assert_eq!(batch.row(0), [Value::Int(0), Value::Int(1)]);
    assert_eq!(batch.row(1), [Value::Int(2), Value::Int(3)]);
    assert_eq!((batch.anchor(0), batch.anchor(1)), (anchor(1), anchor(2)));
    assert_eq!((batch.route(0), batch.route(1)), (route(4), route(5)));
}

#[test]
fn without_anchors_and_routes_no_row_is_tracked_and_all_go_to_the_first_task() {
    let batch = Batch { anchors: vec![], routes: vec![], ..full() };
    for row in 0..2 {
        assert_eq!(batch.anchor(row), Anchor::NONE);
        assert!(!batch.anchor(row).root.is_some());
        assert_eq!(batch.route(row), Route { task: 0, group: KeyGroup::NONE, source: 0 });
    }
}

#[test]
fn rows_may_have_no_values() {
    let batch = Batch { width: 0, rows: 3, ..Batch::default() };
    assert!(!batch.is_empty());
    assert_eq!(batch.row(2), []);
}

#[test]
fn a_batch_with_only_a_mark_is_not_empty() {
    assert!(Batch::default().is_empty());
    assert!(!Batch { mark: Some(Mark::Barrier(1)), ..Batch::default() }.is_empty());
}

#[test]
fn clearing_empties_the_batch_and_keeps_its_buffers_and_its_edge() {
    let mut batch = full();
    let capacities = |batch: &Batch| {
        [batch.values.capacity(), batch.anchors.capacity(), batch.more_anchors.capacity(), batch.routes.capacity()]
    };
    let before = capacities(&batch);
    batch.clear();
    assert!(batch.is_empty());
    assert_eq!((batch.values.len(), batch.anchors.len(), batch.more_anchors.len(), batch.routes.len()), (0, 0, 0, 0));
    assert_eq!(batch.bytes(), 0);
    assert_eq!(capacities(&batch), before);
    assert_eq!((batch.input, batch.sender, batch.width), (1, 2, 2));
}

#[test]
fn bytes_are_those_of_rows_and_of_what_they_hold_outside() {
    let batch = full();
    let anchors = 2 * size_of::<Anchor>() + size_of::<(u32, Anchor)>();
    let rows = 4 * size_of::<Value>() + anchors + 2 * size_of::<Route>();
    assert_eq!(batch.bytes(), 100 + rows);
    assert_eq!(Batch::default().bytes(), 0);
}

#[test]
fn the_records_of_a_row_stay_small() {
    assert_eq!((size_of::<Value>(), size_of::<Anchor>(), size_of::<Route>()), (24, 16, 6));
}

#[test]
fn a_row_past_the_last_anchor_or_route_has_none_of_its_own() {
    let batch = full();
    assert_eq!(batch.anchor(2), Anchor::NONE);
    assert_eq!(batch.route(2), Route::FIRST);
}

#[test]
#[should_panic(expected = "out of range")]
fn a_row_that_is_not_there_is_a_bug_that_shows() {
    let _ = full().row(2);
}

proptest! {
    #[test]
    fn rows_are_where_the_width_puts_them(width in 0..5_u16, rows in 0..20_u32) {
        let row = |row: u32| (0..i64::from(width)).map(move |column| Value::Int(i64::from(row) * 100 + column));
        let mut batch = Batch { width, rows, values: (0..rows).flat_map(row).collect(), ..Batch::default() };
        for index in 0..rows {
            prop_assert_eq!(batch.row(index as usize), row(index).collect::<Vec<_>>());
        }
        prop_assert_eq!(batch.is_empty(), rows == 0);
        prop_assert_eq!(batch.bytes(), usize::from(width) * rows as usize * 24);
        batch.clear();
        prop_assert!(batch.is_empty() && batch.width == width);
    }
}
