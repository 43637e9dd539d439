//! What a simulation sees of a master from inside.

use std::collections::BTreeMap;

use squall_control::State;
use squall_control::plan::Standing;
use squall_raft::Status;
use squall_types::cluster::WorkerName;

use super::Node;

impl Node {
    /// What its log knows of itself and of the others; none before there is a cluster.
    pub fn log(&self) -> Option<Status> {
        self.formed.get().map(|core| core.log.status().borrow().clone())
    }

    /// Reads the replicated state; none before there is a cluster.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Option<T> {
        self.formed.get().map(|core| read(&core.read()))
    }

    /// How workers stand as this master sees them; none if it doesn't lead.
    pub fn workers(&self) -> Option<BTreeMap<WorkerName, Standing>> {
        let leading = self.formed.get()?.leading.borrow().clone()?;
        Some(leading.seen().iter().map(|(name, seen)| (name.clone(), seen.standing)).collect())
    }
}
