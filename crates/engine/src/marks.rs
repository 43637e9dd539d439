//! Watermarks: how far event time has come, over all that send to a task.

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
        // Only the sender that was furthest behind can have held the minimum.
        if before.is_some() && before != self.current {
            return None;
        }
        self.rise()
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

    proptest! {
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
