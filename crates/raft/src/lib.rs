//! Hosts [`raft`] 0.7: what makes three masters one.
//!
//! The crate `raft` decides who leads and what is committed, and does no I/O. This crate gives it a loop, a disk, peers and a state machine:
//!
//! ```text
//!  handle ──commands──►┌──────────────────────┐──batches──► disk's thread (redb, one transaction and one fsync a batch)
//!  peers  ──messages──►│ one task owns Host:  │◄──durable──
//!  ticks  ────────────►│ Raft, log's mirror,  │──messages──► a stream a peer, bounded queues
//!                      │ state machine        │──snapshots─► a call each, in chunks
//!                      └──────────────────────┘
//! ```
//!
//! Invariants:
//! - nothing that a follower promises leaves before what it rests on is durable; a leader may send before its own disk has it;
//! - entries, vote and commit of one turn are one transaction, so the disk never holds a state that memory hadn't;
//! - reads of the log never touch the disk: the log since the last snapshot, and a tail before it, is mirrored in memory;
//! - an id is one disk's life: a wiped disk comes back as another member, so it can't vote twice in a term;
//! - what can't be trusted is not voted from: damage, another cluster's or master's disk, a newer format end the host with a code;
//! - no byte from the network is decoded by `protobuf` 2: messages are taken apart by our own types and put together again.

mod error;
mod handle;
mod host;
mod log;
mod logger;
mod machine;
mod members;
mod network;
mod replay;
mod status;
pub mod store;
mod task;
mod wire;

pub use error::{ChangeError, ProposeError, ReadError, StopReason, TransferError};
pub use handle::{OnTerms, Raft, Terms};
pub use host::Keeping;
#[cfg(feature = "planted")]
pub use host::planted::Planted;
pub use machine::{Applied, Fatal, StateMachine};
pub use members::{Member, Members, Standing};
pub use network::{Dial, RaftService};
pub use replay::{Replayed, replay};
pub use status::{Health, Progress, Role, Status};
pub use store::{Contents, Disk, Identity, Pause, RedbDisk, StorageError, Writer};
pub use task::{Running, Settings, start};
