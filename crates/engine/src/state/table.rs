//! Tables, with their types and without.

use std::any::Any;

use squall_types::KeyGroup;

use super::codec::RawGroup;
use super::{GroupMap, StateError, StateKey, StateValue};

/// A table whose types only its handles know.
pub(super) trait Erased: Any + Send {
    fn name(&self) -> &str;
    fn entries(&self) -> usize;
    fn drop_group(&mut self, group: KeyGroup);
    /// One group's entries as bytes.
    fn encode(&self, group: KeyGroup) -> Result<RawGroup, StateError>;
    /// One group's entries from bytes: what `put_erased` of the same table takes.
    fn decode_erased(&self, raw: &RawGroup) -> Result<Box<dyn Any>, StateError>;
    fn put_erased(&mut self, group: KeyGroup, entries: Box<dyn Any>);
}

/// One table. Groups are dense from the lowest that was touched to the highest: a task owns a contiguous range of them.
pub(super) struct Table<K, V> {
    name: String,
    seed: u64,
    /// The component's number of groups.
    limit: u16,
    /// The number of the first of `groups`.
    base: usize,
    groups: Vec<GroupMap<K, V>>,
    /// For rows that came over no keyed edge.
    unkeyed: GroupMap<K, V>,
}

impl<K: StateKey, V: StateValue> Table<K, V> {
    pub(super) fn new(name: &str, limit: u16, seed: u64) -> Self {
        Self { name: name.to_owned(), seed, limit, base: 0, groups: Vec::new(), unkeyed: GroupMap::new(seed) }
    }

    #[inline]
    pub(super) fn group(&mut self, group: KeyGroup) -> &mut GroupMap<K, V> {
        // Below the base this wraps to an index past the end.
        let index = group.index().wrapping_sub(self.base);
        if index < self.groups.len() { &mut self.groups[index] } else { self.reach(group) }
    }

    /// Widens the dense range so that it covers `group`.
    #[cold]
    fn reach(&mut self, group: KeyGroup) -> &mut GroupMap<K, V> {
        if group.get() >= self.limit {
            return &mut self.unkeyed;
        }
        let seed = self.seed;
        if self.groups.is_empty() {
            self.base = group.index();
        }
        if group.index() < self.base {
            let missing = self.base - group.index();
            self.groups.splice(0..0, (0..missing).map(|_| GroupMap::new(seed)));
            self.base = group.index();
        }
        let index = group.index() - self.base;
        if index >= self.groups.len() {
            self.groups.resize_with(index + 1, || GroupMap::new(seed));
        }
        &mut self.groups[index]
    }

    fn existing(&self, group: KeyGroup) -> Option<&GroupMap<K, V>> {
        if group.get() < self.limit {
            self.groups.get(group.index().wrapping_sub(self.base))
        } else {
            Some(&self.unkeyed)
        }
    }

    pub(super) fn groups_mut(&mut self) -> impl Iterator<Item = (KeyGroup, &mut GroupMap<K, V>)> {
        let numbers = (self.base as u16..KeyGroup::NONE.get()).map(KeyGroup::new);
        let unkeyed = std::iter::once((KeyGroup::NONE, &mut self.unkeyed));
        numbers.zip(&mut self.groups).chain(unkeyed).filter(|(_, map)| !map.is_empty())
    }

    pub(super) fn decode(&self, raw: &RawGroup) -> Result<GroupMap<K, V>, StateError> {
        let refuse = |source| StateError::Entry { table: self.name.clone(), source };
        let mut map = GroupMap::new(self.seed);
        for (key, value) in raw.iter() {
            let key = whole(key).map_err(refuse)?;
            let value = whole(value).map_err(refuse)?;
            if map.insert(key, value).is_some() {
                return Err(refuse(None));
            }
        }
        Ok(map)
    }

    pub(super) fn put(&mut self, group: KeyGroup, entries: GroupMap<K, V>) {
        *self.group(group) = entries;
    }
}

/// Decodes a value that takes up all of the bytes.
fn whole<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Option<postcard::Error>> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(None),
        Err(error) => Err(Some(error)),
    }
}

impl<K: StateKey, V: StateValue> Erased for Table<K, V> {
    fn name(&self) -> &str {
        &self.name
    }

    fn entries(&self) -> usize {
        self.groups.iter().map(GroupMap::len).sum::<usize>() + self.unkeyed.len()
    }

    fn drop_group(&mut self, group: KeyGroup) {
        if self.existing(group).is_some() {
            self.put(group, GroupMap::new(self.seed));
        }
    }

    fn encode(&self, group: KeyGroup) -> Result<RawGroup, StateError> {
        let fail = |source| StateError::Encode { table: self.name.clone(), source };
        let mut entries = Vec::new();
        for (key, value) in self.existing(group).into_iter().flat_map(GroupMap::iter) {
            entries.push((postcard::to_stdvec(key).map_err(fail)?, postcard::to_stdvec(value).map_err(fail)?));
        }
        Ok(RawGroup::new(entries))
    }

    fn decode_erased(&self, raw: &RawGroup) -> Result<Box<dyn Any>, StateError> {
        Ok(Box::new(self.decode(raw)?))
    }

    fn put_erased(&mut self, group: KeyGroup, entries: Box<dyn Any>) {
        let entries = entries.downcast().expect("entries are put into the table that decoded them");
        self.put(group, *entries);
    }
}
