//! What a lane's senders have said of event time, and of barriers.

use squall_engine::marks::{Barriers, Watermarks};
use squall_types::{Mark, TaskId};

/// Whose marks count on one input.
#[derive(Clone, Debug, Default)]
pub struct Voices {
    /// Lanes of this slot that were there when the lane was made: one voice each.
    pub lanes: usize,
    /// Tasks that run elsewhere, ascending: one voice each, for who sends for which of them may change.
    pub tasks: Vec<TaskId>,
}

/// The place of an input's voices among all of the lane's.
#[derive(Debug)]
struct Counted {
    first: usize,
    voices: Voices,
    /// Who spoke last for each of the tasks.
    spoke: Vec<Option<u16>>,
}

/// Which of a lane's senders' marks count, and what they have sent.
///
/// A task that runs elsewhere holds the watermark until it has spoken, whether its slot is there or not. If it begins anew in another place,
/// what it said before is forgotten once it speaks again.
#[derive(Debug)]
pub struct Marks {
    watermarks: Watermarks,
    barriers: Barriers,
    /// By input; `None` where the edge closes a cycle.
    inputs: Vec<Option<Counted>>,
}

impl Marks {
    /// Counts the voices of each input; `None` for an input that marks don't cross.
    pub fn new(inputs: Vec<Option<Voices>>) -> Self {
        let mut total = 0;
        let mut count = |voices: Voices| {
            let first = total;
            total += voices.lanes + voices.tasks.len();
            Counted { first, spoke: vec![None; voices.tasks.len()], voices }
        };
        let inputs = inputs.into_iter().map(|voices| voices.map(&mut count)).collect();
        Self { watermarks: Watermarks::new(total), barriers: Barriers::new(total), inputs }
    }

    /// A sender's mark has come; these are the sender's tasks. Returns the mark to pass on, if all have now got so far.
    ///
    /// Rows that come behind a barrier while others still owe it are not held back: what is passed on is in order with the rows of
    /// each sender, but it is no consistent cut yet.
    pub fn advance(&mut self, input: u16, sender: u16, tasks: &[TaskId], mark: Mark) -> Option<Mark> {
        let counted = self.inputs[usize::from(input)].as_mut()?;
        if usize::from(sender) < counted.voices.lanes {
            let voice = counted.first + usize::from(sender);
            return match mark {
                Mark::Watermark(to) => self.watermarks.advance(voice, to).map(Mark::Watermark),
                Mark::Barrier(number) => self.barriers.arrive(voice, number).then_some(mark),
            };
        }
        let mut voices = Vec::with_capacity(tasks.len());
        for at in tasks.iter().filter_map(|task| counted.voices.tasks.binary_search(task).ok()) {
            let voice = counted.first + counted.voices.lanes + at;
            if counted.spoke[at].replace(sender) != Some(sender) {
                self.watermarks.restart(voice);
            }
            voices.push(voice);
        }
        match mark {
            Mark::Watermark(to) => self.watermarks.advance_all(voices, to).map(Mark::Watermark),
            Mark::Barrier(number) => {
                let passes =
                    voices.into_iter().map(|voice| self.barriers.arrive(voice, number)).fold(false, |a, b| a | b);
                passes.then_some(mark)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_types::Timestamp;

    use super::*;

    fn watermark(micros: i64) -> Mark {
        Mark::Watermark(Timestamp::from_micros(micros))
    }

    fn task(number: u16) -> TaskId {
        TaskId::new(number)
    }

    /// A lane here, and tasks 3 and 4 elsewhere, on the second of two inputs; the first closes a cycle.
    fn marks() -> Marks {
        Marks::new(vec![None, Some(Voices { lanes: 1, tasks: vec![task(3), task(4)] })])
    }

    #[test]
    fn tasks_that_run_elsewhere_hold_the_watermark_until_all_have_spoken() {
        let mut marks = marks();
        assert_eq!(marks.advance(0, 0, &[task(9)], watermark(1)), None);
        assert_eq!(marks.advance(1, 0, &[task(2)], watermark(10)), None);
        assert_eq!(marks.advance(1, 1, &[task(3)], watermark(20)), None);
        assert_eq!(marks.advance(1, 2, &[task(4)], watermark(5)), Some(watermark(5)));
        assert_eq!(marks.advance(1, 2, &[task(4)], watermark(30)), Some(watermark(10)));
    }

    #[test]
    fn a_task_that_begins_anew_elsewhere_holds_it_from_its_first_word() {
        let mut marks = marks();
        marks.advance(1, 0, &[task(2)], watermark(100));
        assert_eq!(marks.advance(1, 1, &[task(3), task(4)], watermark(20)), Some(watermark(20)));
        assert_eq!(marks.advance(1, 2, &[task(3)], watermark(2)), None);
        assert_eq!(marks.advance(1, 1, &[task(4)], watermark(50)), None);
        assert_eq!(marks.advance(1, 2, &[task(3)], watermark(40)), Some(watermark(40)));
    }

    #[test]
    fn a_barrier_is_passed_on_once_lanes_and_tasks_have_all_sent_it() {
        let (mut marks, barrier) = (marks(), Mark::Barrier(1));
        assert_eq!(marks.advance(1, 1, &[task(3), task(4)], barrier), None);
        assert_eq!(marks.advance(1, 0, &[task(2)], barrier), Some(barrier));
    }
}
