//! Cases one by one, and a world in which anything may happen.

mod cases;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_types::cluster::{
    AssignmentVersion, BlobId, ClusterId, Epoch, Placement, Revision, SlotIncarnation, TopologyVersion,
};

use super::*;

pub fn cluster(number: u64) -> ClusterId {
    ClusterId::new(number).unwrap()
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn package(number: u8) -> BlobId {
    BlobId::from_bytes([number; 32])
}

/// A topology called after its package.
pub fn program(number: u8) -> Program {
    Program {
        topology: format!("t{number}").parse().unwrap(),
        version: TopologyVersion::new(1),
        package: Some(package(number)),
        shape: 0,
        executors: BTreeSet::new(),
    }
}

pub fn wanted(number: u8, active: bool) -> Wanted {
    Wanted {
        program: program(number),
        active,
        description: String::new(),
        placement: Placement { version: AssignmentVersion::new(1), slots: BTreeMap::new() },
    }
}

/// Slots by number, each with the program that it is to run.
pub fn desired(epoch: u64, revision: u64, slots: &[(u16, u8)]) -> Desired {
    Desired {
        cluster: cluster(1),
        age: Age { epoch: Epoch::new(epoch), revision: Revision::new(revision) },
        slots: slots.iter().map(|(number, program)| (*number, wanted(*program, true))).collect(),
    }
}

pub fn beat(doing: Doing) -> Beat {
    Beat { doing, address: "h:77".to_owned(), version: AssignmentVersion::new(1), text: String::new() }
}

pub fn exit(how: &str) -> Exit {
    Exit { how: how.to_owned(), stderr: String::new() }
}

/// A worker that knows nothing and has waited for nothing.
pub fn fresh() -> Core {
    Core::new(Patience::DEFAULT, ms(0), 1_000, Memory::default(), BTreeSet::new())
}

pub fn life(number: u64) -> SlotIncarnation {
    SlotIncarnation::new(number)
}
