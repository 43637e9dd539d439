//! The bytes of what is said first, so that daemons and slots of two releases understand each other.

use prost::Message as _;
use squall_proto::internal::{
    DaemonHello, FromSlot, PlacedExecutor, SlotHello, SlotIdentity, ToSlot, from_slot, to_slot,
};

#[test]
fn the_hellos_are_the_bytes_that_they_were() {
    let daemon = ToSlot { kind: Some(to_slot::Kind::Hello(DaemonHello { level: 1 })) };
    assert_eq!(daemon.encode_to_vec(), [0x0a, 2, 0x08, 1]);
    let fresh = FromSlot { kind: Some(from_slot::Kind::Hello(SlotHello { level: 1, pid: 7, identity: None })) };
    assert_eq!(fresh.encode_to_vec(), [0x0a, 4, 0x08, 1, 0x10, 7]);
    let identity = SlotIdentity {
        cluster_id: "c".to_owned(),
        epoch: 1,
        worker: "w".to_owned(),
        number: 2,
        incarnation: 3,
        topology: "t".to_owned(),
        topology_version: 4,
        package: "p".to_owned(),
        executors: vec![PlacedExecutor { first_task: 5, last_task: 6 }],
        shape: 7,
    };
    let known =
        FromSlot { kind: Some(from_slot::Kind::Hello(SlotHello { level: 1, pid: 7, identity: Some(identity) })) };
    let mut bytes = vec![0x0a, 41, 0x08, 1, 0x10, 7, 0x1a, 35];
    bytes.extend([0x0a, 1, b'c', 0x10, 1, 0x1a, 1, b'w', 0x20, 2, 0x28, 3, 0x32, 1, b't', 0x38, 4, 0x42, 1, b'p']);
    bytes.extend([0x4a, 4, 0x08, 5, 0x10, 6, 0x51, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(known.encode_to_vec(), bytes);
}
