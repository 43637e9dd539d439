//! Ids. Each is a type of its own, so that a task never passes for a component, nor an edge for a root.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it is; whether it is a legal one is for [`Topology::validate`](crate::topology::Topology::validate).
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// The name in quotes, escaped: fit for a message whatever the name is.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    };
}

name! {
    /// Names a spout or a bolt within its topology.
    ComponentId
}
name! {
    /// Names one of a component's output streams.
    StreamId
}

impl StreamId {
    /// The stream that `emit` writes to: `default`.
    pub fn default_stream() -> Self {
        Self::new("default")
    }
}

/// One instance of a component. Numbered from 1 over the whole topology, components in declared order; 0 is no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(u16);

impl TaskId {
    /// The highest number a task can have.
    pub const MAX: u16 = u16::MAX;

    /// The task with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which life of a spout task made a root: a new one at each start, also after a panic. 12 bits, wrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Incarnation(u16);

impl Incarnation {
    const MASK: u16 = (1 << 12) - 1;

    /// The incarnation with this number, modulo 4,096.
    pub const fn new(number: u16) -> Self {
        Self(number & Self::MASK)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0.wrapping_add(1))
    }
}

/// A root's place among its spout task's roots: dense, 36 bits, wrapping (57 minutes at 20 M roots/s), so compared modulo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Sequence(u64);

impl Sequence {
    const MASK: u64 = (1 << 36) - 1;

    /// The sequence number, modulo 2³⁶.
    pub const fn new(number: u64) -> Self {
        Self(number & Self::MASK)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one `n` places later.
    #[must_use]
    pub const fn plus(self, n: u64) -> Self {
        Self::new(self.0.wrapping_add(n))
    }

    /// How many places this one lies after `earlier`, modulo 2³⁶: a huge number if it lies before.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.wrapping_sub(earlier.0) & Self::MASK
    }
}

/// A spout tuple that is tracked: 16 bits of spout task, 12 of its incarnation, 36 of sequence.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct RootId(u64);

impl RootId {
    /// What an untracked row carries: no task has number 0.
    pub const NONE: Self = Self(0);

    /// Puts a root id together.
    #[inline]
    pub const fn new(task: TaskId, incarnation: Incarnation, sequence: Sequence) -> Self {
        Self((task.0 as u64) << 48 | (incarnation.0 as u64) << 36 | sequence.0)
    }

    /// The id as it travels.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The id from how it travels. Any bits are an id; whether it names a pending root is for the ledger to say.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether this row is tracked.
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }

    /// The spout task whose ledger holds this root.
    #[inline]
    pub const fn task(self) -> TaskId {
        TaskId((self.0 >> 48) as u16)
    }

    /// The life of that spout task.
    #[inline]
    pub const fn incarnation(self) -> Incarnation {
        Incarnation((self.0 >> 36) as u16 & Incarnation::MASK)
    }

    /// The place among that life's roots.
    #[inline]
    pub const fn sequence(self) -> Sequence {
        Sequence(self.0 & Sequence::MASK)
    }
}

impl fmt::Debug for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "root {}/{}/{}", self.task(), self.incarnation().0, self.sequence().0)
    }
}

/// One tuple's edge in a tree, or several edges XORed together. A tree is complete when all its edges XOR to zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct EdgeId(u64);

impl EdgeId {
    /// No edge, and the sum of a complete tree.
    pub const ZERO: Self = Self(0);

    /// The edge with these bits.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Whether nothing is left.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitXor for EdgeId {
    type Output = Self;

    #[inline]
    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

impl std::ops::BitXorAssign for EdgeId {
    #[inline]
    fn bitxor_assign(&mut self, other: Self) {
        self.0 ^= other.0;
    }
}

impl fmt::Debug for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edge {:016x}", self.0)
    }
}

/// The bucket that a key hashes to. Groups belong to tasks in contiguous ranges and move whole, with their keyed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroup(u16);

impl KeyGroup {
    /// What a row carries that came over no keyed edge.
    pub const NONE: Self = Self(u16::MAX);

    /// The group with this number.
    #[inline]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The number as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether the row came over a keyed edge.
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0 != u16::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_id_gives_back_its_three_parts() {
        let root = RootId::new(TaskId::new(65_535), Incarnation::new(4_095), Sequence::new((1 << 36) - 1));
        assert_eq!(root.task(), TaskId::new(65_535));
        assert_eq!(root.incarnation(), Incarnation::new(4_095));
        assert_eq!(root.sequence(), Sequence::new((1 << 36) - 1));
        assert_eq!(RootId::from_bits(root.to_bits()), root);
    }

    #[test]
    fn a_sequence_wraps_and_is_compared_modulo() {
        let last = Sequence::new((1 << 36) - 1);
        assert_eq!(last.plus(1), Sequence::new(0));
        assert_eq!(last.plus(5).since(last), 5);
        assert!(last.since(last.plus(1)) > 1 << 35);
    }

    #[test]
    fn an_incarnation_wraps_within_its_bits() {
        assert_eq!(Incarnation::new(4_095).next(), Incarnation::new(0));
    }

    #[test]
    fn no_task_means_an_untracked_row() {
        assert!(!RootId::NONE.is_some());
        assert!(RootId::new(TaskId::new(1), Incarnation::default(), Sequence::default()).is_some());
    }
}
