//! Strings.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use compact_str::CompactString;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// A string: up to 24 bytes inline, longer ones shared, so that cloning never copies a payload.
#[derive(Clone)]
pub struct Str(Repr);

/// Text that fits is always inline.
#[derive(Clone)]
enum Repr {
    Inline(CompactString),
    Shared(Arc<str>),
    /// A `String` taken over as it was: its text isn't copied, at the price of one more pointer to follow.
    Taken(Arc<String>),
}

/// The longest text that is held inline, in bytes.
const INLINE: usize = size_of::<CompactString>();

impl Str {
    /// The string.
    #[inline]
    pub fn new(text: &str) -> Self {
        if text.len() <= INLINE {
            Self(Repr::Inline(CompactString::new(text)))
        } else {
            Self(Repr::Shared(shared(text)))
        }
    }

    /// Its text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline(text) => text,
            Repr::Shared(text) => text,
            Repr::Taken(text) => text,
        }
    }

    /// Bytes that [`Str::new`] holds outside the string itself for this text.
    #[inline]
    pub(crate) fn bytes_outside(text: &str) -> usize {
        if text.len() <= INLINE { 0 } else { text.len() }
    }

    /// Bytes held outside the string itself.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline(_) => 0,
            Repr::Shared(text) => text.len(),
            Repr::Taken(text) => size_of::<String>() + text.capacity(),
        }
    }
}

/// Kept apart, so that allocating isn't inlined with the short case. Returns an `Arc`, not a `Str`: that would pass through memory,
/// and so would then the short case, where whole strings are built in registers.
#[inline(never)]
fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}

impl Default for Str {
    fn default() -> Self {
        Self(Repr::Inline(CompactString::const_new("")))
    }
}

impl Deref for Str {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Str {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Equality, order and hash are those of the text, so that maps keyed by `Str` can be asked with a `&str`.
impl Borrow<str> for Str {
    #[inline]
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Str {
    #[inline]
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Str {
    #[inline]
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

/// Long text is taken over with its allocation, not copied.
impl From<String> for Str {
    #[inline]
    fn from(text: String) -> Self {
        if text.len() <= INLINE { Self::new(&text) } else { Self(Repr::Taken(Arc::new(text))) }
    }
}

/// Long text stays shared with the other owners.
impl From<Arc<str>> for Str {
    #[inline]
    fn from(text: Arc<str>) -> Self {
        if text.len() <= INLINE { Self::new(&text) } else { Self(Repr::Shared(text)) }
    }
}

impl From<Cow<'_, str>> for Str {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::new(text),
            Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<Str> for String {
    fn from(text: Str) -> Self {
        match text.0 {
            Repr::Taken(text) => Arc::unwrap_or_clone(text),
            Repr::Inline(text) => text.into_string(),
            Repr::Shared(text) => Self::from(&*text),
        }
    }
}

impl PartialEq for Str {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Str {}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Str {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Serialize for Str {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Str {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Str, E> {
        Ok(Str::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Str, E> {
        Ok(Str::from(text))
    }
}
