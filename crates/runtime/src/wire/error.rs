//! Why bytes are no frame, and why a row can't be sent.

use squall_types::{Code, codes};

/// Bytes from another slot are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// They end too early.
    #[error("the frame ends before what it announces")]
    Truncated,
    /// More of them follow than were announced.
    #[error("the frame goes on after what it announces")]
    Trailing,
    /// They are of a later format.
    #[error("the frame is of format {0}, and this release reads format 1")]
    Version(u8),
    /// They are of no kind that is known, or of one that has no place here.
    #[error("a frame of kind {0} has no place here")]
    Kind(u8),
    /// The header says what has no meaning.
    #[error("the frame's header has bits that mean nothing")]
    Header,
    /// More of something than a frame may hold.
    #[error("the frame has more {0} than a frame may")]
    Over(&'static str),
    /// A value of no type.
    #[error("a value in the frame is of type {0}, which doesn't exist")]
    Type(u8),
    /// Text that isn't UTF-8.
    #[error("a text in the frame is not UTF-8")]
    Text,
    /// Lists in lists, or maps in maps, without end.
    #[error("a value in the frame nests deeper than 64 levels")]
    Depth,
    /// A map's keys, or the rows of further anchors, out of order.
    #[error("the frame's {0} are not in order")]
    Order(&'static str),
    /// An ack record says no known kind of failure.
    #[error("a root in the frame failed in a way that doesn't exist ({0})")]
    Failure(u8),
    /// A name that is none.
    #[error("the frame names a worker as none can be called")]
    Name,
    /// What was compressed can't be read.
    #[error("the frame can't be decompressed")]
    Packed,
}

impl FrameError {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Version(_) => codes::FRAME_NEWER,
            _ => codes::FRAME_MALFORMED,
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Version(_) => {
                "build the topology's package once, and submit that: all its slots run the same binary then"
            }
            _ => "see what else talks to this port; between two slots of one topology, it is a defect: report it",
        }
    }
}

/// Why a row can't be sent to another slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// It is too large.
    #[error("a tuple of over 64 MiB can't be sent to another slot")]
    Large,
    /// It nests too deep.
    #[error("a tuple with a value that nests deeper than 64 levels can't be sent to another slot")]
    Deep,
    /// It is anchored to too many others.
    #[error("a tuple anchored to over 65,536 others can't be sent to another slot")]
    Anchors,
}

impl Unsendable {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        codes::TUPLE_UNSENDABLE
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Large => "emit it in parts, or keep it in a store and emit where it lies",
            Self::Deep => "flatten the value before it is emitted",
            Self::Anchors => "anchor to fewer tuples: join in steps, or in a window, which holds state and not tuples",
        }
    }
}
