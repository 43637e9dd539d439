//! When a task that panicked is started again.

const MS: u64 = 1_000_000;

/// Decides how long a panicked task waits: not at all the first time, then from [`FIRST_NS`](Self::FIRST_NS), doubling up
/// to [`MAX_NS`](Self::MAX_NS). A run of [`CALM_NS`](Self::CALM_NS) without a panic makes the next one a first again.
#[derive(Clone, Debug, Default)]
pub struct RestartPolicy {
    delay_ns: u64,
    /// When the task has run calmly for long enough; `None` before the first panic.
    calm_at_ns: Option<u64>,
}

impl RestartPolicy {
    /// The delay after the second panic: 10 ms.
    pub const FIRST_NS: u64 = 10 * MS;
    /// The longest delay: 1 s.
    pub const MAX_NS: u64 = 1_000 * MS;
    /// How long a task runs, from its restart, until its panics are forgotten: 10 s.
    pub const CALM_NS: u64 = 10_000 * MS;

    /// The task panicked now: the nanoseconds to wait before it is started again.
    pub fn after_panic(&mut self, now_ns: u64) -> u64 {
        self.delay_ns = match self.calm_at_ns {
            Some(calm_at) if now_ns < calm_at => (self.delay_ns * 2).clamp(Self::FIRST_NS, Self::MAX_NS),
            _ => 0,
        };
        self.calm_at_ns = Some(now_ns.saturating_add(self.delay_ns).saturating_add(Self::CALM_NS));
        self.delay_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics at once after each restart, `n` times; the delays in ms, and the time of the last panic.
    fn crash_loop(policy: &mut RestartPolicy, mut now: u64, n: usize) -> (Vec<u64>, u64) {
        let mut delays = Vec::new();
        for _ in 0..n {
            let delay = policy.after_panic(now);
            delays.push(delay / MS);
            now += delay;
        }
        (delays, now)
    }

    #[test]
    fn the_first_restart_is_immediate_and_then_delays_double_up_to_a_second() {
        let (delays, _) = crash_loop(&mut RestartPolicy::default(), 0, 10);
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
    }

    #[test]
    fn a_calm_run_counted_from_the_restart_forgets_the_panics() {
        let mut policy = RestartPolicy::default();
        let (_, restarted) = crash_loop(&mut policy, 5 * MS, 6);
        assert_eq!(policy.after_panic(restarted + RestartPolicy::CALM_NS), 0);
        assert_eq!(policy.after_panic(restarted + RestartPolicy::CALM_NS + 1), RestartPolicy::FIRST_NS);
    }

    #[test]
    fn a_run_a_nanosecond_too_short_does_not() {
        let mut policy = RestartPolicy::default();
        let (_, restarted) = crash_loop(&mut policy, 5 * MS, 6);
        assert_eq!(policy.after_panic(restarted + RestartPolicy::CALM_NS - 1), 320 * MS);
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let mut policy = RestartPolicy::default();
        assert_eq!(policy.after_panic(u64::MAX), 0);
        policy.after_panic(u64::MAX - 1);
        assert!(policy.after_panic(u64::MAX - 1) <= RestartPolicy::MAX_NS);
    }
}
