use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
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
pub struct GroupMap<K, V> {
    entries: HashTable<(K, V)>,
    hasher: FixedState,
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for GroupMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|(key, value)| (key, value))).finish()
    }
}

impl<K: Eq + Hash, V> GroupMap<K, V> {
    pub(super) fn new(seed: u64) -> Self {
        Self { entries: HashTable::new(), hasher: FixedState::with_seed(seed) }
    }

    /// A key's value.
    #[inline]
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        self.entries.find(hash, |(own, _)| own.borrow() == key).map(|(_, value)| value)
    }

    /// A key's value, to change.
    #[inline]
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        self.entries.find_mut(hash, |(own, _)| own.borrow() == key).map(|(_, value)| value)
    }

    /// A key's value, made first if there is none. An owned key is made only then.
    #[inline]
    pub fn get_or_insert_with<Q: Key<K> + ?Sized>(&mut self, key: &Q, value: impl FnOnce() -> V) -> &mut V
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        match self.entries.find_entry(hash, |(own, _)| own.borrow() == key) {
            Ok(entry) => &mut entry.into_mut().1,
            Err(absent) => {
                let hasher = &self.hasher;
                let entry = (key.to_key(), value());
                let table = absent.into_table();
                &mut table.insert_unique(hash, entry, |(own, _)| hasher.hash_one(own)).into_mut().1
            }
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
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.hasher.hash_one(&key);
        match self.entries.find_entry(hash, |(own, _)| *own == key) {
            Ok(entry) => Some(std::mem::replace(&mut entry.into_mut().1, value)),
            Err(absent) => {
                let hasher = &self.hasher;
                absent.into_table().insert_unique(hash, (key, value), |(own, _)| hasher.hash_one(own));
                None
            }
        }
    }

    /// Takes a key out, and gives its value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let entry = self.entries.find_entry(hash, |(own, _)| own.borrow() == key).ok()?;
        Some(entry.remove().0.1)
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
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The entries, values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Keeps the entries that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }
}
