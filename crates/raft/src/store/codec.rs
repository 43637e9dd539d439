//! How records are written: a version, the record as postcard, xxh3 of both.

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

/// The version that is written. Older ones are read for as long as masters are upgraded from them.
pub(super) const FORMAT: u8 = 1;
const SUM: usize = 8;

/// What is wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Bytes are missing.
    #[error("it is cut off")]
    Short,
    /// The checksum is another.
    #[error("its checksum is wrong")]
    Checksum,
    /// A newer release wrote it.
    #[error("it has format {0}, and this release reads up to {FORMAT}")]
    Newer(u8),
    /// The checksum is right and the content isn't.
    #[error("its content makes no sense")]
    Content,
    /// Entries are missing.
    #[error("entries are missing")]
    Gap,
    /// A part that must be there isn't.
    #[error("a part of it is missing")]
    Missing,
    /// More is committed than there is, or less than is in the snapshot.
    #[error("{commit} is committed, and the log ends at {last}")]
    Commit {
        /// What is said to be committed.
        commit: u64,
        /// The last entry.
        last: u64,
    },
    /// An entry is of a term that this master has not seen.
    #[error("an entry is of a term that is yet to come")]
    Term,
    /// The database itself found damage.
    #[error("the database is damaged")]
    Database,
}

pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let bytes = postcard::to_extend(record, vec![FORMAT]);
    let mut bytes = bytes.expect("records are plain data, which postcard can always write");
    bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
    bytes
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Flaw> {
    let (record, sum) = bytes.split_last_chunk::<SUM>().ok_or(Flaw::Short)?;
    if xxh3_64(record) != u64::from_le_bytes(*sum) {
        return Err(Flaw::Checksum);
    }
    let (&format, record) = record.split_first().ok_or(Flaw::Short)?;
    if format > FORMAT {
        return Err(Flaw::Newer(format));
    }
    match postcard::take_from_bytes(record) {
        Ok((record, [])) => Ok(record),
        _ => Err(Flaw::Content),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::{Entry, HardState, Identity, Image, Snapshot};

    /// Bytes with a version and a checksum that fit: what is behind both is reached.
    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    fn entry() -> Entry {
        Entry { index: 7, term: 3, kind: 0, data: b"command".to_vec(), context: vec![] }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = encode(&entry());
        bytes.truncate(bytes.len() - SUM);
        bytes[0] = FORMAT + 1;
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        assert_eq!(decode::<Entry>(&bytes), Err(Flaw::Newer(FORMAT + 1)));
    }

    proptest! {
        #[test]
        fn a_record_is_read_back(index: u64, term: u64, kind: u8, data: Vec<u8>, context: Vec<u8>) {
            let entry = Entry { index, term, kind, data, context };
            prop_assert_eq!(decode(&encode(&entry)), Ok(entry));
        }

        #[test]
        fn one_flipped_bit_is_seen(at in 0_usize..1_000, bit in 0..8) {
            let mut bytes = encode(&entry());
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(decode::<Entry>(&bytes).is_err());
        }

        #[test]
        fn no_bytes_panic_the_reader_of_any_record(bytes: Vec<u8>) {
            for bytes in [sealed(&bytes), bytes] {
                let _ = decode::<Entry>(&bytes);
                let _ = decode::<HardState>(&bytes);
                let _ = decode::<Identity>(&bytes);
                let _ = decode::<Image>(&bytes);
                let _ = decode::<Snapshot>(&bytes);
            }
        }

        #[test]
        fn a_length_that_lies_sets_no_memory_aside(before in 0_usize..40) {
            // A varint of 2⁶³ at each place of a record that is whole otherwise.
            let whole = encode(&Snapshot { index: 7, term: 3, conf: crate::store::ConfState { voters: vec![1, 2, 3], ..Default::default() }, image: vec![9; 20] });
            let body = &whole[1..whole.len() - SUM];
            let at = before.min(body.len());
            let lying = [&body[..at], &[0xff; 8], &[0x7f], &body[at..]].concat();
            let _ = decode::<Snapshot>(&sealed(&lying));
        }
    }
}
