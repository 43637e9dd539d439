//! How long a call may take.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long masters may take over a package once it has come: they copy it among themselves, and that is seen by none of its sender's bytes.
const AT_REST: Duration = Duration::from_secs(60);

/// How far a call's bytes have come. A call that moves bytes may take as long as they move: only bytes that moved never before count.
#[derive(Clone, Debug)]
pub struct Pace(watch::Sender<Reached>);

#[derive(Clone, Copy, Debug)]
struct Reached {
    at: Instant,
    most: u64,
    /// How many there are; none, if that isn't known.
    whole: Option<u64>,
}

impl Pace {
    /// The pace of a call that begins now, with as many bytes.
    pub fn new(whole: Option<u64>) -> Self {
        Self(watch::Sender::new(Reached { at: Instant::now(), most: 0, whole }))
    }

    /// So many bytes have come.
    pub fn reached(&self, offset: u64) {
        self.0.send_if_modified(|reached| {
            let further = offset > reached.most;
            if further {
                (reached.at, reached.most) = (Instant::now(), offset);
            }
            further
        });
    }

    /// What is left of the time, of which there is `limit` from the last byte on.
    pub fn left(&self, limit: Duration) -> Duration {
        let Reached { at, most, whole } = *self.0.borrow();
        let limit = if most > 0 && whole == Some(most) { limit.max(AT_REST) } else { limit };
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
        let empty = Pace::new(Some(0));
        assert_eq!(empty.left(LIMIT), LIMIT);
    }
}
