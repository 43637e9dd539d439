//! The bytes of a snapshot, version 1:
//!
//! ```text
//! magic "SQST" | version u16 | key group u16 | length of the body u64 | body | xxh3 of all before u64
//! body:  number of tables, then each, ascending by name: name, number of entries, then each, ascending by key: key, value
//! ```
//!
//! Fixed-size numbers are little-endian. Counts and the lengths before names, keys and values are LEB128. Tables without entries are left
//! out. Keys and values are postcard's.

use std::collections::BTreeMap;

use squall_types::KeyGroup;
use xxhash_rust::xxh3::xxh3_64;

use super::StateError;

const MAGIC: [u8; 4] = *b"SQST";
const VERSION: u16 = 1;
const HEADER: usize = 16;
const CHECKSUM: usize = 8;

/// One table's entries in one group, encoded, ascending by key.
#[derive(Clone, Debug)]
pub(super) struct RawGroup(Vec<(Vec<u8>, Vec<u8>)>);

impl RawGroup {
    /// From entries in any order, keys all different.
    pub(super) fn new(mut entries: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        entries.sort_unstable();
        Self(entries)
    }

    pub(super) fn entries(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }
}

/// One group of all tables.
pub(super) struct Snapshot {
    group: KeyGroup,
    tables: BTreeMap<String, RawGroup>,
}

impl Snapshot {
    pub(super) fn new(group: KeyGroup) -> Self {
        Self { group, tables: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, name: &str, entries: RawGroup) {
        if entries.entries() > 0 {
            self.tables.insert(name.to_owned(), entries);
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<RawGroup> {
        self.tables.remove(name)
    }

    pub(super) fn into_tables(self) -> BTreeMap<String, RawGroup> {
        self.tables
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        write_number(&mut body, self.tables.len());
        for (name, raw) in &self.tables {
            write_slice(&mut body, name.as_bytes());
            write_number(&mut body, raw.entries());
            for (key, value) in raw.iter() {
                write_slice(&mut body, key);
                write_slice(&mut body, value);
            }
        }
        seal(VERSION, self.group, &body)
    }

    /// Reads a snapshot of `group`. Any bytes may come in.
    pub(super) fn from_bytes(group: KeyGroup, bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader(open(group, bytes)?);
        let mut tables = BTreeMap::new();
        let mut last: Option<String> = None;
        for _ in 0..reader.number()? {
            let name = String::from_utf8(reader.slice()?.to_vec()).map_err(|_| StateError::Damaged)?;
            if last.as_ref() >= Some(&name) {
                return Err(StateError::Damaged);
            }
            tables.insert(name.clone(), reader.group()?);
            last = Some(name);
        }
        if reader.0.is_empty() { Ok(Self { group, tables }) } else { Err(StateError::Damaged) }
    }
}

/// Puts header and checksum around a body.
pub(super) fn seal(version: u16, group: KeyGroup, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body.len() + CHECKSUM);
    bytes.extend(MAGIC);
    bytes.extend(version.to_le_bytes());
    bytes.extend(group.get().to_le_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(body);
    bytes.extend(xxh3_64(&bytes).to_le_bytes());
    bytes
}

/// Checks header and checksum, and gives the body.
fn open(group: KeyGroup, bytes: &[u8]) -> Result<&[u8], StateError> {
    let found = bytes.len() as u64;
    let least = (HEADER + CHECKSUM) as u64;
    if bytes.is_empty() || !bytes.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic) {
        return Err(StateError::NotASnapshot);
    }
    let version = fixed(bytes, 4).map(u16::from_le_bytes).filter(|&version| version > VERSION);
    if let Some(version) = version {
        return Err(StateError::NewerVersion { found: version, supported: VERSION });
    }
    let length = fixed(bytes, 8).map_or(0, u64::from_le_bytes);
    let expected = length.saturating_add(least);
    if found < expected {
        return Err(StateError::Truncated { expected, found });
    }
    if found > expected {
        return Err(StateError::Trailing { extra: found - expected });
    }
    let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if xxh3_64(content).to_le_bytes() != checksum || fixed(bytes, 4).map(u16::from_le_bytes) != Some(VERSION) {
        return Err(StateError::Damaged);
    }
    match fixed(bytes, 6).map(u16::from_le_bytes) {
        Some(number) if number != group.get() => Err(StateError::WrongGroup { expected: group.get(), found: number }),
        _ => Ok(&content[HEADER..]),
    }
}

fn fixed<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn write_number(to: &mut Vec<u8>, number: usize) {
    let mut rest = number as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

fn write_slice(to: &mut Vec<u8>, bytes: &[u8]) {
    write_number(to, bytes.len());
    to.extend(bytes);
}

/// What is left of a body. Reads past the end are damage: the checksum held, but whoever wrote it wrote nonsense.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u64, StateError> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(StateError::Damaged)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(StateError::Damaged)
    }

    fn slice(&mut self) -> Result<&'a [u8], StateError> {
        let length = usize::try_from(self.number()?).map_err(|_| StateError::Damaged)?;
        let (slice, rest) = self.0.split_at_checked(length).ok_or(StateError::Damaged)?;
        self.0 = rest;
        Ok(slice)
    }

    fn group(&mut self) -> Result<RawGroup, StateError> {
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for _ in 0..self.number()? {
            let (key, value) = (self.slice()?, self.slice()?);
            if entries.last().is_some_and(|(last, _)| last.as_slice() >= key) {
                return Err(StateError::Damaged);
            }
            entries.push((key.to_vec(), value.to_vec()));
        }
        Ok(RawGroup(entries))
    }
}
