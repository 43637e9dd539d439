//! Who runs what: [`plan`] decides, as a function of [`Input`] alone.
//!
//! Why it is a function: the same masters' state gives the same plan anywhere, so a plan can be shown before it is carried out, repeated when
//! its author died, and checked by code that had no part in it ([`check`](crate::check)). [`explain`] tells by the same rules why an executor is where it is.
//!
//! Invariants:
//! - deterministic: ties are broken by hashes of names, never by the order in which things came;
//! - sticky: an executor that may stay where it is stays, and a second plan right after the first is empty;
//! - tags, slots, ceilings, anti-affinity and hard limits hold in every plan; what can't be placed within them is left out, with its reason;
//! - an executor leaves a worker that is being drained only for another place.

mod board;
mod explain;
#[cfg(test)]
mod explained;
#[cfg(test)]
mod histories;
mod input;
mod keep;
mod make;
mod outcome;
mod place;
mod pool;
#[cfg(test)]
mod reasons;
mod seats;
#[cfg(test)]
pub(crate) mod tests;
mod verdict;
mod why;

pub use explain::explain;
pub use input::{Component, Edge, Input, Options, Standing, Topology, Worker};
pub use make::plan;
pub use outcome::{Move, Plan, Reason, Stuck};
pub use verdict::{Against, Candidate, Drawback, Explanation, KeptOff, Refused};
