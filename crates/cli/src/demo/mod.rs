//! `squall demo`: trending hashtags, live.
//!
//! Posts → extract hashtags → count each over a sliding window → merge the most frequent. Written against the public SDK
//! alone: start a topology of your own from here.

mod args;
mod board;
mod count;
mod display;
mod error;
mod figures;
mod hashtags;
mod merge;
mod rows;
mod source;
#[cfg(test)]
mod tests;
mod topology;

use std::io::{ErrorKind, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use squall::Runner;

pub use args::Args;
use board::Board;
use display::Display;
pub use error::DemoError;

/// How often the display is refreshed.
const REFRESH: Duration = Duration::from_secs(1);
/// How long the input, and what is in flight, may take to end once its time is up.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the demo to its end.
pub fn run(args: Args) -> Result<ExitCode, DemoError> {
    let board = Arc::new(Board::default());
    let (publish, notes) = (board.clone(), board.clone());
    let settings = args.settings(Arc::new(move |note| notes.note(note)))?;
    let program = topology::trending(settings, Arc::new(move |trend| publish.publish(trend)))?;

    let mut display = Display::new(stdout(), args.title());
    let mut shown = display.start();
    let runner = Runner::new(program);
    let stopper = runner.stopper();
    let mut runner = runner.every(REFRESH, |progress| {
        if shown.is_ok() {
            shown = display.refresh(&board, progress);
        }
        // Nobody sees what would be shown.
        if shown.is_err() && !progress.draining {
            stopper.stop();
        }
    });
    if let Some(time) = args.end_after {
        runner = runner.run_for(time + GRACE);
    }
    let outcome = runner.run()?;

    match shown.and_then(|()| display.end(&board, &outcome)) {
        // Who read the output has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        shown => shown.map_err(DemoError::Output)?,
    }
    crate::output::say(&outcome.report());
    match board.take_failure() {
        Some(failure) => Err(DemoError::Read(failure)),
        None => Ok(ExitCode::from(u8::from(!outcome.is_success()))),
    }
}
