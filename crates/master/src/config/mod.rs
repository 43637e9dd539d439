//! A master's configuration: its settings, their defaults and its rules, over what all daemons share.

mod model;
mod rules;
mod settings;
#[cfg(test)]
mod tests;

pub use model::{Limits, MasterConfig, Tokens, Workers};
pub use squall_daemon::config::*;
