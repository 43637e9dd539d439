//! Who may send what to a slot: decided by who owns the work, not by whether both know the same assignment.
//!
//! A slot knows the newest assignment that it was told, and of each other slot the latest life that it has heard of. Slots that a change
//! doesn't touch stream on while they learn of it at different times; who has lost its work, or has been followed by a later life, is
//! refused from the moment that this slot knows.

use std::collections::BTreeMap;

use squall_types::TaskId;
use squall_types::cluster::{AssignmentVersion, ClusterId, Placement, Refusal, SlotId, SlotIncarnation, TopologyName};

/// Who a slot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its cluster.
    pub cluster: ClusterId,
    /// What it runs a part of.
    pub topology: TopologyName,
    /// Its place.
    pub slot: SlotId,
    /// Its life.
    pub incarnation: SlotIncarnation,
}

/// What a slot knows of those that send to it.
#[derive(Clone, Debug)]
pub struct Fence {
    own: Identity,
    placement: Placement,
    /// The latest lives of other slots. Those that no assignment names any more are remembered too.
    latest: BTreeMap<SlotId, SlotIncarnation>,
}

impl Fence {
    /// Of a slot that was told this placement.
    pub fn new(own: Identity, placement: Placement) -> Self {
        let mut fence =
            Self { own, placement: Placement { slots: BTreeMap::new(), ..placement }, latest: BTreeMap::new() };
        fence.learn(Placement { slots: placement.slots, version: fence.placement.version });
        fence
    }

    /// The slot that this fences.
    pub fn own(&self) -> &Identity {
        &self.own
    }

    /// The newest placement.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Takes a placement. An older one teaches nothing. Says whether this one is what holds now.
    pub fn learn(&mut self, placement: Placement) -> bool {
        if placement.version < self.placement.version {
            return false;
        }
        for (slot, peer) in &placement.slots {
            if let Some(incarnation) = peer.incarnation {
                self.see(slot, incarnation);
            }
        }
        self.placement = placement;
        true
    }

    /// A life of a slot was seen.
    pub fn see(&mut self, slot: &SlotId, incarnation: SlotIncarnation) {
        match self.latest.get_mut(slot) {
            Some(latest) => *latest = incarnation.max(*latest),
            None => _ = self.latest.insert(slot.clone(), incarnation),
        }
    }

    /// The latest life of a slot that was seen.
    pub fn latest(&self, slot: &SlotId) -> Option<SlotIncarnation> {
        self.latest.get(slot).copied()
    }

    /// Somebody says who it is, and whom it means. If it may go on, its life counts as seen.
    ///
    /// # Errors
    /// Why not.
    pub fn greet(&mut self, from: &Identity, to: &SlotId, version: AssignmentVersion) -> Result<(), Refusal> {
        if from.cluster != self.own.cluster {
            return Err(Refusal::OtherCluster);
        }
        if from.topology != self.own.topology {
            return Err(Refusal::OtherTopology);
        }
        if *to != self.own.slot {
            return Err(Refusal::OtherSlot { here: self.own.slot.clone() });
        }
        // A slot that owns nothing has nothing to say, not even acks.
        self.admit(&from.slot, from.incarnation, version, [])?;
        self.see(&from.slot, from.incarnation);
        Ok(())
    }

    /// A slot sends for these tasks; it knew this assignment when it said hello. Also to be asked again when something was learnt.
    ///
    /// # Errors
    /// Why it may not.
    pub fn admit(
        &self,
        from: &SlotId,
        incarnation: SlotIncarnation,
        version: AssignmentVersion,
        tasks: impl IntoIterator<Item = TaskId>,
    ) -> Result<(), Refusal> {
        if let Some(seen) = self.latest(from).filter(|latest| *latest > incarnation) {
            return Err(Refusal::Stale { seen });
        }
        let known = self.placement.version;
        let has_work = self.placement.slots.get(from).is_some_and(|peer| !peer.executors.is_empty());
        if has_work && self.placement.owns(from, tasks) {
            Ok(())
        } else if version > known {
            Err(Refusal::NotYet { version: known })
        } else {
            Err(Refusal::NotOwner { version: known })
        }
    }
}

#[cfg(test)]
mod tests;
