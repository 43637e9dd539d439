//! What time it is for what the cluster itself wants: nobody's request vouches for a leader's wall clock there.
//!
//! It goes on from the state's time as fast as time passes, whatever the wall clock shows. So a leader whose clock has run away takes no
//! decision too early, and leaves the state's time where it should be; while all masters are down it stands still.

use std::sync::{Mutex, PoisonError};

use squall_types::cluster::UnixMillis;
use tokio::time::Instant;

/// The state's time, as it goes on between decisions.
#[derive(Debug, Default)]
pub(crate) struct OwnTime(Mutex<Option<(UnixMillis, Instant)>>);

impl OwnTime {
    /// The time now, when the state's is `state`.
    pub(crate) fn read(&self, state: UnixMillis, now: Instant) -> UnixMillis {
        // Whoever panicked holding it left an earlier moment, which is as true.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = known.map(|(time, at)| time.plus(now.saturating_duration_since(at)));
        match passed {
            Some(passed) if passed >= state => passed,
            _ => {
                *known = Some((state, now));
                state
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: UnixMillis = UnixMillis::new(1_790_000_000_000);

    #[test]
    fn it_goes_on_from_the_state_s_time_as_time_passes_and_never_back() {
        let (own, begun) = (OwnTime::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        let at = |seconds| START.plus(Duration::from_secs(seconds));
        assert_eq!(own.read(START, begun), START);
        assert_eq!(own.read(START, after(600)), at(600), "nothing was decided for ten minutes");
        assert_eq!(own.read(at(605), after(601)), at(605), "who asked had a faster clock");
        assert_eq!(own.read(at(605), after(603)), at(607));
        assert_eq!(own.read(START, after(604)), at(608), "the state's time never goes back, nor does this");
    }
}
