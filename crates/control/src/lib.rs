//! The control plane's decisions, and nothing that does anything: time, randomness and what workers say come in as arguments, and what is
//! to be done goes out as data.
//!
//! Invariants:
//! - applying the same commands in the same order gives the same state on every master, byte for byte;
//! - an [`Assignment`] never changes once it is made: a newer one with its parent's version takes its place;
//! - the same input gives the same plan, and a plan moves only what must move.

mod assignment;
mod author;
pub mod check;
mod codec;
mod command;
pub mod detector;
mod event;
mod level;
mod lifecycle;
mod line;
mod log;
pub mod plan;
mod refusal;
mod requests;
mod shape;
mod state;
mod token;

pub use assignment::{Assignment, Unplaced};
pub use author::Author;
pub use codec::{DecodeError, LONGEST_COMMAND, LONGEST_STATE};
pub use command::{
    Assign, Audit, Capacity, Command, Envelope, Fate, NewToken, Options, Rebalance, Rebirth, Registration, SecretHash,
    Submit, WorkerRecord,
};
pub use event::{Event, Subject, What};
pub use level::Supported;
pub use lifecycle::{Lifecycle, Phase, Step, diagram};
pub use line::{LONGEST_LINE, Line, NotALine};
pub use log::{Compacted, EVENTS_KEPT};
pub use refusal::{BlobUse, LevelBlocker, Limit, Misfit, Refusal};
pub use requests::WINDOW;
pub use shape::Shape;
pub use state::{
    Admin, Birth, Blob, Counts, Deployed, Member, Outcome, Quarantine, Reply, Seat, Seed, State, UNUSED_BLOBS_KEPT,
    VERSIONS_KEPT, Version, Worker,
};
pub use token::{NotATokenId, Token, TokenId};
