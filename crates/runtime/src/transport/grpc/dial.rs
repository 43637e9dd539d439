//! Reaching a peer: again and again, with pauses that grow, until it answers or the time is over.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::security::{Line, Security};

/// The first pause; each is twice as long as the one before, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(500);
/// How long one attempt may take: a lost packet of a handshake is sent again after a second.
const ATTEMPT: Duration = Duration::from_millis(1_500);

/// The pause before attempt `attempt`, counted from 1: half of it is fixed, and `dice` (of 2³²) says how much of the other half is waited, so
/// that slots which have lost the same peer don't call together.
fn pause(attempt: u32, dice: u32) -> Duration {
    let whole = SHORTEST.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX)).min(LONGEST);
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX) / 2;
    let more = (u128::from(nanos) * u128::from(dice)) >> 32;
    Duration::from_nanos(nanos + u64::try_from(more).unwrap_or(u64::MAX))
}

/// Connects within so long.
///
/// # Errors
/// The last attempt's, or that there was no time for one.
pub(super) async fn dial(address: &str, security: &Security, reach: Duration) -> io::Result<Line> {
    let until = Instant::now() + reach;
    let mut attempt = 0;
    let mut failed = io::Error::from(io::ErrorKind::TimedOut);
    loop {
        let now = Instant::now();
        if now >= until {
            return Err(failed);
        }
        match timeout_at(until.min(now + ATTEMPT), once(address, security)).await {
            Ok(Ok(line)) => return Ok(line),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
        attempt += 1;
        // Without randomness the pauses are those of all others, no worse.
        let dice = getrandom::u32().unwrap_or(u32::MAX);
        sleep(pause(attempt, dice).min(until.saturating_duration_since(Instant::now()))).await;
    }
}

async fn once(address: &str, security: &Security) -> io::Result<Line> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    security.call(stream, host.trim_start_matches('[').trim_end_matches(']')).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ_by_up_to_half() {
        let millis = |attempt, dice| pause(attempt, dice).as_millis();
        assert_eq!([1, 2, 3, 6, 7, 40, 99].map(|attempt| millis(attempt, 0)), [5, 10, 20, 160, 250, 250, 250]);
        assert_eq!([1, 2, 3, 6, 7, 40, 99].map(|attempt| millis(attempt, u32::MAX)), [9, 19, 39, 319, 499, 499, 499]);
    }
}
