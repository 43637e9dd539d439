use squall_types::{Code, Retry};

/// State that can't be registered, written or read back.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A table is registered again with other types.
    #[error("state {table:?} is already registered with other types")]
    TypesDiffer {
        /// The table's name.
        table: String,
    },
    /// The bytes don't begin as a snapshot does.
    #[error("these bytes are not a state snapshot")]
    NotASnapshot,
    /// The snapshot was written by a newer release.
    #[error("the snapshot has format version {found}; this release reads up to {supported}")]
    NewerVersion {
        /// The snapshot's format version.
        found: u16,
        /// The newest that can be read.
        supported: u16,
    },
    /// The snapshot ends too early.
    #[error("the snapshot is cut off: {found} of {expected} bytes")]
    Truncated {
        /// Bytes the snapshot should have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// Something follows the snapshot's end.
    #[error("{extra} bytes follow the snapshot's end")]
    Trailing {
        /// Bytes too many.
        extra: u64,
    },
    /// The snapshot's content is not what was written.
    #[error("the snapshot is damaged")]
    Damaged,
    /// The snapshot is of another group.
    #[error("the snapshot is of key group {found}, not {expected}")]
    WrongGroup {
        /// The group asked for.
        expected: u16,
        /// The snapshot's group.
        found: u16,
    },
    /// A restored entry can't be read as the types that the table is registered with.
    #[error("an entry of state {table:?} in the snapshot is not of the registered types")]
    Entry {
        /// The table's name.
        table: String,
        /// What the decoder said; nothing if bytes were left over or two keys came out equal.
        #[source]
        source: Option<postcard::Error>,
    },
    /// A key or a value can't be serialized.
    #[error("an entry of state {table:?} can't be serialized")]
    Encode {
        /// The table's name.
        table: String,
        /// What the encoder said.
        source: postcard::Error,
    },
    /// The component has fewer key groups.
    #[error("there is no key group {group}; the component has {groups}")]
    NoSuchGroup {
        /// The group asked for.
        group: u16,
        /// How many there are.
        groups: u16,
    },
}

impl StateError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::TypesDiffer { .. } => Code::new(1102),
            Self::NotASnapshot => Code::new(2301),
            Self::NewerVersion { .. } => Code::new(2302),
            Self::Truncated { .. } => Code::new(2303),
            Self::Trailing { .. } => Code::new(2304),
            Self::Damaged => Code::new(2305),
            Self::WrongGroup { .. } => Code::new(2306),
            Self::Entry { .. } => Code::new(2307),
            Self::Encode { .. } => Code::new(2308),
            Self::NoSuchGroup { .. } => Code::new(2309),
        }
    }

    /// Whether trying again may help: the same bytes and the same types always fail the same way.
    pub fn retry(&self) -> Retry {
        Retry::No
    }
}
