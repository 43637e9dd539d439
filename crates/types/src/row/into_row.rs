//! What can be emitted as a row, beside structs that derive `Tuple`.

use super::{IntoRow, RowWriter, ToValue};
use crate::{OwnedTuple, Tuple, Value};

/// Rust tuples of values.
macro_rules! tuples {
    ($(($($name:ident)*))+) => {$(
        impl<$($name: ToValue),*> IntoRow for ($($name,)*) {
            fn fields() -> Option<&'static [&'static str]> {
                None
            }
            #[inline]
            #[expect(non_snake_case, reason = "a variable is named as its type")]
            fn write(self, row: &mut RowWriter<'_>) {
                let ($($name,)*) = self;
                $(row.put($name);)*
            }
        }
    )+};
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}

/// A row without fields.
impl IntoRow for () {
    fn fields() -> Option<&'static [&'static str]> {
        None
    }
    #[inline]
    fn write(self, _: &mut RowWriter<'_>) {}
}

/// Whatever yields values.
macro_rules! values {
    ($($({ const $n:ident: usize })? $type:ty: |$own:ident| $values:expr;)+) => {$(
        impl $(<const $n: usize>)? IntoRow for $type {
            fn fields() -> Option<&'static [&'static str]> {
                None
            }
            #[inline]
            fn write(self, row: &mut RowWriter<'_>) {
                let $own = self;
                row.extend($values);
            }
        }
    )+};
}

values! {
    { const N: usize } [Value; N]: |values| values;
    Vec<Value>: |values| values;
    &[Value]: |values| values.iter().cloned();
    Tuple<'_>: |tuple| tuple.values().iter().cloned();
    &Tuple<'_>: |tuple| tuple.values().iter().cloned();
    OwnedTuple: |tuple| tuple.into_values();
    &OwnedTuple: |tuple| tuple.view().values().iter().cloned();
}
