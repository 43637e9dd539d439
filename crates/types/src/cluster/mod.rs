//! The vocabulary of the control plane: who there is, which decision is newer, what a package is called.
//!
//! Three numbers order things, and none of them is ever taken for another: [`Revision`] (the log's index: orders desired states),
//! [`AssignmentVersion`] (one chain a topology) and [`SlotIncarnation`] (a counter that a worker's daemon keeps).

mod blob;
mod moment;
mod names;
mod numbers;
mod placement;
mod refusal;
mod request;
mod role;
mod slot;

pub use blob::{BlobId, NotABlobId};
pub use moment::Utc;
pub use names::{IllegalName, MasterName, TopologyName, UserName, WorkerName};
pub use numbers::{
    AssignmentVersion, ClusterId, Epoch, FeatureLevel, NotAClusterId, RaftId, Revision, SlotIncarnation, Term,
    TopologyVersion, UnixMillis, WorkerIncarnation,
};
pub use placement::{Peer, Placement};
pub use refusal::Refusal;
pub use request::{NotARequestId, RequestId};
pub use role::{NotARole, Role};
pub use slot::{ExecutorId, SlotId};
