//! What was decided about topologies' places.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_control::{Assignment, What};
use squall_types::cluster::{AssignmentVersion, TopologyName};

use super::{Fresh, Violation};

/// Assignments are a chain: each has the one before as its parent, none is left out, and none ever changes.
#[derive(Debug, Default)]
pub struct Chain {
    assignments: BTreeMap<(TopologyName, AssignmentVersion), (Arc<Assignment>, usize)>,
    /// Up to which revision events were read.
    read: u64,
    newest: BTreeMap<TopologyName, AssignmentVersion>,
}

impl Chain {
    /// Looks at what is new at one master.
    pub fn see(&mut self, master: usize, fresh: &Fresh) -> Result<(), Violation> {
        for event in fresh.events.iter().filter(|event| event.revision.get() > self.read) {
            if let What::TopologyAssigned { name, version, .. } = &event.what
                && let Some(before) = self.newest.insert(name.clone(), *version)
                && before.next() != *version
            {
                return Err(format!("{name}'s assignment {version} came after {before}"));
            }
        }
        self.read = self.read.max(fresh.revision);
        for (name, assignment) in &fresh.assignments {
            self.known(master, name, assignment)?;
        }
        Ok(())
    }

    fn known(&mut self, master: usize, name: &TopologyName, assignment: &Arc<Assignment>) -> Result<(), Violation> {
        let version = assignment.version;
        if assignment.parent.next() != version {
            return Err(format!("{name}'s assignment {version} has {} as its parent", assignment.parent));
        }
        let key = (name.clone(), version);
        let (known, first) = self.assignments.entry(key).or_insert_with(|| (assignment.clone(), master));
        if Arc::ptr_eq(known, assignment) || known == assignment {
            return Ok(());
        }
        Err(format!("masters {first} and {master} have another assignment {version} of {name}"))
    }
}
