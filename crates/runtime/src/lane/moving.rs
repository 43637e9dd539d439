//! Moving values from one buffer to others, and forgetting them.

use squall_types::{Anchor, Route, Value};

use super::target::Target;

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
}

impl Drop for Moving<'_> {
    #[allow(unsafe_code, reason = "see the type: a bench pays for it")]
    fn drop(&mut self) {
        let left = self.end - self.at;
        // SAFETY: values `at..end` are initialised and belong to this alone; nobody sees them after this.
        unsafe { std::ptr::slice_from_raw_parts_mut(self.from.as_mut_ptr().add(self.at), left).drop_in_place() };
    }
}

/// Empties a buffer of values that together hold `heap_bytes` outside themselves. If that is none, there is nothing to drop, and they are
/// not looked at one by one: 23 of 772 instructions a word in the word count bench.
#[allow(unsafe_code, reason = "a bench pays for it")]
pub fn empty(values: &mut Vec<Value>, heap_bytes: usize) {
    if heap_bytes > 0 {
        values.clear();
    } else {
        // SAFETY: 0 is within the capacity, and nothing needs to be initialised for it. A value that isn't dropped is leaked, no more;
        // and those that hold nothing outside themselves have nothing to leak.
        unsafe { values.set_len(0) };
    }
}

/// Makes room for so many more. Buffers of a power of two, as they grow by pushing: those of any size that a run happens to need are
/// harder to use again for the allocator (20 of 180 MB with 1,000 executors in a line).
fn make_room<T>(column: &mut Vec<T>, more: usize) {
    let (held, wanted) = (column.len(), column.len() + more);
    if wanted > column.capacity() {
        column.reserve_exact(wanted.next_power_of_two() - held);
    }
}

/// Where a row goes: to one of several targets, and on which route from there.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    pub target: u16,
    pub route: Route,
}

/// Moves rows to the targets that were chosen for them, with their routes, and with their anchors if there are any. All of `values` are
/// gone afterwards; they are `width` a row, and one if it is `SINGLE`.
///
/// Rows are counted first, so that each batch makes room once: a look for room at each of three columns is a third of what moving a
/// row costs (65 or 40 instructions a word in the word count bench).
///
/// # Panics
/// A chosen target doesn't exist, or there aren't as many values or anchors as rows.
#[allow(unsafe_code, reason = "a bench pays for it")]
pub fn deal<const SINGLE: bool, const TRACKED: bool>(
    values: &mut Vec<Value>,
    width: usize,
    anchors: &[Anchor],
    chosen: &[Chosen],
    targets: &mut [Target],
) {
    let width = if SINGLE { 1 } else { width };
    assert_eq!(values.len(), width * chosen.len(), "each row has its values");
    assert!(!TRACKED || anchors.len() == chosen.len(), "each row has its anchor");
    targets.iter_mut().for_each(|target| target.dealt = 0);
    chosen.iter().for_each(|to| targets[usize::from(to.target)].dealt += 1);
    for Target { batch, dealt, .. } in &mut *targets {
        let rows = *dealt as usize;
        make_room(&mut batch.values, rows * width);
        make_room(&mut batch.routes, rows);
        if TRACKED {
            make_room(&mut batch.anchors, rows);
        }
        batch.rows += *dealt;
    }
    // SAFETY: 0 is within the capacity, and nothing needs to be initialised for it. All values belong to the loop below.
    unsafe { values.set_len(0) };
    for (row, to) in chosen.iter().enumerate() {
        // SAFETY: `chosen` is as it was when its rows were counted, so the target exists, and each of its columns has room for as many
        // rows as come here. Row `row` has `width` initialised values, which nobody else sees from here on, and which lie in another
        // buffer than the batch's, as both are borrowed mutably. Nothing in the loop unwinds.
        unsafe {
            let batch = &mut targets.get_unchecked_mut(usize::from(to.target)).batch;
            let at = batch.values.len();
            let from = values.as_ptr().add(row * width);
            std::ptr::copy_nonoverlapping(from, batch.values.as_mut_ptr().add(at), width);
            batch.values.set_len(at + width);
            let at = batch.routes.len();
            batch.routes.as_mut_ptr().add(at).write(to.route);
            batch.routes.set_len(at + 1);
            if TRACKED {
                let at = batch.anchors.len();
                batch.anchors.as_mut_ptr().add(at).write(*anchors.get_unchecked(row));
                batch.anchors.set_len(at + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use squall_types::{EdgeId, KeyGroup, RootId};

    use super::*;
    use crate::inbox::{Bound, Inbox};

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
        moving.move_to(&mut to, 3);
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
        moving.move_to(&mut to, 1);
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

    fn targets(count: usize) -> Vec<Target> {
        (0..count).map(|_| Target::new(Arc::new(Inbox::new(Bound::DEFAULT)), 0, 0, 0, None)).collect()
    }

    /// Rows of `width` values, which tell their row, with anchors that do too.
    fn rows(count: usize, width: usize) -> (Vec<Value>, Vec<Anchor>) {
        let values = (0..count * width).map(|at| Value::Bytes(Arc::from(at.to_le_bytes()))).collect();
        let anchor = |row| Anchor { root: RootId::from_bits(row), edge: EdgeId::ZERO };
        (values, (1..=count as u64).map(anchor).collect())
    }

    fn deal_any(
        width: usize,
        tracked: bool,
        values: &mut Vec<Value>,
        anchors: &[Anchor],
        to: &[Chosen],
        all: &mut [Target],
    ) {
        match (width, tracked) {
            (1, false) => deal::<true, false>(values, 1, &[], to, all),
            (1, true) => deal::<true, true>(values, 1, anchors, to, all),
            (_, false) => deal::<false, false>(values, width, &[], to, all),
            (_, true) => deal::<false, true>(values, width, anchors, to, all),
        }
    }

    proptest! {
        #[test]
        fn rows_are_dealt_as_pushing_them_one_by_one_would(
            chosen in proptest::collection::vec((0_u16..5, any::<u16>()), 0..60),
            (width, tracked, runs) in (0_usize..4, any::<bool>(), 1_usize..4),
        ) {
            let (mut dealt, mut pushed) = (targets(5), targets(5));
            let mut buffer = Vec::new();
            for _ in 0..runs {
                let (values, anchors) = rows(chosen.len(), width);
                let route = |task| Route { task, group: KeyGroup::new(task / 2), source: task / 3 };
                let to: Vec<_> = chosen.iter().map(|&(target, task)| Chosen { target, route: route(task) }).collect();
                for (row, to) in to.iter().enumerate() {
                    let target = &mut pushed[usize::from(to.target)];
                    target.push_values(&values[row * width..][..width]);
                    target.push(tracked.then(|| anchors[row]), Some(to.route));
                }
                buffer.extend(values);
                deal_any(width, tracked, &mut buffer, &anchors, &to, &mut dealt);
                prop_assert!(buffer.is_empty());
            }
            for (Target { batch: dealt, .. }, Target { batch: pushed, .. }) in dealt.iter().zip(&pushed) {
                prop_assert_eq!(dealt.rows, pushed.rows);
                prop_assert_eq!(&dealt.values, &pushed.values);
                prop_assert_eq!(&dealt.anchors, &pushed.anchors);
                prop_assert_eq!(&dealt.routes, &pushed.routes);
            }
        }
    }

    #[test]
    fn dealt_values_are_dropped_once_with_their_batch() {
        let (bytes, mut values) = counted(10);
        let mut all = targets(2);
        let chosen: Vec<_> = (0..10).map(|row| Chosen { target: row % 2, route: Route::FIRST }).collect();
        deal::<true, false>(&mut values, 1, &[], &chosen, &mut all);
        assert_eq!(Arc::strong_count(&bytes), 11);
        drop(all);
        assert_eq!(Arc::strong_count(&bytes), 1);
    }

    #[test]
    #[should_panic(expected = "each row has its values")]
    fn rows_without_values_are_refused() {
        deal::<true, false>(&mut vec![], 1, &[], &[Chosen { target: 0, route: Route::FIRST }], &mut targets(1));
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_target_that_does_not_exist_is_refused_before_anything_is_moved() {
        let chosen = [Chosen { target: 1, route: Route::FIRST }];
        deal::<true, false>(&mut vec![Value::Null], 1, &[], &chosen, &mut targets(1));
    }

    #[test]
    fn emptying_drops_what_is_owned() {
        let (bytes, mut values) = counted(3);
        empty(&mut values, 9);
        assert_eq!((values.len(), Arc::strong_count(&bytes)), (0, 1));
        let mut values = vec![Value::Int(1), Value::from("short")];
        empty(&mut values, 0);
        assert!(values.is_empty() && values.capacity() >= 2);
    }
}
