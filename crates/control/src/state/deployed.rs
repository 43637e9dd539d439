//! A topology that the cluster runs, with the versions it has had.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use squall_types::ComponentId;
use squall_types::cluster::{
    AssignmentVersion, BlobId, Revision, SlotId, TopologyName, TopologyVersion, UnixMillis, UserName,
};

use crate::{Assignment, Lifecycle, Options, Refusal, Shape};

/// How many versions of a topology are kept, the current one included.
pub const VERSIONS_KEPT: usize = 10;

/// A topology that the cluster runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deployed {
    pub(super) name: TopologyName,
    pub(super) lifecycle: Lifecycle,
    /// Where an operator changed it last.
    pub(super) revision: Revision,
    /// Oldest first; the current one is `current`, and newer than all of these.
    pub(super) earlier: Vec<Version>,
    pub(super) current: Version,
    pub(super) options: Options,
    pub(super) parallelism: BTreeMap<ComponentId, u32>,
    /// Set while executors are to be moved until workers are evenly filled: where that was asked for.
    pub(super) evenly_since: Option<Revision>,
    /// The highest version that an assignment of a topology had which was forgotten before this one came.
    pub(super) born_after: AssignmentVersion,
    pub(super) assignment: Option<Arc<Assignment>>,
    /// Follows from the rest.
    #[serde(skip)]
    pub(super) shape: Arc<Shape>,
}

/// One version of a topology, as it was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub version: TopologyVersion,
    /// Where in the log it was submitted.
    pub revision: Revision,
    /// When.
    pub submitted_at: UnixMillis,
    /// By whom; none: the cluster itself.
    pub submitted_by: Option<UserName>,
    /// The topology as JSON.
    pub description: Arc<str>,
    /// Its program.
    pub package: Option<BlobId>,
    /// Settings that win over the description's.
    pub config: BTreeMap<String, String>,
    /// How it was to be placed.
    pub options: Options,
}

#[derive(Deserialize)]
struct Written {
    name: TopologyName,
    lifecycle: Lifecycle,
    revision: Revision,
    earlier: Vec<Version>,
    current: Version,
    options: Options,
    parallelism: BTreeMap<ComponentId, u32>,
    evenly_since: Option<Revision>,
    born_after: AssignmentVersion,
    assignment: Option<Arc<Assignment>>,
}

impl<'de> Deserialize<'de> for Deployed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let shape = written.current.shape(&written.name, &written.parallelism).map_err(D::Error::custom)?;
        Ok(Self {
            shape: Arc::new(shape),
            name: written.name,
            lifecycle: written.lifecycle,
            revision: written.revision,
            earlier: written.earlier,
            current: written.current,
            options: written.options,
            parallelism: written.parallelism,
            evenly_since: written.evenly_since,
            born_after: written.born_after,
            assignment: written.assignment,
        })
    }
}

impl Version {
    pub(super) fn shape(
        &self,
        name: &TopologyName,
        parallelism: &BTreeMap<ComponentId, u32>,
    ) -> Result<Shape, Refusal> {
        Shape::new(name, &self.description, &self.config, parallelism)
    }
}

impl Deployed {
    /// Its name.
    pub fn name(&self) -> &TopologyName {
        &self.name
    }

    /// Where in its life it is.
    pub fn lifecycle(&self) -> Lifecycle {
        self.lifecycle
    }

    /// Where in the log an operator changed it last: what compare-and-set compares. New assignments leave it as it is.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The version that is to run.
    pub fn current(&self) -> &Version {
        &self.current
    }

    /// The versions that are kept, oldest first, the current one last.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.earlier.iter().chain([&self.current])
    }

    /// How it is to be placed, rebalances included.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Numbers of executors set by rebalances, by component.
    pub fn parallelism(&self) -> &BTreeMap<ComponentId, u32> {
        &self.parallelism
    }

    /// Set while executors are to be moved until workers are evenly filled. Ends with the first assignment planned from then on.
    pub fn evenly_since(&self) -> Option<Revision> {
        self.evenly_since
    }

    /// The topology as it is to run, and its executors.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// Where its executors are, if that was ever decided.
    pub fn assignment(&self) -> Option<&Arc<Assignment>> {
        self.assignment.as_ref()
    }

    /// The version that the next assignment has to name as its parent.
    pub fn parent(&self) -> AssignmentVersion {
        self.assignment.as_ref().map_or(self.born_after, |assignment| assignment.version)
    }

    /// Whether its assignment is for the executors it has now. Until a new one is, it is to be planned.
    pub fn is_assigned_as_it_is(&self) -> bool {
        self.assignment.as_ref().is_some_and(|it| {
            let known = |executor| it.places.contains_key(executor) || it.unplaced.contains_key(executor);
            let executors = self.shape.executors();
            it.topology == self.current.version
                && it.places.len() + it.unplaced.len() == executors.len()
                && executors.keys().all(known)
        })
    }

    /// The slots that its assignment uses, a slot once for each executor.
    pub fn slots(&self) -> impl Iterator<Item = &SlotId> {
        self.assignment.iter().flat_map(|assignment| assignment.places.values())
    }
}
