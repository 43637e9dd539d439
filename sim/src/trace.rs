//! What happened, in order, in simulated time: the same for the same seed, byte for byte.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::rc::Rc;
use std::time::Duration;

/// The record. Its clones write to the same.
#[derive(Clone, Debug, Default)]
pub struct Trace(Rc<RefCell<String>>);

impl Trace {
    /// Something happened then.
    pub fn note(&self, at: Duration, what: fmt::Arguments<'_>) {
        let mut text = self.0.borrow_mut();
        writeln!(text, "{:>6}.{:03} {what}", at.as_secs(), at.subsec_millis()).expect("a String takes everything");
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.0.borrow().clone()
    }
}
