//! The topology model: what a user declares, and what is checked before anything runs.

mod advice;
mod checked;
mod defaults;
mod describe;
mod graph;
mod keying;
mod model;
mod names;
mod overrides;
mod problem;
mod tasks;
mod validate;
mod wired;

#[cfg(test)]
mod tests;

pub use checked::{Checked, InputRef, Source};
pub use keying::{Keying, NotKeyed};
pub use model::{
    Component, Config, Delivery, Execution, Fields, Grouping, Input, Kind, Resources, StreamDecl, Topology,
};
pub use names::Named;
pub use overrides::NoSuchComponent;
pub use problem::{Invalid, Name, Problem, Subscription};
pub use tasks::{Tasks, deal, dealt_to};
