//! Waiting for what must come to hold.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer, and returns it.
///
/// # Panics
/// If there is none within `limit`; shows what was awaited and why the last look failed.
pub async fn until<T, E: Display, F: Future<Output = Result<T, E>>>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + limit;
    let mut last = "it was never looked at to the end".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(found)) => return found,
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => {}
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}; at last: {last}");
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn it_returns_as_soon_as_there_is_an_answer() {
        let looks = Cell::new(0);
        let look = || async {
            looks.set(looks.get() + 1);
            if looks.get() == 3 { Ok(7) } else { Err("not yet") }
        };
        assert_eq!(until("seven", Duration::from_secs(60), look).await, 7);
    }

    #[tokio::test]
    #[should_panic(expected = "not within 50ms: a pig that flies; at last: it walks")]
    async fn what_never_comes_is_named() {
        until("a pig that flies", Duration::from_millis(50), || async { Err::<(), _>("it walks") }).await;
    }

    #[tokio::test]
    #[should_panic(expected = "not within 50ms")]
    async fn a_look_that_hangs_does_not_hang_the_test() {
        until("an end", Duration::from_millis(50), std::future::pending::<Result<(), String>>).await;
    }
}
