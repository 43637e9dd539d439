//! How things are said.

use squall_proto::v1;
use squall_types::cluster::UnixMillis;

/// A health, in a word.
pub fn health(health: i32) -> &'static str {
    match v1::Health::try_from(health) {
        Ok(v1::Health::Green) => "green",
        Ok(v1::Health::Amber) => "amber",
        Ok(v1::Health::Red) => "red",
        Ok(v1::Health::Unspecified) | Err(_) => "unknown",
    }
}

/// A topology's state, in a word.
pub fn topology_state(state: i32) -> &'static str {
    match v1::TopologyState::try_from(state) {
        Ok(v1::TopologyState::Active) => "active",
        Ok(v1::TopologyState::Inactive) => "inactive",
        Ok(v1::TopologyState::Killed) => "killed",
        Ok(v1::TopologyState::Unspecified) | Err(_) => "unknown",
    }
}

/// A worker's state and what an operator wants of it, in a word or two.
pub fn worker_state(worker: &v1::Worker) -> String {
    let state = match v1::WorkerState::try_from(worker.state) {
        Ok(v1::WorkerState::Alive) => "alive",
        Ok(v1::WorkerState::Suspect) => "suspect",
        Ok(v1::WorkerState::CutOff) => "cut-off",
        Ok(v1::WorkerState::Dead) => "dead",
        Ok(v1::WorkerState::Left) => "left",
        Ok(v1::WorkerState::Unspecified) | Err(_) => "unknown",
    };
    let draining = v1::WorkerAdmin::try_from(worker.admin) == Ok(v1::WorkerAdmin::Draining);
    let quarantined = if worker.quarantined_until_ms > 0 { ", quarantined" } else { "" };
    format!("{state}{}{quarantined}", if draining { ", draining" } else { "" })
}

/// A master's role, in a word.
pub fn master_role(role: i32) -> &'static str {
    match v1::MasterRole::try_from(role) {
        Ok(v1::MasterRole::Leader) => "leader",
        Ok(v1::MasterRole::Follower) => "follower",
        Ok(v1::MasterRole::Learner) => "learner",
        Ok(v1::MasterRole::Unspecified) | Err(_) => "unknown",
    }
}

/// A token's role, in a word.
pub fn role(role: i32) -> &'static str {
    match v1::TokenRole::try_from(role) {
        Ok(v1::TokenRole::Read) => "read",
        Ok(v1::TokenRole::Operate) => "operate",
        Ok(v1::TokenRole::Admin) => "admin",
        Ok(v1::TokenRole::Unspecified) | Err(_) => "unknown",
    }
}

/// A place, as `node-1/2`; `-` for none.
pub fn slot(slot: Option<&v1::Slot>) -> String {
    slot.map_or_else(|| "-".to_owned(), |slot| format!("{}/{}", slot.worker, slot.number))
}

/// How long ago that was; `-` for never.
pub fn ago(at: u64, now: UnixMillis) -> String {
    if at == 0 {
        return "-".to_owned();
    }
    lasting(now.since(UnixMillis::new(at)).as_secs())
}

fn lasting(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long something has been silent: the first minute to a tenth of a second.
pub fn silence(millis: u64) -> String {
    match millis {
        0..60_000 => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        _ => lasting(millis / 1_000),
    }
}

/// A number of bytes for people: three digits and a unit.
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1_024.0 {
            break;
        }
        (value, unit) = (value / 1_024.0, larger);
    }
    if unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// The first 12 digits of a blob's id; `-` for none.
pub fn bytes(id: &str) -> String {
    if id.is_empty() { "-".to_owned() } else { id.chars().take(12).collect() }
}

/// A moment in UTC, to the millisecond; `-` for none.
pub fn utc(at: u64) -> String {
    if at == 0 {
        return "-".to_owned();
    }
    UnixMillis::new(at).utc().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_short() {
        let now = UnixMillis::new(1_000_000_000);
        for (before, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (3_600, "1h"), (172_799, "47h"), (172_800, "2d")] {
            assert_eq!(ago(now.get() - before * 1_000, now), text);
        }
        assert_eq!((silence(59_990), silence(60_000)), ("59.9s".to_owned(), "1m".to_owned()));
        assert_eq!((ago(0, now).as_str(), ago(now.get() + 9, now).as_str()), ("-", "0s"));
        for (bytes, text) in
            [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (200 << 20, "200 MiB"), (5 << 40, "5.0 TiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn what_a_newer_master_says_is_unknown_and_no_panic() {
        for word in [health(99), topology_state(99), master_role(-1), role(99)] {
            assert_eq!(word, "unknown");
        }
        assert_eq!(worker_state(&v1::Worker { state: 99, ..Default::default() }), "unknown");
        let draining = v1::Worker { state: 1, admin: 2, ..Default::default() };
        assert_eq!(worker_state(&draining), "alive, draining");
    }
}
