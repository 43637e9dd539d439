use bytes::BytesMut;
use proptest::prelude::*;
use squall_types::cluster::{AssignmentVersion, ExecutorId, Peer, Placement, SlotId, SlotIncarnation};
use squall_types::{Batch, TaskId, Value};

use super::made::{acks, batch, frames, shown};
use crate::AckBatch;
use crate::transport::{Introduction, LaneNumber, Left};
use crate::wire::{
    Acks, Kind, kind, pack, read_acks, read_introduction, read_left, read_placement, read_rows, unpack,
    write_introduction, write_left, write_placement,
};

proptest! {
    #[test]
    fn a_batch_comes_back_as_it_was(batch in batch()) {
        let (frames, refused) = frames(&batch);
        prop_assert_eq!((frames.len(), refused.len()), (1, 0));
        prop_assert_eq!(kind(&frames[0]), Ok(Kind::Rows));
        let mut read = Batch::default();
        read_rows(&frames[0], &mut read).unwrap();
        prop_assert_eq!(shown(&read), shown(&batch));
        prop_assert_eq!(read.heap_bytes, read.values.iter().map(Value::heap_bytes).sum::<usize>());
    }

    #[test]
    fn ack_records_come_back_as_they_were(batch in acks()) {
        let mut out = BytesMut::new();
        let mut writing = Acks::new(&batch);
        let mut read = AckBatch::default();
        let some = writing.next(&mut out);
        prop_assert_eq!(some, !out.is_empty());
        prop_assert!(!writing.next(&mut out));
        if some {
            prop_assert_eq!(kind(&out), Ok(Kind::Acks));
            read_acks(&out, &mut read).unwrap();
        }
        prop_assert_eq!(format!("{read:?}"), format!("{batch:?}"));
    }

    #[test]
    fn words_come_back_as_they_were(
        worker in "[a-z0-9][a-z0-9._-]{0,127}",
        (number, incarnation, input, lane) in (any::<u16>(), any::<u64>(), any::<u16>(), any::<u16>()),
        components in proptest::collection::vec(any::<u16>(), 0..20),
        tasks in proptest::collection::btree_set(any::<u16>(), 0..20),
    ) {
        let slot = SlotId { worker: worker.parse().unwrap(), number };
        let left = Left { slot, incarnation: SlotIncarnation::new(incarnation), components };
        let mut out = BytesMut::new();
        write_left(&mut out, &left);
        prop_assert_eq!((kind(&out), read_left(&out)), (Ok(Kind::Left), Ok(left)));
        let tasks = tasks.into_iter().map(TaskId::new).collect();
        let introduction = Introduction { input, lane: LaneNumber(lane), tasks };
        out.clear();
        write_introduction(&mut out, &introduction);
        prop_assert_eq!((kind(&out), read_introduction(&out)), (Ok(Kind::Introduction), Ok(introduction)));
    }

    #[test]
    fn a_placement_comes_back_as_it_was(placement in placement(), cut in any::<prop::sample::Index>()) {
        let mut out = BytesMut::new();
        write_placement(&mut out, &placement);
        prop_assert_eq!((kind(&out), read_placement(&out)), (Ok(Kind::Placement), Ok(placement)));
        prop_assert!(read_placement(&out[..cut.index(out.len())]).is_err());
    }

    #[test]
    fn what_is_packed_is_unpacked(bytes in proptest::collection::vec(0_u8..4, 0..3_000)) {
        let mut out = BytesMut::from(&bytes[..]);
        pack(&mut out, 0);
        let mut to = Vec::new();
        if out.len() < bytes.len() {
            prop_assert_eq!(kind(&out), Ok(Kind::Packed));
            unpack(&out, &mut to).unwrap();
            prop_assert_eq!(to, bytes);
        } else {
            prop_assert_eq!(&out, &bytes[..]);
        }
    }
}

prop_compose! {
    fn peer()(
        bounds in proptest::collection::btree_set(any::<u16>(), 0..10),
        zone in ".{0,8}",
        incarnation in proptest::option::of(any::<u64>()),
        address in proptest::option::of("[a-z:0-9]{0,12}"),
    ) -> Peer {
        // Neighbours in pairs are ranges that don't overlap.
        let bounds: Vec<_> = bounds.into_iter().map(TaskId::new).collect();
        let executors = bounds.chunks_exact(2).map(|pair| ExecutorId { first: pair[0], last: pair[1] }).collect();
        Peer { executors, zone, incarnation: incarnation.map(SlotIncarnation::new), address }
    }
}

prop_compose! {
    fn placement()(
        version in any::<u64>(),
        slots in proptest::collection::btree_map(("[a-z]{1,5}", any::<u16>()), peer(), 0..5),
    ) -> Placement {
        let slot = |(worker, number): (String, u16)| SlotId { worker: worker.parse().unwrap(), number };
        let slots = slots.into_iter().map(|(name, peer)| (slot(name), peer)).collect();
        Placement { version: AssignmentVersion::new(version), slots }
    }
}

#[test]
fn buffers_are_used_again() {
    let values = vec![Value::from("short"); 512];
    let batch = Batch { width: 1, rows: 512, values, ..Batch::default() };
    let (frames, _) = frames(&batch);
    let mut read = Batch::default();
    read_rows(&frames[0], &mut read).unwrap();
    let at = read.values.as_ptr();
    read.clear();
    read_rows(&frames[0], &mut read).unwrap();
    assert_eq!((read.values.as_ptr(), read.rows), (at, 512));
}
