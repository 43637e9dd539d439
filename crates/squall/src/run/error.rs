//! Why a run didn't begin.

use squall_runtime::StartError;
use squall_types::Code;

/// Why a topology couldn't be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The topology doesn't start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The thread that watches can't wait for anything.
    #[error("the system gives no means to wait for timers and signals")]
    NoRuntime(#[source] std::io::Error),
    /// Signals can't be listened for.
    #[error("the system doesn't let this process listen for Ctrl-C and SIGTERM")]
    NoSignals(#[source] std::io::Error),
    /// It was told to stop while components were still being prepared.
    #[error("stopped before all components were prepared; nothing was emitted")]
    Interrupted,
}

impl RunError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Start(error) => error.code(),
            Self::NoRuntime(_) | Self::NoSignals(_) => Code::new(3002),
            Self::Interrupted => Code::new(3003),
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Start(error) => error.next_step(),
            Self::NoRuntime(_) | Self::NoSignals(_) => "raise the limit of open files for this user",
            Self::Interrupted => {
                "start it again; if it was stopped because it hung, look at what prepare and open wait for"
            }
        }
    }
}
