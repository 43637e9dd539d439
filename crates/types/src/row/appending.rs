//! Appending a value where it will lie.

use crate::Value;

/// Appends the value that `make` makes. Room is made first, and the value in its place then.
///
/// With `Vec::push` a value exists while the buffer may grow, so it lies in memory and is written twice; with `Vec::extend` of one item
/// the compiler asks whether there is one, and doesn't inline: 16 of 750 instructions a word in the word count bench.
#[inline(always)]
#[allow(unsafe_code, reason = "a bench pays for it")]
pub(super) fn append_with(values: &mut Vec<Value>, make: impl FnOnce() -> Value) {
    if values.len() == values.capacity() {
        grow(values);
    }
    let value = make();
    let at = values.len();
    // SAFETY: nobody else has the buffer while it is borrowed here, `make` neither, so the room for one more that was there, or was made,
    // is still there; `at` is its first place, and is initialised before the length includes it.
    unsafe {
        values.as_mut_ptr().add(at).write(value);
        values.set_len(at + 1);
    }
}

#[cold]
#[inline(never)]
fn grow(values: &mut Vec<Value>) {
    values.reserve(1);
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::*;

    #[test]
    fn values_stand_in_order_however_often_the_buffer_grows() {
        let mut values = Vec::new();
        for number in 0..1_000 {
            append_with(&mut values, || Value::Int(number));
        }
        assert!(values.iter().map(Value::as_i64).eq((0..1_000).map(Some)));
    }

    #[test]
    fn a_panic_leaves_what_was_there_and_nothing_is_dropped_twice() {
        let bytes: Arc<[u8]> = Arc::from([1, 2, 3]);
        let mut values = Vec::new();
        append_with(&mut values, || Value::Bytes(bytes.clone()));
        let broken = || -> Value { panic!("on purpose") };
        assert!(catch_unwind(AssertUnwindSafe(|| append_with(&mut values, broken))).is_err());
        append_with(&mut values, || Value::Bytes(bytes.clone()));
        assert_eq!((values.len(), Arc::strong_count(&bytes)), (2, 3));
        drop(values);
        assert_eq!(Arc::strong_count(&bytes), 1);
    }
}
