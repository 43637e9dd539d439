//! Calls to a cluster: whichever master answers.
//!
//! Invariants: a change that is tried again carries the same request id, so it is done once; a call ends within its deadline, and if a
//! change may or may not have been done then, the error says so. A call that moves bytes has that time from the last byte on.

mod call;
mod connect;
mod ids;
mod pace;
mod settings;

pub use call::Client;
pub use connect::Link;
pub use ids::now;
pub use pace::Pace;
pub use settings::{Output, Settings, SettingsError, SettingsFlags};
