//! What a package is called: the hash of its content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A blob's SHA-256 (FIPS 180-4): its name and its proof in one. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 digits: enough for people to tell blobs apart.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob {}", self.short())
    }
}

/// The text is no blob's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no blob id; it is a SHA-256, written as 64 hexadecimal digits")]
pub struct NotABlobId(String);

impl FromStr for BlobId {
    type Err = NotABlobId;

    fn from_str(text: &str) -> Result<Self, NotABlobId> {
        let malformed = || NotABlobId(text.to_owned());
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| malformed())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| malformed())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_see_the_first_twelve_digits() {
        assert_eq!(BlobId::from_bytes([0xab; 32]).short(), "abababababab");
    }

    #[test]
    fn a_text_that_is_no_hash_is_refused_and_shown() {
        for text in ["", "ab", &"g".repeat(64), &"a".repeat(65), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(text.parse::<BlobId>(), Err(NotABlobId(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_from_its_text_in_either_case(bytes: [u8; 32]) {
            let id = BlobId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
    }
}
