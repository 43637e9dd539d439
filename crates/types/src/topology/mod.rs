//! The topology model: what a user declares, and what is checked before anything runs.

mod model;

pub use model::{
    Component, Config, Delivery, Execution, Fields, Grouping, Input, Kind, Resources, StreamDecl, Topology,
};
