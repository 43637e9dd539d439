//! The processes of the worker's slots, a task each.

mod attach;
mod process;
mod tend;

pub(crate) use tend::{Handle, Place, adopt, start};
