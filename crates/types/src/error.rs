//! Error codes: every error that an operator sees carries one, and each has a page in `docs/errors/`.

use std::fmt;

/// A stable error code, as `SQ1001`. What each means is in `docs/errors/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// The code with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQ{:04}", self.0)
    }
}

/// Whether the same thing may work when tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It won't; something has to be changed first.
    No,
    /// It may, after a pause.
    Later,
}
