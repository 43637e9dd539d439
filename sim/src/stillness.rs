//! The machine's own clock stands still in this program.
//!
//! Whatever decides by the time is told the simulated one; but a crate far below may look at the machine's (HTTP/2 forgets streams that were
//! reset once a second has passed), and a busy machine would then run a seed otherwise than an idle one.

/// A time, as C has it.
#[repr(C)]
pub struct Time {
    seconds: i64,
    nanos: i64,
}

/// What the standard library asks for the time, whichever clock it means: it is always the same moment.
///
/// # Safety
/// `time` points to room for one.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[allow(unsafe_code, reason = "the system's function of this name is replaced when the program is linked")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(_: i32, time: *mut Time) -> i32 {
    // SAFETY: who asks for the time has room for it; so POSIX has it.
    unsafe { time.write(Time { seconds: 1_800_000_000, nanos: 0 }) };
    0
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    #[test]
    fn no_time_passes() {
        let (before, at) = (Instant::now(), SystemTime::now());
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!((before.elapsed(), at), (Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
    }
}
