//! Request ids: what makes a retry the same request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnixMillis;

/// A UUID of version 7 (RFC 9562): 48 bits of its maker's time in milliseconds, then random bits. The time lets the cluster forget old ids
/// without ever running one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(u128);

const VERSION: u128 = 0xf << 76;
const VERSION_7: u128 = 0x7 << 76;
const VARIANT: u128 = 0b11 << 62;
const VARIANT_RFC: u128 = 0b10 << 62;

impl RequestId {
    /// An id made at this time, with these random bits (those where time, version and variant stand are not used).
    pub const fn new(at: UnixMillis, random: u128) -> Self {
        let rest = random & ((1 << 80) - 1) & !VERSION & !VARIANT;
        Self(((at.get() as u128 & ((1 << 48) - 1)) << 80) | VERSION_7 | VARIANT_RFC | rest)
    }

    /// The id with these bits, if it is a UUID of version 7.
    ///
    /// # Errors
    /// If version or variant are others.
    pub fn from_bits(bits: u128) -> Result<Self, NotARequestId> {
        if bits & VERSION == VERSION_7 && bits & VARIANT == VARIANT_RFC {
            Ok(Self(bits))
        } else {
            Err(NotARequestId(format!("{bits:032x}")))
        }
    }

    /// The bits.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// When it was made, by its maker's clock.
    pub const fn made_at(self) -> UnixMillis {
        UnixMillis::new((self.0 >> 80) as u64)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {self}")
    }
}

/// The text is no request id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no request id; it is a UUID of version 7, as 018f3c6e-0000-7000-8000-000000000000")]
pub struct NotARequestId(String);

impl FromStr for RequestId {
    type Err = NotARequestId;

    fn from_str(text: &str) -> Result<Self, NotARequestId> {
        let malformed = || NotARequestId(text.to_owned());
        let hyphens = |(at, byte): (usize, u8)| (byte == b'-') == [8, 13, 18, 23].contains(&at);
        if text.len() != 36 || !text.bytes().enumerate().all(hyphens) || text.contains('+') {
            return Err(malformed());
        }
        let bits = u128::from_str_radix(&text.replace('-', ""), 16).map_err(|_| malformed())?;
        Self::from_bits(bits).map_err(|_| malformed())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uuid_of_another_version_or_form_is_refused_and_shown() {
        let version_4 = "018f3c6e-0000-4000-8000-000000000000";
        for text in ["", version_4, "018f3c6e00007000800000000000000000000", "018f3c6e-0000-7000-c000-000000000000"] {
            assert_eq!(text.parse::<RequestId>(), Err(NotARequestId(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn an_id_tells_its_time_and_is_read_back_from_its_text(at in 0_u64..1 << 48, random: u128) {
            let id = RequestId::new(UnixMillis::new(at), random);
            prop_assert_eq!(id.made_at(), UnixMillis::new(at));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(RequestId::from_bits(id.to_bits()), Ok(id));
        }

        #[test]
        fn no_text_panics_the_reader(text: String) {
            let _ = text.parse::<RequestId>();
        }
    }
}
