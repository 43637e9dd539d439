//! What is kept of a panic in user code: its message, its place, and a backtrace if one is asked for.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Once};

use crate::api::Failure;

thread_local! {
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
    static GUARDED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A panic, as an error.
#[derive(Debug, Clone)]
pub struct Panic {
    message: String,
    place: Option<String>,
    /// Written down when it is asked for: naming its places takes tens of milliseconds.
    backtrace: Option<Arc<Backtrace>>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)?;
        if let Some(place) = &self.place {
            write!(f, " (at {place})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Panic {}

impl Panic {
    /// Where it happened, if `RUST_BACKTRACE` asks for it.
    pub fn backtrace(&self) -> Option<String> {
        self.backtrace.as_ref().map(ToString::to_string)
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Makes panics on guarded threads be kept instead of printed. Others go to the hook that was there before.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                return before(info);
            }
            let backtrace = Backtrace::capture();
            let captured = (backtrace.status() == BacktraceStatus::Captured).then(|| Arc::new(backtrace));
            let place = info.location().map(ToString::to_string);
            let panic = Panic { message: message(info.payload()), place, backtrace: captured };
            LAST.set(Some(panic));
        }));
    });
}

/// Marks this thread as one whose panics are caught and reported by the runtime, until the guard is dropped.
pub fn guard() -> Guard {
    Guard { before: GUARDED.replace(true) }
}

/// Ends with the code whose panics are caught.
pub struct Guard {
    before: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDED.set(self.before);
    }
}

/// The panic that was just caught on this thread, or that was carried over from another.
pub fn take(payload: &(dyn Any + Send)) -> Panic {
    let kept = LAST.take();
    let carried = || payload.downcast_ref::<Panic>().cloned();
    kept.or_else(carried).unwrap_or_else(|| Panic { message: message(payload), place: None, backtrace: None })
}

/// [`take`], as what user code returns.
pub fn take_failure(payload: &(dyn Any + Send)) -> Failure {
    Failure::from(take(payload))
}
