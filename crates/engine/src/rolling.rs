//! Counts over a sliding window of event time, and the largest of many: state for windows that hold no tuples.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_types::{Code, Timestamp};

/// Slots in a window, at most.
const MAX_SLOTS: u64 = 4_096;

/// A window that can't be cut into slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The slide is under a microsecond.
    #[error("a window's slide must be at least 1 µs")]
    NoSlide,
    /// The length is no multiple of the slide.
    #[error("a window of {length:?} is not a whole number of slides of {slide:?}")]
    NotWhole {
        /// The length asked for.
        length: Duration,
        /// The slide asked for.
        slide: Duration,
    },
    /// Too fine a slide for so long a window.
    #[error("a window of {slots} slides is too fine; 4,096 are the most")]
    TooManySlots {
        /// Slides in the length asked for.
        slots: u64,
    },
}

impl WindowError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        Code::new(2311)
    }
}

/// A sliding window: how long it is, and by how much it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSpec {
    slide_us: i64,
    slots: i64,
}

impl WindowSpec {
    /// A window of `length` that moves by `slide`; equal ones make a tumbling window.
    ///
    /// # Errors
    /// `slide` is no whole number of microseconds above 0, does not divide `length`, or does so more than 4,096 times.
    pub fn new(length: Duration, slide: Duration) -> Result<Self, WindowError> {
        let slide_us = i64::try_from(slide.as_micros()).unwrap_or(i64::MAX);
        if slide_us == 0 {
            return Err(WindowError::NoSlide);
        }
        let whole = length.as_nanos().is_multiple_of(slide.as_nanos()) && slide.subsec_nanos().is_multiple_of(1_000);
        let slots = u64::try_from(length.as_nanos() / slide.as_nanos()).unwrap_or(u64::MAX);
        match slots {
            _ if !whole || slots == 0 => Err(WindowError::NotWhole { length, slide }),
            1..=MAX_SLOTS => Ok(Self { slide_us, slots: slots as i64 }),
            _ => Err(WindowError::TooManySlots { slots }),
        }
    }

    /// The slot of an instant. Slot k holds the instants after (k − 1) · slide, up to and with k · slide.
    fn slot(&self, at: Timestamp) -> i64 {
        let (slot, rest) = (at.micros().div_euclid(self.slide_us), at.micros().rem_euclid(self.slide_us));
        // At a slide of 1 µs every instant is its own slot, so this can't overflow.
        slot + i64::from(rest > 0)
    }

    /// The end of the first window that covers an instant: the multiple of the slide that it is, or the next one.
    pub fn end_of(&self, at: Timestamp) -> Timestamp {
        self.end(self.slot(at))
    }

    fn end(&self, slot: i64) -> Timestamp {
        Timestamp::from_micros(slot.saturating_mul(self.slide_us))
    }

    /// How much the window moves by.
    pub fn slide(&self) -> Duration {
        Duration::from_micros(self.slide_us.unsigned_abs())
    }

    /// The last slot that lies before the window ending with `slot`.
    fn before(&self, slot: i64) -> i64 {
        slot.saturating_sub(self.slots)
    }
}

/// A count over a sliding window, in slots of one slide. Small: only slots that hold something take room.
///
/// A window that ends at `now` covers `(now - length, now]`: exactly where `now` is a multiple of the slide, else up to the end of `now`'s
/// slot. Rows ahead of `now`, by however much, wait in their slots and push nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rolling {
    /// Slot and count, ascending by slot, counts above 0.
    slots: VecDeque<(i64, u64)>,
    /// The last slot that has passed out of the window for good.
    passed: Option<i64>,
    /// Whether somebody says how far time has come. Then nothing is let go of before it has passed.
    advanced: bool,
}

impl Rolling {
    /// Counts `n` at an instant. Says whether they count: not if the window has passed that instant.
    ///
    /// What has passed is known from [`advance_to`](Self::advance_to); until that has come, every row is kept, however far ahead others are.
    /// Of a key that was never advanced, the newest slots are kept, two windows of them.
    pub fn add(&mut self, at: Timestamp, n: u64, spec: &WindowSpec) -> bool {
        let slot = spec.slot(at);
        if Some(slot) <= self.passed {
            return false;
        }
        if n > 0 {
            self.count(slot, n);
        }
        while !self.advanced && self.slots.len() as i64 > 2 * spec.slots {
            self.passed = self.slots.pop_front().map(|(slot, _)| slot);
        }
        Some(slot) > self.passed
    }

    fn count(&mut self, slot: i64, n: u64) {
        // From the back: rows come nearly in order.
        let place = self.slots.iter().rposition(|&(other, _)| other <= slot);
        match place {
            Some(place) if self.slots[place].0 == slot => {
                self.slots[place].1 = self.slots[place].1.saturating_add(n);
            }
            Some(place) => self.slots.insert(place + 1, (slot, n)),
            None => self.slots.push_front((slot, n)),
        }
    }

    /// Lets go of what no window that ends at `now` or later covers. Going back changes nothing.
    pub fn advance_to(&mut self, now: Timestamp, spec: &WindowSpec) {
        self.advanced = true;
        self.passed = self.passed.max(Some(spec.before(spec.slot(now))));
        while self.slots.front().is_some_and(|&(slot, _)| Some(slot) <= self.passed) {
            self.slots.pop_front();
        }
    }

    /// The count in the window that ends at `now`.
    pub fn total(&self, now: Timestamp, spec: &WindowSpec) -> u64 {
        let last = spec.slot(now);
        let inside = spec.before(last)..last;
        let slots = self.slots.iter().rev().skip_while(|(slot, _)| *slot > last);
        slots.take_while(|(slot, _)| *slot > inside.start).fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// The end of the first window that counts something and ends at `from` or later; `None` if there is none. Where rows are far
    /// apart, it leads over the empty windows between them.
    pub fn next_end(&self, from: Timestamp, spec: &WindowSpec) -> Option<Timestamp> {
        let first = spec.slot(from);
        let before = spec.before(first);
        let counted = self.slots.iter().find(|(slot, _)| *slot > before);
        counted.map(|&(slot, _)| spec.end(slot.max(first)))
    }

    /// Whether no window that ends at `now` or later counts anything, so that the key can be dropped.
    pub fn is_empty_at(&self, now: Timestamp, spec: &WindowSpec) -> bool {
        let before = spec.before(spec.slot(now));
        self.slots.back().is_none_or(|&(slot, _)| slot <= before)
    }
}

/// The `k` keys with the largest counts: by count, descending, then by key, ascending. The order of offers makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopK<K> {
    k: usize,
    /// Best first.
    ranked: Vec<(K, u64)>,
}

impl<K: Ord + Clone> TopK<K> {
    /// The best `k` of nothing yet.
    pub fn new(k: usize) -> Self {
        Self { k, ranked: Vec::new() }
    }

    /// Offers a key with its count; of several offers of one key the highest counts. The key is cloned only if it gets in.
    pub fn offer(&mut self, key: &K, count: u64) {
        let worst = self.ranked.last().filter(|_| self.ranked.len() >= self.k);
        if self.k == 0 || worst.is_some_and(|(other, least)| !better((key, count), (other, *least))) {
            return;
        }
        if let Some(place) = self.ranked.iter().position(|(other, _)| other == key) {
            if self.ranked[place].1 >= count {
                return;
            }
            self.ranked.remove(place);
        }
        let place = self.ranked.partition_point(|(other, most)| better((other, *most), (key, count)));
        self.ranked.insert(place, (key.clone(), count));
        self.ranked.truncate(self.k);
    }

    /// The keys and their counts, best first.
    pub fn ranked(&self) -> &[(K, u64)] {
        &self.ranked
    }
}

fn better<K: Ord>(one: (&K, u64), other: (&K, u64)) -> bool {
    one.1 > other.1 || one.1 == other.1 && one.0 < other.0
}

#[cfg(test)]
mod tests;
