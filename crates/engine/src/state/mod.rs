//! Keyed state that the runtime owns: tables of entries, filed under key groups, so that state moves with its groups.
//!
//! A component registers its tables by name. Within one group a table is a hash map whose order depends on the given seed and on what was
//! done to it, never on the machine. A group of all tables together is written as bytes and read back; equal content gives equal bytes.
//!
//! Rows that came over no keyed edge carry [`KeyGroup::NONE`]; they have a place of their own, which behaves like a group.

mod codec;
mod error;
mod group_map;
mod table;

use std::any::Any;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use squall_types::KeyGroup;

use codec::{RawGroup, Snapshot};
pub use error::StateError;
pub use group_map::{GroupMap, Key, StateKey, StateValue};
use table::{Erased, Table};

/// A registered table: what [`StateStore::group`] finds it by. Good only for the store that gave it out.
pub struct StateHandle<K, V> {
    table: usize,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for StateHandle<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for StateHandle<K, V> {}

/// One task's keyed state.
pub struct StateStore {
    groups: u16,
    seed: u64,
    tables: Vec<Box<dyn Erased>>,
    /// Restored tables that nobody has registered yet: by name, then by group.
    unclaimed: BTreeMap<String, BTreeMap<KeyGroup, RawGroup>>,
}

impl StateStore {
    /// An empty store for a component with so many key groups. `seed` goes into the hash of every table.
    pub fn new(groups: u16, seed: u64) -> Self {
        Self { groups, seed, tables: Vec::new(), unclaimed: BTreeMap::new() }
    }

    /// The table of this name, new or as it was: a restarted task finds its state, and so does one whose state was restored first.
    ///
    /// # Errors
    /// [`StateError::TypesDiffer`] if the name is registered with other types, [`StateError::Entry`] if restored entries are not of
    /// these types. Nothing has changed then.
    pub fn register<K: StateKey, V: StateValue>(&mut self, name: &str) -> Result<StateHandle<K, V>, StateError> {
        if let Some(table) = self.tables.iter().position(|table| table.name() == name) {
            let any: &dyn Any = &*self.tables[table];
            return match any.downcast_ref::<Table<K, V>>() {
                Some(_) => Ok(StateHandle { table, types: PhantomData }),
                None => Err(StateError::TypesDiffer { table: name.to_owned() }),
            };
        }
        let mut table = Table::<K, V>::new(name, self.groups, self.seed);
        for (&group, raw) in self.unclaimed.get(name).into_iter().flatten() {
            table.put(group, table.decode(raw)?);
        }
        self.unclaimed.remove(name);
        self.tables.push(Box::new(table));
        Ok(StateHandle { table: self.tables.len() - 1, types: PhantomData })
    }

    /// A table's entries in one group; empty if there were none. A group that the component doesn't have counts as [`KeyGroup::NONE`].
    #[inline]
    pub fn group<K: StateKey, V: StateValue>(
        &mut self,
        handle: &StateHandle<K, V>,
        group: KeyGroup,
    ) -> &mut GroupMap<K, V> {
        self.table(handle).group(group)
    }

    /// A table's groups that hold entries, in the order of their numbers.
    pub fn groups_mut<K: StateKey, V: StateValue>(
        &mut self,
        handle: &StateHandle<K, V>,
    ) -> impl Iterator<Item = (KeyGroup, &mut GroupMap<K, V>)> {
        self.table(handle).groups_mut()
    }

    /// Calls `f` with every entry of a table, group by group.
    pub fn for_each<K: StateKey, V: StateValue>(
        &mut self,
        handle: &StateHandle<K, V>,
        mut f: impl FnMut(KeyGroup, &K, &mut V),
    ) {
        for (group, map) in self.groups_mut(handle) {
            map.iter_mut().for_each(|(key, value)| f(group, key, value));
        }
    }

    /// Whether no table holds an entry, restored ones that nobody has registered included.
    pub fn is_empty(&self) -> bool {
        self.entries() == 0
    }

    /// Entries in all tables, restored ones that nobody has registered included. Looks at every group.
    pub fn entries(&self) -> usize {
        let unclaimed = self.unclaimed.values().flat_map(BTreeMap::values).map(RawGroup::entries);
        self.tables.iter().map(|table| table.entries()).chain(unclaimed).sum()
    }

    /// The content of one group in all tables, as bytes: equal content, equal bytes, whatever was registered in which order.
    ///
    /// # Errors
    /// [`StateError::NoSuchGroup`], or [`StateError::Encode`] if a key or a value can't be serialized.
    pub fn snapshot(&self, group: KeyGroup) -> Result<Vec<u8>, StateError> {
        self.check(group)?;
        let mut snapshot = Snapshot::new(group);
        for table in &self.tables {
            snapshot.add(table.name(), table.encode(group)?);
        }
        for (name, groups) in &self.unclaimed {
            if let Some(raw) = groups.get(&group) {
                snapshot.add(name, raw.clone());
            }
        }
        Ok(snapshot.to_bytes())
    }

    /// Replaces the content of one group in all tables by a snapshot's. Tables that nobody has registered yet are kept as they are, and
    /// go into later snapshots.
    ///
    /// # Errors
    /// The bytes are no snapshot, are from a newer version, damaged, of another group, or of other types. Nothing has changed then.
    pub fn restore(&mut self, group: KeyGroup, bytes: &[u8]) -> Result<(), StateError> {
        self.check(group)?;
        let mut snapshot = Snapshot::from_bytes(group, bytes)?;
        let mut decoded = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            decoded.push(snapshot.take(table.name()).map(|raw| table.decode_erased(&raw)).transpose()?);
        }
        // Nothing fails from here on.
        self.drop_group(group);
        for (table, entries) in self.tables.iter_mut().zip(decoded) {
            if let Some(entries) = entries {
                table.put_erased(group, entries);
            }
        }
        for (name, raw) in snapshot.into_tables() {
            self.unclaimed.entry(name).or_default().insert(group, raw);
        }
        Ok(())
    }

    /// Forgets the content of one group in all tables, as when the group has moved to another task.
    pub fn drop_group(&mut self, group: KeyGroup) {
        self.tables.iter_mut().for_each(|table| table.drop_group(group));
        self.unclaimed.retain(|_, groups| {
            groups.remove(&group);
            !groups.is_empty()
        });
    }

    fn check(&self, group: KeyGroup) -> Result<(), StateError> {
        if group.get() < self.groups || !group.is_some() {
            Ok(())
        } else {
            Err(StateError::NoSuchGroup { group: group.get(), groups: self.groups })
        }
    }

    #[inline]
    fn table<K: StateKey, V: StateValue>(&mut self, handle: &StateHandle<K, V>) -> &mut Table<K, V> {
        let any: &mut dyn Any = &mut *self.tables[handle.table];
        any.downcast_mut().expect("a handle is used with the store that gave it out")
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
