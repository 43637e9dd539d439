//! Marks between rows, over all that send to a task: watermarks, which say how far event time has come, and checkpoint barriers.

use std::collections::BTreeMap;

use squall_types::Timestamp;

/// The watermark of a receiver: the minimum over its senders.
///
/// There is none until every sender has spoken, and it never goes back. Senders over edges that close a cycle are not counted among the
/// senders: they would wait for themselves. A sender that has ended or is lost advances to [`Timestamp::MAX`], and holds nobody up.
#[derive(Clone, Debug)]
pub struct Watermarks {
    senders: Box<[Option<Timestamp>]>,
    current: Option<Timestamp>,
}

impl Watermarks {
    /// For so many senders, counted from 0.
    pub fn new(senders: usize) -> Self {
        Self { senders: vec![None; senders].into(), current: None }
    }

    /// A sender has come to `to`. Gives the receiver's new watermark, if that rose.
    ///
    /// What would take the sender back is ignored, and so is a sender that is not counted.
    pub fn advance(&mut self, sender: usize, to: Timestamp) -> Option<Timestamp> {
        let known = self.senders.get_mut(sender)?;
        let before = known.replace(to.max(known.unwrap_or(Timestamp::MIN)));
        // Only a sender that was no further than the watermark can have held it.
        if before > self.current {
            return None;
        }
        self.rise()
    }

    /// As [`advance`](Self::advance), for several senders at once.
    pub fn advance_all(&mut self, senders: impl IntoIterator<Item = usize>, to: Timestamp) -> Option<Timestamp> {
        let mut held = false;
        for sender in senders {
            let Some(known) = self.senders.get_mut(sender) else { continue };
            let before = known.replace(to.max(known.unwrap_or(Timestamp::MIN)));
            held |= before <= self.current;
        }
        if held { self.rise() } else { None }
    }

    /// A sender begins anew, in another place: until it speaks it holds the watermark where it is.
    pub fn restart(&mut self, sender: usize) {
        if let Some(known) = self.senders.get_mut(sender) {
            *known = None;
        }
    }

    /// The watermark, once every sender has spoken.
    #[inline]
    pub fn current(&self) -> Option<Timestamp> {
        self.current
    }

    fn rise(&mut self) -> Option<Timestamp> {
        // `None` sorts first, so one silent sender keeps the minimum at `None`.
        let minimum = self.senders.iter().copied().min().flatten();
        (minimum > self.current).then(|| self.current = minimum).and(minimum)
    }
}

/// Which barriers a receiver may pass on: those that have come from every sender.
///
/// Each sender's barriers ascend, and so do those passed on. Senders over edges that close a cycle are not counted: their barriers would
/// wait for themselves.
#[derive(Clone, Debug)]
pub struct Barriers {
    /// The highest barrier of each sender.
    senders: Box<[Option<u64>]>,
    /// Barriers that some senders, but not all, have sent: by how many.
    waiting: BTreeMap<u64, usize>,
}

impl Barriers {
    /// For so many senders, counted from 0.
    pub fn new(senders: usize) -> Self {
        Self { senders: vec![None; senders].into(), waiting: BTreeMap::new() }
    }

    /// A sender has sent a barrier. Says whether it has now come from all, and is to be passed on.
    ///
    /// One that doesn't ascend is ignored, and so is one of a sender that is not counted. Lower barriers that still wait when one is
    /// passed on are given up: somebody has left them out.
    pub fn arrive(&mut self, sender: usize, barrier: u64) -> bool {
        let Some(highest) = self.senders.get_mut(sender) else { return false };
        if *highest >= Some(barrier) {
            return false;
        }
        *highest = Some(barrier);
        let sent = self.waiting.entry(barrier).or_default();
        *sent += 1;
        if *sent < self.senders.len() {
            return false;
        }
        self.waiting = self.waiting.split_off(&barrier);
        self.waiting.remove(&barrier);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn there_is_no_watermark_until_every_sender_has_spoken() {
        let mut marks = Watermarks::new(3);
        assert_eq!(marks.advance(0, at(50)), None);
        assert_eq!(marks.advance(1, at(10)), None);
        assert_eq!(marks.advance(1, at(20)), None);
        assert_eq!(marks.current(), None);
        assert_eq!(marks.advance(2, at(30)), Some(at(20)));
        assert_eq!(marks.current(), Some(at(20)));
    }

    #[test]
    fn it_rises_only_with_the_sender_that_is_furthest_behind() {
        let mut marks = Watermarks::new(2);
        marks.advance(0, at(10));
        assert_eq!(marks.advance(1, at(20)), Some(at(10)));
        assert_eq!(marks.advance(1, at(30)), None);
        assert_eq!(marks.advance(0, at(25)), Some(at(25)));
        assert_eq!(marks.advance(0, at(99)), Some(at(30)));
    }

    #[test]
    fn two_senders_at_the_minimum_must_both_move() {
        let mut marks = Watermarks::new(2);
        marks.advance(0, at(10));
        marks.advance(1, at(10));
        assert_eq!(marks.advance(0, at(20)), None);
        assert_eq!(marks.advance(1, at(15)), Some(at(15)));
    }

    #[test]
    fn a_sender_that_goes_back_is_ignored() {
        let mut marks = Watermarks::new(2);
        marks.advance(0, at(10));
        marks.advance(1, at(20));
        assert_eq!(marks.advance(0, at(5)), None);
        assert_eq!(marks.advance(0, at(10)), None);
        assert_eq!(marks.current(), Some(at(10)));
        assert_eq!(marks.advance(1, at(4)), None);
        assert_eq!(marks.advance(0, at(20)), Some(at(20)));
    }

    #[test]
    fn a_sender_that_has_ended_holds_nobody_up() {
        let mut marks = Watermarks::new(2);
        marks.advance(0, at(10));
        assert_eq!(marks.advance(1, Timestamp::MAX), Some(at(10)));
        assert_eq!(marks.advance(0, at(11)), Some(at(11)));
        assert_eq!(marks.advance(0, Timestamp::MAX), Some(Timestamp::MAX));
    }

    #[test]
    fn a_sender_that_begins_anew_holds_the_watermark_until_it_has_caught_up() {
        let mut marks = Watermarks::new(2);
        marks.advance(0, at(10));
        marks.advance(1, at(20));
        marks.restart(0);
        assert_eq!(marks.advance(1, at(30)), None);
        assert_eq!(marks.advance(0, at(4)), None, "it repeats what was before the watermark");
        assert_eq!(marks.advance(1, at(40)), None);
        assert_eq!(marks.current(), Some(at(10)));
        assert_eq!(marks.advance(0, at(11)), Some(at(11)));
    }

    #[test]
    fn several_senders_that_advance_together_raise_it_once() {
        let mut marks = Watermarks::new(3);
        assert_eq!(marks.advance_all([0, 2], at(10)), None);
        assert_eq!(marks.advance(1, at(30)), Some(at(10)));
        assert_eq!(marks.advance_all([0, 2, 9], at(20)), Some(at(20)));
        assert_eq!(marks.advance_all([1], at(40)), None);
        assert_eq!(marks.advance_all([], at(50)), None);
    }

    #[test]
    fn the_beginning_of_time_is_a_watermark_too() {
        let mut marks = Watermarks::new(1);
        assert_eq!(marks.advance(0, Timestamp::MIN), Some(Timestamp::MIN));
        assert_eq!(marks.advance(0, Timestamp::MIN), None);
    }

    #[test]
    fn senders_that_are_not_counted_change_nothing() {
        assert_eq!(Watermarks::new(0).advance(0, at(1)), None);
        let mut marks = Watermarks::new(1);
        assert_eq!(marks.advance(1, at(1)), None);
        assert_eq!(marks.current(), None);
    }

    #[test]
    fn a_barrier_is_passed_on_once_it_has_come_from_every_sender() {
        let mut barriers = Barriers::new(3);
        assert_eq!(
            [(0, 0), (2, 0), (0, 1), (1, 0)].map(|(of, number)| barriers.arrive(of, number)),
            [false, false, false, true]
        );
        assert!(!barriers.arrive(1, 1));
        assert!(barriers.arrive(2, 1), "the first sender ran ahead");
        assert!(barriers.waiting.is_empty());
    }

    #[test]
    fn a_barrier_that_comes_again_or_from_nobody_counted_is_ignored() {
        let mut barriers = Barriers::new(2);
        assert!(!barriers.arrive(0, 5));
        assert!(!barriers.arrive(0, 5), "one sender is not two");
        assert!(!barriers.arrive(0, 4));
        assert!(!barriers.arrive(2, 5));
        assert!(barriers.arrive(1, 5));
        assert!(!barriers.arrive(1, 5), "it was passed on");
        assert!(!Barriers::new(0).arrive(0, 1));
    }

    #[test]
    fn a_barrier_that_a_sender_left_out_is_given_up_for_a_later_one() {
        let mut barriers = Barriers::new(2);
        assert!(!barriers.arrive(0, 1));
        assert!(!barriers.arrive(0, 3));
        assert!(!barriers.arrive(1, 2));
        assert!(barriers.arrive(1, 3));
        assert!(barriers.waiting.is_empty(), "1 and 2 can't come any more");
    }

    proptest! {
        #[test]
        fn barriers_that_nobody_leaves_out_are_passed_on_in_order_when_the_last_sends_them(
            senders in 1..5usize,
            steps in prop::collection::vec(0..5usize, 0..60),
        ) {
            let mut barriers = Barriers::new(senders);
            let mut sent = vec![0u64; senders];
            let mut passed = 0;
            for sender in steps.into_iter().filter(|sender| *sender < senders) {
                sent[sender] += 1;
                let on = barriers.arrive(sender, sent[sender]);
                passed += u64::from(on);
                prop_assert_eq!(passed, sent.iter().copied().min().unwrap_or(0));
                prop_assert!(!on || sent[sender] == passed);
            }
        }

        #[test]
        fn it_is_the_minimum_of_the_highest_marks(
            senders in 1..5usize,
            steps in prop::collection::vec((0..5usize, prop_oneof![-5..20i64, Just(i64::MIN), Just(i64::MAX)]), 0..60),
        ) {
            let mut marks = Watermarks::new(senders);
            let mut highest = vec![None; senders];
            let mut last = None;
            for (sender, micros) in steps {
                let told = marks.advance(sender, at(micros));
                if let Some(highest) = highest.get_mut(sender) {
                    *highest = (*highest).max(Some(micros));
                }
                let naive = if highest.contains(&None) { None } else { highest.iter().copied().min().flatten().map(at) };
                prop_assert_eq!(told, if naive == last { None } else { naive });
                prop_assert_eq!(marks.current(), naive);
                last = naive;
            }
        }
    }
}
