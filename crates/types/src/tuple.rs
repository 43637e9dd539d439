//! A row as a component sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::row::{FromTuple, FromValue, RowError};
use crate::topology::Fields;
use crate::{ComponentId, KeyGroup, StreamId, TaskId, Value};

/// What is known of a stream's rows: where they come from and what their fields are called.
#[derive(Debug)]
pub struct Schema {
    component: ComponentId,
    stream: StreamId,
    fields: Fields,
    /// The address of the last field list that was found to be this one, so that typed rows are checked once.
    verified: AtomicUsize,
}

impl Schema {
    /// The schema of a stream.
    pub fn new(component: ComponentId, stream: StreamId, fields: Fields) -> Self {
        Self { component, stream, fields, verified: AtomicUsize::new(0) }
    }

    /// The component that emits the stream.
    pub fn component(&self) -> &ComponentId {
        &self.component
    }

    /// The stream.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// Its fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Whether `fields` are this stream's fields, in the same order. Free after the first time for one and the same list.
    #[inline]
    pub fn matches(&self, fields: &'static [&'static str]) -> bool {
        // The address alone doesn't tell a list from the list's beginning.
        let verified = self.verified.load(Relaxed) == fields.as_ptr() as usize && fields.len() == self.fields.len();
        verified || self.verify(fields)
    }

    #[cold]
    fn verify(&self, fields: &'static [&'static str]) -> bool {
        let same = self.fields.iter().eq(fields.iter().copied());
        if same {
            self.verified.store(fields.as_ptr() as usize, Relaxed);
        }
        same
    }
}

/// A row, borrowed from its batch. Clone what you keep.
#[derive(Clone, Copy, Debug)]
pub struct Tuple<'a> {
    values: &'a [Value],
    schema: &'a Arc<Schema>,
    source: TaskId,
    group: KeyGroup,
}

impl<'a> Tuple<'a> {
    /// A view of a row. `values` are as many as the schema has fields.
    #[inline]
    pub fn new(values: &'a [Value], schema: &'a Arc<Schema>, source: TaskId, group: KeyGroup) -> Self {
        Self { values, schema, source, group }
    }

    /// The values, in the order of the declared fields.
    #[inline]
    pub fn values(&self) -> &'a [Value] {
        self.values
    }

    /// The value at a position.
    #[inline]
    pub fn value(&self, index: usize) -> Option<&'a Value> {
        self.values.get(index)
    }

    /// The value at a position, as a Rust type.
    ///
    /// # Errors
    /// The position is past the last field, or the value has another type.
    #[inline]
    pub fn get<T: FromValue<'a>>(&self, index: usize) -> Result<T, RowError> {
        match self.values.get(index) {
            Some(value) => T::from_value(value).ok_or_else(|| self.mismatch::<T>(index)),
            None => Err(RowError::NoSuchPosition { index, width: self.values.len() }),
        }
    }

    /// The value of a named field, as a Rust type. Looks the name up; a typed row or a position doesn't.
    ///
    /// # Errors
    /// The stream has no such field, or the value has another type.
    pub fn field<T: FromValue<'a>>(&self, name: &str) -> Result<T, RowError> {
        match self.schema.fields.position(name) {
            Some(index) => self.get(index),
            None => Err(RowError::NoSuchField { field: name.to_owned(), fields: self.schema.fields.clone() }),
        }
    }

    /// The whole row as a struct that derives `Tuple`; fields are matched by name, whatever their order.
    ///
    /// # Errors
    /// The stream lacks one of the struct's fields, or a value has another type.
    #[inline]
    pub fn read<T: FromTuple<'a>>(&self) -> Result<T, RowError> {
        T::from_tuple(self)
    }

    #[cold]
    fn mismatch<T: FromValue<'a>>(&self, index: usize) -> RowError {
        RowError::WrongType {
            field: self.schema.fields.get(index).unwrap_or_default().to_owned(),
            expected: T::expected(),
            found: self.values[index].type_name(),
        }
    }

    /// The stream's schema.
    #[inline]
    pub fn schema(&self) -> &'a Arc<Schema> {
        self.schema
    }

    /// The component that emitted the row.
    pub fn component(&self) -> &'a ComponentId {
        &self.schema.component
    }

    /// The stream that the row came on.
    pub fn stream(&self) -> &'a StreamId {
        &self.schema.stream
    }

    /// The task that emitted the row.
    #[inline]
    pub fn source_task(&self) -> TaskId {
        self.source
    }

    /// The key group, where the row came over a keyed edge.
    #[inline]
    pub fn group(&self) -> KeyGroup {
        self.group
    }

    /// A copy that outlives the batch. Payloads are shared, not copied.
    pub fn to_owned(&self) -> OwnedTuple {
        OwnedTuple {
            values: self.values.into(),
            schema: Arc::clone(self.schema),
            source: self.source,
            group: self.group,
        }
    }
}

/// A row of its own.
#[derive(Clone, Debug)]
pub struct OwnedTuple {
    values: Box<[Value]>,
    schema: Arc<Schema>,
    source: TaskId,
    group: KeyGroup,
}

impl OwnedTuple {
    /// A row from its parts.
    pub fn new(values: Box<[Value]>, schema: Arc<Schema>, source: TaskId, group: KeyGroup) -> Self {
        Self { values, schema, source, group }
    }

    /// The row as a view, with everything a view can do.
    pub fn view(&self) -> Tuple<'_> {
        Tuple { values: &self.values, schema: &self.schema, source: self.source, group: self.group }
    }

    /// The values, in the order of the declared fields.
    pub fn into_values(self) -> Box<[Value]> {
        self.values
    }
}
