//! Every call there is: who may make it, and which master answers it.

use squall_types::cluster::Role;

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone.
    Open,
    /// Holders of a token of this role or a stronger one.
    Role(Role),
    /// Workers' daemons.
    Worker,
    /// Other masters.
    Master,
}

/// Which master answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The one that got it, before it has a cluster too.
    Always,
    /// The one that got it.
    Here,
    /// The leader.
    Leader,
    /// The leader; if there is none, the one that got it says what it knows, marked as stale.
    LeaderOrStale,
}

/// Whether the caller's side of a call is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    /// One message, which can be kept and sent again.
    One,
    /// Many, which can't.
    Many,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its path, as `/squall.v1.Cluster/Status`.
    pub path: &'static str,
    pub access: Access,
    pub place: Place,
    pub sends: Sends,
}

const fn one(path: &'static str, role: Role, place: Place) -> Call {
    Call { path, access: Access::Role(role), place, sends: Sends::One }
}

const fn many(path: &'static str, access: Access, place: Place) -> Call {
    Call { path, access, place, sends: Sends::Many }
}

/// All calls of Squall's own services.
pub(crate) const CALLS: &[Call] = &[
    many("/squall.v1.Topologies/Submit", Access::Role(Role::Operate), Place::Leader),
    one("/squall.v1.Topologies/Plan", Role::Read, Place::Leader),
    one("/squall.v1.Topologies/List", Role::Read, Place::LeaderOrStale),
    one("/squall.v1.Topologies/Get", Role::Read, Place::Leader),
    one("/squall.v1.Topologies/Activate", Role::Operate, Place::Leader),
    one("/squall.v1.Topologies/Deactivate", Role::Operate, Place::Leader),
    one("/squall.v1.Topologies/Rebalance", Role::Operate, Place::Leader),
    one("/squall.v1.Topologies/Kill", Role::Operate, Place::Leader),
    one("/squall.v1.Topologies/Versions", Role::Read, Place::Leader),
    one("/squall.v1.Topologies/Rollback", Role::Operate, Place::Leader),
    one("/squall.v1.Cluster/Status", Role::Read, Place::LeaderOrStale),
    one("/squall.v1.Cluster/Workers", Role::Read, Place::LeaderOrStale),
    one("/squall.v1.Cluster/Drain", Role::Operate, Place::Leader),
    one("/squall.v1.Cluster/Undrain", Role::Operate, Place::Leader),
    one("/squall.v1.Cluster/ForgetWorker", Role::Operate, Place::Leader),
    one("/squall.v1.Cluster/Masters", Role::Read, Place::LeaderOrStale),
    one("/squall.v1.Cluster/AddMaster", Role::Admin, Place::Leader),
    one("/squall.v1.Cluster/RemoveMaster", Role::Admin, Place::Leader),
    one("/squall.v1.Cluster/ReplaceMaster", Role::Admin, Place::Leader),
    one("/squall.v1.Cluster/TransferLeadership", Role::Admin, Place::Leader),
    one("/squall.v1.Cluster/Watch", Role::Read, Place::Here),
    one("/squall.v1.Cluster/Why", Role::Read, Place::LeaderOrStale),
    one("/squall.v1.Cluster/Backup", Role::Admin, Place::Leader),
    one("/squall.v1.Cluster/CreateToken", Role::Admin, Place::Leader),
    one("/squall.v1.Cluster/Tokens", Role::Admin, Place::Leader),
    one("/squall.v1.Cluster/RevokeToken", Role::Admin, Place::Leader),
    many("/squall.v1.Blobs/Put", Access::Role(Role::Operate), Place::Leader),
    one("/squall.v1.Blobs/Get", Role::Read, Place::Here),
    one("/squall.v1.Blobs/List", Role::Read, Place::Leader),
    many("/squall.v1.WorkerLink/Link", Access::Worker, Place::Leader),
    many("/squall.internal.v1.Raft/Messages", Access::Master, Place::Here),
    many("/squall.internal.v1.Raft/InstallSnapshot", Access::Master, Place::Here),
    many("/squall.internal.v1.Formation/Identify", Access::Master, Place::Always),
    many("/squall.internal.v1.Formation/Seed", Access::Master, Place::Always),
    many("/squall.internal.v1.Packages/Fetch", Access::Master, Place::Here),
];

/// The calls of other services: health and reflection.
const OTHER: Call = Call { path: "", access: Access::Open, place: Place::Always, sends: Sends::Many };

/// The call with this path. One that isn't Squall's is open: health, reflection, or none at all.
pub(crate) fn call(path: &str) -> Option<&'static Call> {
    let known = CALLS.iter().find(|call| call.path == path);
    if path.starts_with("/squall.") { known } else { Some(&OTHER) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;

    /// Services that no master has.
    const OF_SLOTS: [&str; 1] = ["Slot"];

    #[test]
    fn every_call_of_the_protos_stands_in_the_table_once_and_its_stream_is_known() {
        let files = prost_types::FileDescriptorSet::decode(squall_proto::DESCRIPTORS).unwrap();
        let mut declared = BTreeSet::new();
        for file in &files.file {
            for service in file.service.iter().filter(|it| !OF_SLOTS.contains(&it.name())) {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let call = call(&path).unwrap_or_else(|| panic!("{path} isn't in the table"));
                    let streams = method.client_streaming() || matches!(call.access, Access::Master);
                    assert_eq!(call.sends == Sends::Many, streams, "{path}");
                    declared.insert(path);
                }
            }
        }
        let listed: Vec<_> = CALLS.iter().map(|call| call.path.to_owned()).collect();
        assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), declared);
        assert_eq!(listed.len(), declared.len());
    }

    #[test]
    fn what_only_looks_like_squall_s_is_no_call() {
        assert_eq!(call("/squall.v1.Cluster/Nuke"), None);
        assert_eq!(call("/grpc.health.v1.Health/Check").map(|call| call.access), Some(Access::Open));
    }

    #[test]
    fn nobody_who_may_only_read_can_change_anything() {
        let reading = ["Plan", "List", "Get", "Versions", "Status", "Workers", "Masters", "Watch", "Why"];
        for call in CALLS.iter().filter(|call| call.access == Access::Role(Role::Read)) {
            assert!(reading.iter().any(|name| call.path.ends_with(&format!("/{name}"))), "{}", call.path);
        }
    }
}
