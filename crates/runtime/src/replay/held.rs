//! Watermarks that wait for rows.

use std::collections::VecDeque;

use squall_types::Timestamp;

/// Holds watermarks back until every row emitted before them is settled: a row that is emitted again must not come late.
///
/// Rows between two watermarks make an epoch. Only the last epoch has no watermark yet, and no two have none in between.
#[derive(Debug)]
pub struct HeldMarks {
    /// The number of the first epoch that is kept.
    first: u64,
    epochs: VecDeque<Epoch>,
}

#[derive(Debug, Default)]
struct Epoch {
    /// Rows that aren't settled.
    rows: usize,
    mark: Option<Timestamp>,
}

impl Default for HeldMarks {
    fn default() -> Self {
        Self { first: 0, epochs: VecDeque::from([Epoch::default()]) }
    }
}

impl HeldMarks {
    fn last(&mut self) -> &mut Epoch {
        self.epochs.back_mut().expect("the last epoch is never taken")
    }

    /// A row is emitted. Returns its epoch, for [`settled`](Self::settled).
    pub fn row(&mut self) -> u64 {
        self.last().rows += 1;
        self.first + self.epochs.len() as u64 - 1
    }

    /// No row with an earlier event time follows.
    pub fn mark(&mut self, to: Timestamp) {
        let last = self.epochs.len() - 1;
        if self.epochs[last].rows == 0 && last > 0 {
            let before = &mut self.epochs[last - 1].mark;
            *before = (*before).max(Some(to));
        } else {
            self.last().mark = Some(to);
            self.epochs.push_back(Epoch::default());
        }
    }

    /// A row of this epoch is acked or given up.
    pub fn settled(&mut self, epoch: u64) {
        let place = epoch.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(epoch) = place.and_then(|place| self.epochs.get_mut(place)) {
            epoch.rows -= 1;
        }
    }

    /// Whether [`take`](Self::take) has a watermark.
    pub fn is_free(&self) -> bool {
        self.epochs.front().is_some_and(|epoch| epoch.rows == 0 && epoch.mark.is_some())
    }

    /// The latest watermark that no row holds back.
    pub fn take(&mut self) -> Option<Timestamp> {
        let mut taken = None;
        while self.is_free() {
            let epoch = self.epochs.pop_front()?;
            self.first += 1;
            taken = taken.max(epoch.mark);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_watermark_waits_for_the_rows_before_it_and_not_for_those_behind() {
        let mut held = HeldMarks::default();
        let before = held.row();
        held.mark(at(1));
        let behind = held.row();
        assert_eq!(held.take(), None);
        held.settled(before);
        assert_eq!(held.take(), Some(at(1)));
        held.mark(at(2));
        assert_eq!(held.take(), None);
        held.settled(behind);
        assert_eq!((held.take(), held.take()), (Some(at(2)), None));
    }

    #[test]
    fn an_early_row_holds_back_all_that_follow_and_then_the_latest_goes() {
        let mut held = HeldMarks::default();
        let early = held.row();
        held.mark(at(1));
        let late = held.row();
        held.mark(at(2));
        held.settled(late);
        assert_eq!(held.take(), None);
        held.settled(early);
        assert_eq!(held.take(), Some(at(2)));
    }

    #[test]
    fn watermarks_without_rows_between_take_no_room() {
        let mut held = HeldMarks::default();
        let row = held.row();
        (1..=1_000).for_each(|second| held.mark(at(second)));
        assert_eq!(held.epochs.len(), 2);
        held.settled(row);
        assert_eq!(held.take(), Some(at(1_000)));
    }

    #[test]
    fn with_no_row_out_a_watermark_goes_at_once() {
        let mut held = HeldMarks::default();
        held.mark(at(1));
        assert_eq!(held.take(), Some(at(1)));
    }
}
