//! Why a run doesn't count.

use std::path::PathBuf;

use squall::Books;

/// Why a run has no figures, or none that can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The topology is wrong.
    #[error("the topology can't be built")]
    Invalid(#[from] squall::Invalid),
    /// The topology doesn't start.
    #[error("the topology doesn't start")]
    Start(#[from] squall::StartError),
    /// No runtime or thread can be had.
    #[error("the system refuses a thread")]
    Thread(#[source] std::io::Error),
    /// A file of `/proc` can't be read.
    #[error("can't read {}", .0.display())]
    Proc(PathBuf, #[source] std::io::Error),
    /// A file of `/proc` says something else than expected.
    #[error("{0} isn't in {1}")]
    NoFigure(&'static str, &'static str),
    /// The topology did not come to its end.
    #[error("not at its end after {seconds} s: {books:?}")]
    Stuck {
        /// How long it was given.
        seconds: u64,
        /// The books then.
        books: Books,
    },
    /// Roots failed or are left, or not all that was emitted was acked.
    #[error("the books are wrong: {0:?}")]
    Books(Books),
    /// Not everything that was sent came, or more.
    #[error("{sent} {what} sent, {taken} counted")]
    Counts {
        /// What was counted.
        what: &'static str,
        /// By the spouts.
        sent: u64,
        /// By the last bolts.
        taken: u64,
    },
    /// The bolt that was to be saturated kept up with what came.
    #[error("the busy bolt isn't saturated: its spout waited for room for only {:.0} % of the time", blocked * 100.0)]
    Unsaturated {
        /// The share of the time for which the spout waited for room.
        blocked: f64,
    },
    /// The topology isn't run the way that the bench is about.
    #[error("{0}")]
    Shape(&'static str),
    /// A master refused a call, or wasn't there for it.
    #[error("a call of a master failed")]
    Call(#[from] Box<tonic::Status>),
    /// What a bench needs of the system isn't to be had.
    #[error("the system refuses {0}")]
    System(&'static str, #[source] std::io::Error),
    /// The other program can't be run.
    #[error("can't run {}", .0.display())]
    Run(PathBuf, #[source] std::io::Error),
    /// The other program printed something else than figures.
    #[error("{} printed no figures", .0.display())]
    Output(PathBuf, #[source] serde_json::Error),
}

impl Error {
    /// The error and its causes, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}
