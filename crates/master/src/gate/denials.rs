//! Calls that were turned away, until they are on record: the leader asks each master for them when it calls the roll.
//!
//! Invariant: however many calls are turned away, few of them get into the log, and few wait here. What is left out is counted with all
//! requests, by its code.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall_control::Line;
use squall_types::cluster::{RequestId, UnixMillis, UserName};

/// The most that wait, and that are taken at once.
const MOST: usize = 32;
/// How often there is room for one more, once so many have come.
const ONE_MORE: Duration = Duration::from_secs(300);
/// For how long the same from the same place is not taken again.
const AGAIN: Duration = Duration::from_secs(600);
/// Places that are remembered for that.
const PLACES: usize = 256;
/// How long one is offered: within this its request id is good.
const OFFERED: Duration = Duration::from_secs(110);

/// A call that was turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    /// Under which it gets on record, once.
    pub request: RequestId,
    /// The call, and the code of why not.
    pub call: Line,
    /// Who called, if that is known.
    pub actor: Option<UserName>,
    /// Where from.
    pub origin: Line,
}

/// Those that are not on record yet.
#[derive(Default)]
pub(crate) struct Denials(Mutex<Book>);

#[derive(Default)]
struct Book {
    waiting: VecDeque<Denial>,
    /// How many were taken that no time has made up for yet.
    taken: u64,
    since: UnixMillis,
    /// When the same was taken last, by place and call.
    recent: BTreeMap<(String, String), UnixMillis>,
}

impl Denials {
    /// Takes a denial to be put on record, unless there are too many, or the same was taken just before.
    pub(crate) fn take(&self, now: UnixMillis, denial: Denial) {
        self.book().take(now, denial);
    }

    /// Those that are to be put on record; `is_known` says which are.
    pub(crate) fn waiting(&self, now: UnixMillis, is_known: impl Fn(RequestId) -> bool) -> Vec<Denial> {
        let mut book = self.book();
        let offered = |it: &Denial| now.since(it.request.made_at()) < OFFERED;
        book.waiting.retain(|it| offered(it) && !is_known(it.request));
        book.waiting.iter().cloned().collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Whoever panicked holding it left at most one denial out.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn take(&mut self, now: UnixMillis, denial: Denial) {
        let made_up = now.since(self.since).as_secs() / ONE_MORE.as_secs();
        if made_up > 0 {
            self.taken = self.taken.saturating_sub(made_up);
            self.since = now;
        }
        self.recent.retain(|_, at| now.since(*at) < AGAIN);
        let key = (host(denial.origin.as_str()).to_owned(), denial.call.to_string());
        let full = self.taken >= MOST as u64 || self.waiting.len() >= MOST || self.recent.len() >= PLACES;
        if full || self.recent.contains_key(&key) {
            return;
        }
        self.taken += 1;
        self.recent.insert(key, now);
        self.waiting.push_back(denial);
    }
}

/// An address without its port, which is another for each connection.
fn host(origin: &str) -> &str {
    origin.rsplit_once(':').map_or(origin, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_790_000_000_000;

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::new(START + seconds * 1_000)
    }

    fn denial(seconds: u64, number: u128, origin: &str, call: &str) -> Denial {
        let request = RequestId::new(at(seconds), number);
        Denial { request, call: Line::lossy(call), actor: None, origin: Line::lossy(origin) }
    }

    fn count(denials: &Denials, seconds: u64) -> usize {
        denials.waiting(at(seconds), |_| false).len()
    }

    #[test]
    fn the_same_from_the_same_place_is_put_on_record_once_in_a_while() {
        let denials = Denials::default();
        for port in 0..1_000 {
            denials.take(at(0), denial(0, port, &format!("10.0.0.9:{port}"), "Cluster/Drain (SQ6203)"));
        }
        denials.take(at(0), denial(0, 2_000, "10.0.0.9:1", "Cluster/Backup (SQ6203)"));
        denials.take(at(0), denial(0, 2_001, "[::1]:1", "Cluster/Drain (SQ6203)"));
        assert_eq!(count(&denials, 0), 3);
        denials.take(at(601), denial(601, 3_000, "10.0.0.9:1", "Cluster/Drain (SQ6203)"));
        assert_eq!(count(&denials, 601), 1, "those before are no longer offered");
    }

    #[test]
    fn a_hostile_client_gets_few_into_the_log_whatever_it_says() {
        let denials = Denials::default();
        let mut recorded = 0;
        for second in 0..86_400_u64 {
            let origin = format!("10.0.{}.{}:1", second / 250, second % 250);
            denials.take(at(second), denial(second, second.into(), &origin, "Cluster/Drain (SQ6202)"));
            recorded += denials.waiting(at(second), |_| false).len();
            // The leader puts all on record at once.
            denials.waiting(at(second), |_| true);
        }
        assert!((32..=32 + 86_400 / 300).contains(&recorded), "{recorded} in a day");
    }

    #[test]
    fn what_is_on_record_is_not_offered_again() {
        let denials = Denials::default();
        let [one, two] = [1, 2].map(|number| denial(0, number, &format!("10.0.0.{number}"), "Cluster/Drain (SQ6203)"));
        denials.take(at(0), one.clone());
        denials.take(at(0), two.clone());
        assert_eq!(denials.waiting(at(1), |request| request == one.request), [two]);
        assert_eq!(count(&denials, 1), 1);
        assert_eq!(count(&denials, 110), 0, "an id that is too old would be refused");
    }
}
