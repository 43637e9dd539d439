//! A daemon's configuration: a file in TOML, over it the environment, over both the command line.
//!
//! Every setting is one row of [`SETTINGS`]: its key, what it takes, what it is for. The file, the `SQUALL_…` variables, the flags, the
//! commented file in `config/` and the page in `docs/` are all made from these rows, so none can differ from another.
//!
//! Invariants: what is unknown is refused with the nearest that is known; every value knows where it comes from; a [`MasterConfig`] that
//! [`load`] returned keeps all rules of [`Broken`].

mod error;
mod host;
mod layers;
mod model;
mod raw;
mod render;
mod rules;
mod settings;
mod size;
mod take;
#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigErrors};
pub use host::{HostPort, NotAHostPort};
pub use layers::{Effective, Layers, Origin, Shown, default_data_dir, load, variable};
pub use model::{Http, Limits, Log, LogFormat, LogLevel, MasterConfig, Tls, TlsFiles, Tokens, Workers};
pub use render::{page, sample};
pub use rules::{Broken, Warning};
pub use settings::{SETTINGS, Setting};
pub use size::{NotASize, Size};
pub use take::NotTaken;
