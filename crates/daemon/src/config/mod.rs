//! A daemon's configuration: a file in TOML, over it the environment, over both the command line.
//!
//! Every setting is one row of a [`Configured`] daemon's settings: its key, what it takes, what it is for. The file, the `SQUALL_…`
//! variables, the flags, the commented file in `config/` and the page in `docs/` are all made from these rows, so none can differ from
//! another.
//!
//! Invariants: what is unknown is refused with the nearest that is known; every value knows where it comes from; a configuration that
//! [`load`] returned keeps all rules of [`Broken`].

mod error;
mod host;
mod layers;
mod parts;
mod raw;
mod render;
mod rules;
mod settings;
mod size;
mod take;

pub use error::{ConfigError, ConfigErrors};
pub use host::{HostPort, NotAHostPort};
pub use layers::{Effective, Layers, Origin, Shown, default_data_dir, load, variable};
pub use parts::{Http, Log, LogFormat, LogLevel, Tls, TlsFiles, name_of};
pub use raw::Raw;
pub use render::{sample, section};
pub use rules::{Broken, Exposure, Warning, partial};
pub use settings::{Configured, Setting, kind_of};
pub use size::{NotASize, Size};
pub use take::{NotTaken, Take};
