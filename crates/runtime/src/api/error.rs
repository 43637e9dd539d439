//! What user code returns when a tuple can't be done.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;

use squall_types::Code;

use super::{ContextError, EmitError, RouteError};

/// Any error, as a component returns it. `?` makes one of every error type, and of a plain message.
///
/// Thin, so that what `execute` returns fits a register: a tuple that is done costs no look into memory.
pub struct Failure(Box<Inner>);

struct Inner {
    source: Box<dyn std::error::Error + Send + Sync>,
    backtrace: Backtrace,
}

impl Failure {
    /// The error itself.
    pub fn source(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0.source
    }

    /// The error and its causes, outermost first, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.0.source.to_string();
        let mut cause = self.0.source.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// The error's code, if it is one of Squall's own.
    pub fn code(&self) -> Option<Code> {
        let error = self.source();
        let emit = || error.downcast_ref().map(EmitError::code);
        let route = || error.downcast_ref().map(RouteError::code);
        let context = || error.downcast_ref().map(ContextError::code);
        emit().or_else(route).or_else(context)
    }

    /// [`chain`](Self::chain), with the code in front if there is one: as operators see it.
    pub(crate) fn said(&self) -> String {
        self.code().map_or_else(|| self.chain(), |code| format!("{code}: {}", self.chain()))
    }

    /// Where the error was made a failure, or the panic happened, if `RUST_BACKTRACE` asks for it.
    pub fn backtrace(&self) -> Option<String> {
        if let Some(panic) = self.0.source.downcast_ref::<crate::panics::Panic>() {
            return panic.backtrace();
        }
        let backtrace = &self.0.backtrace;
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string())
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    #[cold]
    fn from(error: E) -> Self {
        Self(Box::new(Inner { source: error.into(), backtrace: Backtrace::capture() }))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

/// What a component's methods return.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("row 7 is no number")]
        struct Outer(#[source] std::num::ParseIntError);

        let inner = "x".parse::<i32>().expect_err("x is no number");
        assert_eq!(Failure::from(Outer(inner)).chain(), "row 7 is no number: invalid digit found in string");
    }

    #[test]
    fn what_is_wrong_with_an_emit_is_said_with_its_code() {
        let error = EmitError::NoSuchReceiver { stream: "orders".to_owned(), task: 7 };
        assert_eq!(Failure::from(error).said(), "SQ2105: task 7 doesn't take stream \"orders\"");
        assert_eq!(Failure::from("no such city").said(), "no such city");
    }

    #[test]
    fn a_plain_message_is_a_failure() {
        assert_eq!(Failure::from("no such city").chain(), "no such city");
    }
}
