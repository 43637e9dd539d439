//! Calls to a cluster: whichever master answers.
//!
//! Invariants: a change that is tried again carries the same request id, so it is done once; a call ends within its deadline, and if a
//! change may or may not have been done then, the error says so.

mod call;
mod connect;
mod ids;
mod settings;

pub use call::Client;
pub use ids::now;
pub use settings::{Output, Settings, SettingsError, SettingsFlags};
