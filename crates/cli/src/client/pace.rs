//! How long a call may take.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long masters may take over a package once it has come: they copy it among themselves, and that is seen by none of its sender's bytes.
const AT_REST: Duration = Duration::from_secs(60);

/// How far a call's bytes have come. A call that moves bytes may take as long as they move: only bytes that moved never before count.
#[derive(Clone, Debug)]
pub struct Pace {
    reached: watch::Sender<Reached>,
    /// Whether the call moves bytes.
    moves: bool,
}

#[derive(Clone, Copy, Debug)]
struct Reached {
    at: Instant,
    most: u64,
    /// How many there are; none, if that isn't known.
    whole: Option<u64>,
    /// Whether all are sent, and what is left is up to the masters.
    rests: bool,
}

impl Pace {
    /// The pace of a call that begins now and moves as many bytes.
    pub fn new(whole: Option<u64>) -> Self {
        let reached = Reached { at: Instant::now(), most: 0, whole, rests: false };
        Self { reached: watch::Sender::new(reached), moves: true }
    }

    /// The pace of a call that begins now and is answered at once.
    pub fn short() -> Self {
        Self { moves: false, ..Self::new(None) }
    }

    /// So many bytes have come.
    pub fn reached(&self, offset: u64) {
        self.reached.send_modify(|reached| {
            if offset > reached.most {
                (reached.at, reached.most) = (Instant::now(), offset);
            }
            reached.rests = reached.whole == Some(offset);
        });
    }

    /// An attempt has ended, and not well: whatever was sent is not with the masters.
    pub fn broke(&self) {
        self.reached.send_modify(|reached| reached.rests = false);
    }

    /// How long a master may take to answer; none, for what takes as long as its bytes.
    pub fn answered_within(&self, limit: Duration) -> Option<Duration> {
        (!self.moves).then(|| self.left(limit))
    }

    /// What is left of the time, of which there is `limit` from the last byte on.
    pub fn left(&self, limit: Duration) -> Duration {
        let Reached { at, rests, .. } = *self.reached.borrow();
        let limit = if rests { limit.max(AT_REST) } else { limit };
        limit.saturating_sub(at.elapsed())
    }

    /// Ends when the time is over.
    pub async fn over(&self, limit: Duration) {
        loop {
            let left = self.left(limit);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn time_is_given_for_each_byte_that_is_new_and_for_no_other() {
        let pace = Pace::new(Some(9));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!(pace.left(LIMIT), Duration::from_secs(2));
        pace.reached(5);
        assert_eq!(pace.left(LIMIT), LIMIT);
        tokio::time::advance(Duration::from_secs(8)).await;
        pace.reached(5);
        assert_eq!(pace.left(LIMIT), Duration::from_secs(2));
        let begun = Instant::now();
        pace.over(LIMIT).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_come_as_a_whole_is_copied_in_peace() {
        let pace = Pace::new(Some(9));
        pace.reached(9);
        assert_eq!(pace.left(LIMIT), AT_REST);
        assert_eq!(pace.left(AT_REST * 2), AT_REST * 2);
        pace.broke();
        assert_eq!(pace.left(LIMIT), LIMIT);
        let empty = Pace::new(Some(0));
        assert_eq!((empty.left(LIMIT), empty.answered_within(LIMIT)), (LIMIT, None));
        assert_eq!(Pace::short().answered_within(LIMIT), Some(LIMIT));
    }
}
