//! Sizes as text: a whole number and a unit, as `64MiB`.

use std::fmt;
use std::str::FromStr;

/// Units and their bytes, coarse before fine.
const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024 × 1024 bytes.
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes, at most what memory can hold.
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// In the coarsest unit that loses nothing.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, bytes): &(&str, u64)| self.0 >= *bytes && self.0.is_multiple_of(*bytes);
        let (unit, bytes) = UNITS.into_iter().find(whole).unwrap_or(UNITS[4]);
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

/// The text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASize {
    /// It is not a whole number with a unit.
    #[error("{0:?} is no size; write a whole number and one of B, KiB, MiB, GiB, TiB, as in 64MiB")]
    Malformed(String),
    /// It is more than 64 bits can count.
    #[error("{0:?} is too large for a size")]
    TooLarge(String),
}

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let known = UNITS.into_iter().find(|&(name, _)| name == unit).filter(|_| !number.is_empty());
        let (_, bytes) = known.ok_or_else(|| NotASize::Malformed(text.to_owned()))?;
        let size = number.parse().ok().and_then(|number: u64| number.checked_mul(bytes));
        size.map(Self).ok_or_else(|| NotASize::TooLarge(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_coarsest_unit_that_loses_nothing_is_written() {
        for (bytes, text) in
            [(0, "0B"), (1, "1B"), (1_024, "1KiB"), (1_536, "1536B"), (64 << 20, "64MiB"), (1 << 30, "1GiB")]
        {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_text() {
        for text in ["", "64", "MiB", "64MB", "64 MiB", "-1B", "1.5GiB", "64mib"] {
            assert_eq!(text.parse::<Size>(), Err(NotASize::Malformed(text.to_owned())));
        }
        for text in ["18446744073709551616B", "16777216TiB"] {
            assert_eq!(text.parse::<Size>(), Err(NotASize::TooLarge(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn every_size_is_read_back_from_its_text(bytes: u64) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn no_text_panics_the_reader(text: String) {
            let _ = text.parse::<Size>();
        }
    }
}
