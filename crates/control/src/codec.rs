//! How commands and states are written: in the log, in snapshots, on the wire.
//!
//! ```text
//! magic 4 │ format 1 │ level 8 LE │ xxh3 of the body 8 LE │ body: postcard
//! ```
//!
//! The level stands before the body, so that a build of an older level knows what it can't read without reading it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use squall_types::cluster::FeatureLevel;
use squall_types::{Code, Retry, codes};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Envelope, Limit, Refusal, State, Supported};

const COMMAND: [u8; 4] = *b"SQCM";
const STATE: [u8; 4] = *b"SQST";
const FORMAT: u8 = 1;
const HEADER: usize = 21;

/// The most bytes in an encoded command.
pub const LONGEST_COMMAND: usize = 16 << 20;
/// The most bytes in an encoded state.
pub const LONGEST_STATE: usize = 1 << 30;

/// Bytes are not a command, or not a state, that this build can read. A master that meets this in its log or in a snapshot stops: to go on
/// without would be to have another state than the others.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They don't start as such bytes do.
    #[error("the bytes are no {what}")]
    Foreign {
        /// `command` or `state`.
        what: &'static str,
    },
    /// There are too few or too many.
    #[error("a {what} of {bytes} bytes: there are {HEADER} to {most}")]
    Length {
        /// `command` or `state`.
        what: &'static str,
        /// How many there are.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// They were written in a newer format.
    #[error("the {what} is written in format {format}; this build reads up to {FORMAT}")]
    NewerFormat {
        /// `command` or `state`.
        what: &'static str,
        /// Its format.
        format: u8,
    },
    /// They were written at a newer feature level.
    #[error("the {what} needs feature level {level}; this build has {supported}")]
    NewerLevel {
        /// `command` or `state`.
        what: &'static str,
        /// What it needs.
        level: FeatureLevel,
        /// What this build has.
        supported: FeatureLevel,
    },
    /// They are not what was written.
    #[error("the {what} is damaged: its checksum is {found:016x}, and should be {expected:016x}")]
    Damaged {
        /// `command` or `state`.
        what: &'static str,
        /// The sum of what is there.
        found: u64,
        /// The sum of what was written.
        expected: u64,
    },
    /// They are what was written, but make no sense.
    #[error("the {what} is whole, but can't be read")]
    Malformed {
        /// `command` or `state`.
        what: &'static str,
        /// What the decoder says.
        #[source]
        source: postcard::Error,
    },
}

impl DecodeError {
    /// The error's code.
    pub const fn code(&self) -> Code {
        match self {
            Self::NewerFormat { .. } | Self::NewerLevel { .. } => codes::WRITTEN_BY_NEWER,
            Self::Foreign { .. } | Self::Length { .. } | Self::Damaged { .. } | Self::Malformed { .. } => {
                codes::UNREADABLE_RECORD
            }
        }
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NewerFormat { .. } | Self::NewerLevel { .. } => "upgrade this master to the release of the others",
            Self::Foreign { .. } | Self::Length { .. } | Self::Damaged { .. } | Self::Malformed { .. } => {
                "replace this master: `squall masters replace`; its disk is not to be trusted"
            }
        }
    }

    /// Whether the same bytes may be read later: never.
    pub const fn retry(&self) -> Retry {
        Retry::No
    }
}

/// What is written with a header of its own.
struct Kind {
    what: &'static str,
    magic: [u8; 4],
    longest: usize,
}

const COMMANDS: Kind = Kind { what: "command", magic: COMMAND, longest: LONGEST_COMMAND };
const STATES: Kind = Kind { what: "state", magic: STATE, longest: LONGEST_STATE };

impl Kind {
    fn encode<T: Serialize>(&self, level: FeatureLevel, value: &T) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.push(FORMAT);
        bytes.extend(level.get().to_le_bytes());
        bytes.extend([0; 8]);
        let mut bytes = postcard::to_extend(value, bytes).expect("commands and states are plain data of known lengths");
        let sum = xxh3_64(&bytes[HEADER..]);
        bytes[HEADER - 8..HEADER].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8], supported: Supported) -> Result<T, DecodeError> {
        let what = self.what;
        if !bytes.starts_with(&self.magic) {
            return Err(DecodeError::Foreign { what });
        }
        if !(HEADER..=self.longest).contains(&bytes.len()) {
            return Err(DecodeError::Length { what, bytes: bytes.len(), most: self.longest });
        }
        let number = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        if bytes[4] != FORMAT {
            return Err(DecodeError::NewerFormat { what, format: bytes[4] });
        }
        let (level, expected, found) = (FeatureLevel::new(number(5)), number(13), xxh3_64(&bytes[HEADER..]));
        if found != expected {
            return Err(DecodeError::Damaged { what, found, expected });
        }
        if level > supported.get() {
            return Err(DecodeError::NewerLevel { what, level, supported: supported.get() });
        }
        self.body(&bytes[HEADER..])
    }

    fn body<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, DecodeError> {
        let malformed = |source| DecodeError::Malformed { what: self.what, source };
        let (value, rest) = postcard::take_from_bytes(body).map_err(malformed)?;
        if rest.is_empty() { Ok(value) } else { Err(malformed(postcard::Error::DeserializeBadEncoding)) }
    }
}

impl Envelope {
    /// The command as bytes.
    ///
    /// # Errors
    /// If they are more than [`LONGEST_COMMAND`]: no master could read them.
    pub fn encode(&self) -> Result<Vec<u8>, Refusal> {
        let bytes = COMMANDS.encode(self.command.level(), self);
        if bytes.len() <= LONGEST_COMMAND {
            Ok(bytes)
        } else {
            Err(Refusal::TooMuch { what: Limit::Command, most: LONGEST_COMMAND as u64 })
        }
    }

    /// The command that these bytes are. No bytes panic it, and it allocates in proportion to their number.
    ///
    /// # Errors
    /// If they are none that a build with this support can read.
    pub fn decode(bytes: &[u8], supported: Supported) -> Result<Self, DecodeError> {
        COMMANDS.decode(bytes, supported)
    }
}

impl State {
    /// The whole state as bytes: the same on every master at the same revision.
    pub fn encode(&self) -> Vec<u8> {
        STATES.encode(self.level(), self)
    }

    /// The state that these bytes are. No bytes panic it.
    ///
    /// # Errors
    /// If they are none that a build with this support can read.
    pub fn decode(bytes: &[u8], supported: Supported) -> Result<Self, DecodeError> {
        STATES.decode(bytes, supported)
    }

    /// A hash of the whole state: equal where states are equal.
    pub fn digest(&self) -> u64 {
        xxh3_64(&self.encode())
    }
}
