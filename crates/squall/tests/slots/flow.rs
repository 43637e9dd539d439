//! Tuples, acks and marks between slots.

use squall::{Delivery, TopologyBuilder};

use crate::cluster::*;
use crate::common::*;

#[tokio::test]
async fn every_row_comes_over_a_shuffle_between_slots_once_and_is_acked() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.delivery(delivery);
        topology.spout("s", count(&fates, 5_000));
        topology.bolt("b", sink(&log)).parallelism(2).shuffle("s");
        let cluster = Cluster::start(topology, &two_cores(), 2, &by_component(&[("s", 0), ("b", 1)])).await;
        let (books, snapshots) = cluster.finish().await;
        assert_eq!(numbers(&log), up_to(5_000));
        assert_eq!(total(&snapshots, "b", |task| task.executed), 5_000);
        if delivery == Delivery::AtLeastOnce {
            assert_books(&books, 5_000, 0);
            assert_eq!(fates.acked.sorted(), up_to(5_000));
        }
    }
}
