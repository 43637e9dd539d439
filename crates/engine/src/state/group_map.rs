use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a state's keys can be. Implemented for every type that fits.
pub trait StateKey: Eq + Hash + Clone + Serialize + DeserializeOwned + Send + 'static {}
impl<K: Eq + Hash + Clone + Serialize + DeserializeOwned + Send + 'static> StateKey for K {}

/// What a state's values can be. Implemented for every type that fits.
pub trait StateValue: Serialize + DeserializeOwned + Send + 'static {}
impl<V: Serialize + DeserializeOwned + Send + 'static> StateValue for V {}

/// A borrowed form of the key `K`, that an owned one can be made from: `str` of `String`, `i64` of `i64`. Implemented for every type
/// that fits.
pub trait Key<K>: Eq + Hash {
    /// An equal key, owned.
    fn to_key(&self) -> K;
}

impl<K: Borrow<Q> + From<Q::Owned>, Q: ToOwned + Eq + Hash + ?Sized> Key<K> for Q {
    fn to_key(&self) -> K {
        self.to_owned().into()
    }
}

/// One table's entries in one key group. Their order depends on the store's seed and on what was done to the map, nothing else.
#[derive(Debug)]
pub struct GroupMap<K, V> {
    entries: HashMap<K, V, FixedState>,
}

impl<K: Eq + Hash, V> GroupMap<K, V> {
    pub(super) fn new(seed: u64) -> Self {
        Self { entries: HashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// A key's value.
    #[inline]
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    /// A key's value, to change.
    #[inline]
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key)
    }

    /// A key's value, made first if there is none. An owned key is made only then.
    #[inline]
    pub fn get_or_insert_with<Q: Key<K> + ?Sized>(&mut self, key: &Q, value: impl FnOnce() -> V) -> &mut V
    where
        K: Borrow<Q>,
    {
        match self.entries.entry_ref(key) {
            EntryRef::Occupied(entry) => entry.into_mut(),
            EntryRef::Vacant(entry) => entry.insert_with_key(key.to_key(), value()),
        }
    }

    /// A key's value, the type's default if there is none yet.
    #[inline]
    pub fn get_or_default<Q: Key<K> + ?Sized>(&mut self, key: &Q) -> &mut V
    where
        K: Borrow<Q>,
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    /// Sets a key's value, and gives the one before.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.entries.insert(key, value)
    }

    /// Takes a key out, and gives its value.
    #[inline]
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key)
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// The entries, values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut()
    }

    /// Keeps the entries that `keep` says yes to.
    pub fn retain(&mut self, keep: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain(keep);
    }
}
