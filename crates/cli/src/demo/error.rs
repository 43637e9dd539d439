//! Why the demo can't run, or couldn't to the end.

use std::io;

use squall::{Code, Invalid, RunError, WindowError};

use super::source::OpenError;

/// What the demo can't do.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The input can't be opened.
    #[error(transparent)]
    Input(#[from] OpenError),
    /// The input couldn't be read to its end.
    #[error("the input couldn't be read to its end")]
    Read(#[source] io::Error),
    /// The window can't be cut into slides.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// The topology is wrong.
    #[error(transparent)]
    Topology(#[from] Invalid),
    /// The topology doesn't start.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What was found can't be shown.
    #[error("can't write to standard output")]
    Output(#[source] io::Error),
}

impl DemoError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Input(error) => error.code(),
            Self::Read(_) => Code::new(3103),
            Self::Window(error) => error.code(),
            Self::Topology(error) => error.code(),
            Self::Run(error) => error.code(),
            Self::Output(_) => Code::new(3104),
        }
    }
}
