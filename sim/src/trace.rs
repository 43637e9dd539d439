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

/// A number for some bytes, the same everywhere (FNV-1a).
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
