//! Moving values from one buffer to others.

use squall_types::Value;

/// The values of a buffer, on their way out from front to back. What isn't taken is dropped with this.
///
/// Safe code moves a [`Value`] through `Option<Value>` or `mem::take`, and the compiler then copies it in pieces that overlap, which
/// stalls on each value: 7.7 of 54 ns a word in the word count bench, 51 % of the time spent routing. Here a row is one plain copy.
pub struct Moving<'a> {
    /// Its length is 0 while values are on their way: they belong to this.
    from: &'a mut Vec<Value>,
    /// Values `at..end` of the buffer are still there.
    at: usize,
    end: usize,
}

impl<'a> Moving<'a> {
    /// Takes all values of a buffer, which is empty afterwards.
    #[allow(unsafe_code, reason = "see the type: a bench pays for it")]
    pub fn new(from: &'a mut Vec<Value>) -> Self {
        let end = from.len();
        // SAFETY: 0 is within the capacity, and nothing needs to be initialised for it. If this is leaked, the values are.
        unsafe { from.set_len(0) };
        Self { from, at: 0, end }
    }

    /// The next `count` values, or those that are left if there are fewer.
    #[inline]
    #[allow(unsafe_code, reason = "see the type: a bench pays for it")]
    pub fn peek(&self, count: usize) -> &[Value] {
        let count = count.min(self.end - self.at);
        // SAFETY: values `at..end` are initialised and belong to this, which is borrowed as long as the slice.
        unsafe { std::slice::from_raw_parts(self.from.as_ptr().add(self.at), count) }
    }

    /// Moves the next `count` values, or those that are left, to the end of `to`.
    #[inline]
    #[allow(unsafe_code, reason = "see the type: a bench pays for it")]
    pub fn move_to(&mut self, to: &mut Vec<Value>, count: usize) {
        let count = count.min(self.end - self.at);
        to.reserve(count);
        // SAFETY: values `at..at + count` are initialised and belong to this; `to` has room for them behind its own, and is another
        // buffer, as both are borrowed mutably. They belong to `to` from here on: `at` moves past them before anything can unwind.
        unsafe {
            let source = self.from.as_ptr().add(self.at);
            std::ptr::copy_nonoverlapping(source, to.as_mut_ptr().add(to.len()), count);
            to.set_len(to.len() + count);
        }
        self.at += count;
    }

    /// Moves the next value, if there is one, to the end of `to`: of a length that the compiler knows, so without a call.
    #[inline]
    #[allow(unsafe_code, reason = "see the type: a bench pays for it")]
    pub fn move_one_to(&mut self, to: &mut Vec<Value>) {
        if self.at == self.end {
            return;
        }
        to.reserve(1);
        // SAFETY: as in `move_to`, for one value: `at` is below `end`.
        unsafe {
            let source = self.from.as_ptr().add(self.at);
            std::ptr::copy_nonoverlapping(source, to.as_mut_ptr().add(to.len()), 1);
            to.set_len(to.len() + 1);
        }
        self.at += 1;
    }
}

impl Drop for Moving<'_> {
    #[allow(unsafe_code, reason = "see the type: a bench pays for it")]
    fn drop(&mut self) {
        let left = self.end - self.at;
        // SAFETY: values `at..end` are initialised and belong to this alone; nobody sees them after this.
        unsafe { std::ptr::slice_from_raw_parts_mut(self.from.as_mut_ptr().add(self.at), left).drop_in_place() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn counted(count: usize) -> (Arc<[u8]>, Vec<Value>) {
        let bytes: Arc<[u8]> = Arc::from([1, 2, 3]);
        let values = (0..count).map(|_| Value::Bytes(bytes.clone())).collect();
        (bytes, values)
    }

    #[test]
    fn every_value_is_moved_once_or_dropped_once() {
        let (bytes, mut values) = counted(10);
        let mut to = Vec::new();
        let mut moving = Moving::new(&mut values);
        moving.move_to(&mut to, 2);
        moving.move_one_to(&mut to);
        assert_eq!(moving.peek(100).len(), 7);
        moving.move_to(&mut to, 2);
        drop(moving);
        assert_eq!((values.len(), to.len()), (0, 5));
        assert_eq!(Arc::strong_count(&bytes), 6, "ours and the five moved");
        drop(to);
        assert_eq!(Arc::strong_count(&bytes), 1);
    }

    #[test]
    fn asking_for_more_than_there_is_takes_what_there_is() {
        let (bytes, mut values) = counted(2);
        let mut to = vec![Value::Int(1)];
        let mut moving = Moving::new(&mut values);
        moving.move_to(&mut to, 9);
        moving.move_one_to(&mut to);
        drop(moving);
        assert_eq!(to, [Value::Int(1), Value::Bytes(bytes.clone()), Value::Bytes(bytes)]);
    }

    #[test]
    fn the_buffer_can_be_used_again() {
        let mut values = vec![Value::Int(1), Value::Int(2)];
        let capacity = values.capacity();
        drop(Moving::new(&mut values));
        values.push(Value::Int(3));
        assert_eq!((values.as_slice(), values.capacity()), (&[Value::Int(3)][..], capacity));
    }
}
