//! Between the wire's types and the vocabulary. What comes from the network is checked here.

use bytes::Bytes;
use prost::Message as _;
use squall_proto::internal as wire;
use squall_proto::internal::peer_refusal::Reason;
use squall_types::TaskId;
use squall_types::cluster::{AssignmentVersion, ClusterId, Refusal, SlotId, SlotIncarnation};
use tonic::Status;

use crate::transport::{Channel, Hello, LaneNumber, RemoteLane, Welcome};

/// A message from the network says what makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} makes no sense")]
pub(super) struct Nonsense(&'static str);

fn narrow(number: u32, what: &'static str) -> Result<u16, Nonsense> {
    u16::try_from(number).map_err(|_| Nonsense(what))
}

pub(super) fn name(slot: &SlotId) -> wire::PeerName {
    wire::PeerName { worker: slot.worker.as_str().to_owned(), number: slot.number.into() }
}

fn slot(name: Option<wire::PeerName>) -> Result<SlotId, Nonsense> {
    let name = name.ok_or(Nonsense("slot's name"))?;
    let worker = name.worker.parse().map_err(|_| Nonsense("worker's name"))?;
    Ok(SlotId { worker, number: narrow(name.number, "slot's number")? })
}

pub(super) fn hello(hello: &Hello, pack: bool) -> wire::PeerHello {
    wire::PeerHello {
        cluster_id: hello.cluster.get(),
        topology: hello.topology.as_str().to_owned(),
        version: hello.version.get(),
        from: Some(name(&hello.from)),
        incarnation: hello.incarnation.get(),
        to: Some(name(&hello.to)),
        pack,
    }
}

pub(super) fn read_hello(hello: wire::PeerHello) -> Result<Hello, Nonsense> {
    Ok(Hello {
        cluster: ClusterId::new(hello.cluster_id).ok_or(Nonsense("cluster's id"))?,
        topology: hello.topology.parse().map_err(|_| Nonsense("topology's name"))?,
        version: AssignmentVersion::new(hello.version),
        from: slot(hello.from)?,
        incarnation: SlotIncarnation::new(hello.incarnation),
        to: slot(hello.to)?,
    })
}

pub(super) fn welcome(welcome: &Welcome, pack: bool) -> wire::PeerWelcome {
    let lane = |lane: &RemoteLane| wire::PeerLane {
        number: lane.number.0.into(),
        component: lane.component.into(),
        tasks: lane.tasks.iter().map(|task| task.get().into()).collect(),
    };
    wire::PeerWelcome {
        incarnation: welcome.incarnation.get(),
        version: welcome.version.get(),
        lanes: welcome.lanes.iter().map(lane).collect(),
        pack,
    }
}

pub(super) fn read_welcome(welcome: wire::PeerWelcome) -> Result<Welcome, Nonsense> {
    Ok(Welcome {
        incarnation: SlotIncarnation::new(welcome.incarnation),
        version: AssignmentVersion::new(welcome.version),
        lanes: welcome.lanes.into_iter().map(read_lane).collect::<Result<_, _>>()?,
    })
}

fn read_lane(lane: wire::PeerLane) -> Result<RemoteLane, Nonsense> {
    let task = |number| narrow(number, "task").map(TaskId::new);
    let tasks: Vec<_> = lane.tasks.into_iter().map(task).collect::<Result<_, _>>()?;
    if tasks.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Nonsense("order of tasks"));
    }
    let number = LaneNumber(narrow(lane.number, "lane's number")?);
    Ok(RemoteLane { number, component: narrow(lane.component, "component")?, tasks })
}

const ACKS: &str = "acks";

pub(super) fn channel(channel: Channel) -> String {
    match channel {
        Channel::Lane(LaneNumber(number)) => number.to_string(),
        Channel::Acks => ACKS.to_owned(),
    }
}

pub(super) fn read_channel(text: &str) -> Option<Channel> {
    match text {
        ACKS => Some(Channel::Acks),
        number => number.parse().ok().map(|number| Channel::Lane(LaneNumber(number))),
    }
}

/// A refusal as a status, with what is to be said about it in words.
pub(super) fn refusal(refusal: &Refusal, words: &str) -> Status {
    let mut wire = wire::PeerRefusal::default();
    let reason = match refusal {
        Refusal::OtherCluster => Reason::OtherCluster,
        Refusal::OtherTopology => Reason::OtherTopology,
        Refusal::OtherSlot { here } => {
            wire.here = Some(name(here));
            Reason::OtherSlot
        }
        Refusal::Stale { seen } => {
            wire.seen = seen.get();
            Reason::Stale
        }
        Refusal::NotOwner { version } => {
            wire.version = version.get();
            Reason::NotOwner
        }
        Refusal::NotYet { version } => {
            wire.version = version.get();
            Reason::NotYet
        }
        Refusal::NoSuchLane => Reason::NoSuchLane,
        Refusal::Malformed => Reason::Malformed,
        Refusal::Stopping => Reason::Stopping,
    };
    wire.set_reason(reason);
    Status::with_details(tonic::Code::FailedPrecondition, words, Bytes::from(wire.encode_to_vec()))
}

/// The refusal that a status carries, if it carries one.
pub(super) fn read_refusal(status: &Status) -> Option<Refusal> {
    if status.code() != tonic::Code::FailedPrecondition {
        return None;
    }
    let wire = wire::PeerRefusal::decode(status.details()).ok()?;
    let version = AssignmentVersion::new(wire.version);
    match wire.reason() {
        Reason::Unspecified => None,
        Reason::OtherCluster => Some(Refusal::OtherCluster),
        Reason::OtherTopology => Some(Refusal::OtherTopology),
        Reason::OtherSlot => slot(wire.here).ok().map(|here| Refusal::OtherSlot { here }),
        Reason::Stale => Some(Refusal::Stale { seen: SlotIncarnation::new(wire.seen) }),
        Reason::NotOwner => Some(Refusal::NotOwner { version }),
        Reason::NotYet => Some(Refusal::NotYet { version }),
        Reason::NoSuchLane => Some(Refusal::NoSuchLane),
        Reason::Malformed => Some(Refusal::Malformed),
        Reason::Stopping => Some(Refusal::Stopping),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_slot(number: u16) -> SlotId {
        SlotId { worker: "node-1".parse().unwrap(), number }
    }

    fn some_hello() -> Hello {
        Hello {
            cluster: ClusterId::new(7).unwrap(),
            topology: "words".parse().unwrap(),
            version: AssignmentVersion::new(3),
            from: some_slot(1),
            incarnation: SlotIncarnation::new(4),
            to: some_slot(2),
        }
    }

    #[test]
    fn a_hello_and_a_welcome_come_back_as_they_were() {
        assert_eq!(read_hello(hello(&some_hello(), true)), Ok(some_hello()));
        let lane = |number| RemoteLane { number: LaneNumber(number), component: 9, tasks: vec![TaskId::new(1)] };
        let said = Welcome {
            incarnation: SlotIncarnation::new(5),
            version: AssignmentVersion::new(6),
            lanes: vec![lane(0), lane(u16::MAX)],
        };
        assert_eq!(read_welcome(welcome(&said, false)), Ok(said));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let good = hello(&some_hello(), false);
        let bad = [
            wire::PeerHello { cluster_id: 0, ..good.clone() },
            wire::PeerHello { topology: "no name".to_owned(), ..good.clone() },
            wire::PeerHello { from: None, ..good.clone() },
            wire::PeerHello { to: Some(wire::PeerName { worker: "w".to_owned(), number: 65_536 }), ..good },
        ];
        for hello in bad {
            assert!(read_hello(hello.clone()).is_err(), "{hello:?}");
        }
        let unordered = wire::PeerLane { number: 1, component: 1, tasks: vec![2, 2] };
        assert!(read_welcome(wire::PeerWelcome { lanes: vec![unordered], ..Default::default() }).is_err());
    }

    #[test]
    fn every_refusal_goes_through_a_status() {
        let version = AssignmentVersion::new(9);
        let all = [
            Refusal::OtherCluster,
            Refusal::OtherTopology,
            Refusal::OtherSlot { here: some_slot(3) },
            Refusal::Stale { seen: SlotIncarnation::new(8) },
            Refusal::NotOwner { version },
            Refusal::NotYet { version },
            Refusal::NoSuchLane,
            Refusal::Malformed,
            Refusal::Stopping,
        ];
        for said in all {
            assert_eq!(read_refusal(&refusal(&said, "words")), Some(said));
        }
        assert_eq!(read_refusal(&Status::failed_precondition("no details")), None);
        assert_eq!(read_refusal(&Status::unavailable("gone")), None);
    }

    #[test]
    fn channels_are_told_by_a_word() {
        for said in [Channel::Acks, Channel::Lane(LaneNumber(0)), Channel::Lane(LaneNumber(u16::MAX))] {
            assert_eq!(read_channel(&channel(said)), Some(said));
        }
        for word in ["", "lane", "-1", "65536", "Acks"] {
            assert_eq!(read_channel(word), None, "{word}");
        }
    }
}
