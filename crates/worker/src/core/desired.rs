//! What a worker is to run, as a master says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use squall_types::cluster::{
    AssignmentVersion, BlobId, ClusterId, Epoch, ExecutorId, Placement, Revision, TopologyName, TopologyVersion,
};

/// Which of two states is the newer: the cluster's life, then the place in its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Age {
    /// The cluster's life.
    pub epoch: Epoch,
    /// The place in the log.
    pub revision: Revision,
}

/// All that a worker is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Whose word it is.
    pub cluster: ClusterId,
    /// How new it is.
    pub age: Age,
    /// By the slots' numbers.
    pub slots: BTreeMap<u16, Wanted>,
}

/// What one slot is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What its process is.
    pub program: Program,
    /// Whether its spouts may emit.
    pub active: bool,
    /// The topology as it is to run, as JSON.
    pub description: String,
    /// Where its executors are, and those of the other slots.
    #[serde(with = "listed")]
    pub placement: Placement,
}

/// A placement as a list: not every format has keys of two parts.
mod listed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use squall_types::cluster::{AssignmentVersion, Peer, Placement, SlotId};

    pub fn serialize<S: Serializer>(placement: &Placement, serializer: S) -> Result<S::Ok, S::Error> {
        (placement.version, placement.slots.iter().collect::<Vec<_>>()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Placement, D::Error> {
        let (version, slots) = <(AssignmentVersion, Vec<(SlotId, Peer)>)>::deserialize(deserializer)?;
        Ok(Placement { version, slots: slots.into_iter().collect() })
    }
}

/// What a process is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Program {
    /// The topology.
    pub topology: TopologyName,
    /// Which of its versions.
    pub version: TopologyVersion,
    /// Its code; none: the topology was submitted without any.
    pub package: Option<BlobId>,
    /// A hash of the topology as it is to run: with other settings or numbers of executors it is another.
    pub shape: u64,
    /// The executors that run in it.
    pub executors: BTreeSet<ExecutorId>,
}

impl Program {
    /// Whether a process that runs this can go on as that: it may take more executors while it runs, and lets none go.
    pub fn may_become(&self, other: &Self) -> bool {
        (&self.topology, self.version, self.package, self.shape)
            == (&other.topology, other.version, other.package, other.shape)
            && self.executors.is_subset(&other.executors)
    }
}

impl Wanted {
    /// The assignment that placed it.
    pub const fn assignment(&self) -> AssignmentVersion {
        self.placement.version
    }

    /// Takes over what is known of the other slots and isn't said anew: a leader that has just come to lead hasn't heard of them yet, and
    /// nobody is to lose a connection for that.
    pub fn remember(&mut self, before: &Self) {
        if before.program.topology != self.program.topology {
            return;
        }
        for (slot, peer) in &mut self.placement.slots {
            let known = before.placement.slots.get(slot).filter(|known| known.incarnation > peer.incarnation);
            if let Some(known) = known {
                peer.incarnation = known.incarnation;
                peer.address.clone_from(&known.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_types::cluster::{Peer, SlotId, SlotIncarnation};

    use super::*;

    fn wanted(topology: &str, incarnation: Option<u64>, address: &str) -> Wanted {
        let peer = Peer {
            incarnation: incarnation.map(SlotIncarnation::new),
            address: incarnation.map(|_| address.to_owned()),
            ..Peer::default()
        };
        let slot = SlotId { worker: "w".parse().unwrap(), number: 0 };
        Wanted {
            program: Program {
                topology: topology.parse().unwrap(),
                version: TopologyVersion::new(1),
                package: None,
                shape: 0,
                executors: BTreeSet::new(),
            },
            active: true,
            description: String::new(),
            placement: Placement { version: AssignmentVersion::new(1), slots: [(slot, peer)].into() },
        }
    }

    fn address(wanted: &Wanted) -> Option<&str> {
        wanted.placement.slots.values().next().unwrap().address.as_deref()
    }

    #[test]
    fn what_was_known_of_a_slot_is_kept_until_something_newer_is() {
        let before = wanted("t", Some(3), "old:1");
        for (now, found) in [
            (wanted("t", None, ""), Some("old:1")),
            (wanted("t", Some(2), "older:1"), Some("old:1")),
            (wanted("t", Some(3), "moved:1"), Some("moved:1")),
            (wanted("t", Some(4), "new:1"), Some("new:1")),
            (wanted("other", None, ""), None),
        ] {
            let mut now = now;
            now.remember(&before);
            assert_eq!(address(&now), found);
        }
    }

    #[test]
    fn what_is_wanted_is_read_back_as_it_was() {
        let wanted = wanted("t", Some(3), "a:1");
        let text = serde_json::to_string(&wanted).unwrap();
        assert_eq!(serde_json::from_str::<Wanted>(&text).unwrap(), wanted);
    }

    #[test]
    fn a_later_life_of_the_cluster_is_newer_whatever_its_log() {
        let age = |epoch, revision| Age { epoch: Epoch::new(epoch), revision: Revision::new(revision) };
        assert!(age(2, 1) > age(1, 900) && age(1, 2) > age(1, 1));
    }
}
