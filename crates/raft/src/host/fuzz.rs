//! Disks and peers that say anything: a host refuses it or takes it, and never panics.

use proptest::collection::vec;
use proptest::prelude::*;
use raft::eraftpb::MessageType;
use squall_proto::internal as wire;

use super::*;
use crate::machine::Fatal;
use crate::store::{Batch, ConfState, Entry, HardState, Identity, Image, Snapshot, encode_image, seed};
use crate::wire::from_wire;

/// Takes everything.
struct Anything;

impl StateMachine for Anything {
    type Reply = ();

    fn apply(&mut self, _: Revision, _: &[u8]) -> Result<(), Fatal> {
        Ok(())
    }

    fn snapshot(&self) -> Vec<u8> {
        vec![7; 8]
    }

    fn restore(&mut self, _: Revision, _: &[u8]) -> Result<(), Fatal> {
        Ok(())
    }

    fn members_changed(&mut self, _: Revision, _: &Members) {}
}

fn member(number: u64) -> Member {
    let name = format!("m{number}").parse().unwrap();
    Member { id: RaftId::new(number).unwrap(), name, address: format!("m{number}:7400") }
}

fn identity() -> Identity {
    Identity { name: member(1).name, id: member(1).id, cluster: ClusterId::new(7) }
}

fn image(members: u64) -> Vec<u8> {
    encode_image(&Image { members: Members::of_voters((1..=members).map(member)), state: vec![7; 8] })
}

fn start(contents: Contents) -> Result<Host<Anything>, StopReason> {
    let keeping = Keeping { snapshot_every: 5, tail: 2 };
    Host::new(member(1).id, ClusterId::new(7).unwrap(), contents, Anything, keeping, 3)
}

/// Steps in what happens, and has all writes durable at once. A host that stops does so with a reason.
fn step(host: &mut Host<Anything>, input: Input<()>) -> Result<Vec<Message>, StopReason> {
    host.step(input);
    let mut messages = Vec::new();
    loop {
        let out = host.turn()?;
        messages.extend(out.messages);
        if out.batches.is_empty() {
            return Ok(messages);
        }
        out.batches.into_iter().for_each(|(number, _)| host.step(Input::Written(number)));
    }
}

fn conf() -> impl Strategy<Value = ConfState> {
    let ids = || vec(0_u64..5, 0..4);
    (ids(), ids(), ids(), ids(), any::<bool>()).prop_map(
        |(voters, learners, voters_outgoing, learners_next, auto_leave)| {
            // Most often as it is without changes under way.
            let plain = voters.len() > 1;
            let voters_outgoing = if plain { Vec::new() } else { voters_outgoing };
            let learners_next = if plain { Vec::new() } else { learners_next };
            ConfState { voters, learners, voters_outgoing, learners_next, auto_leave }
        },
    )
}

fn entry(index: u64) -> impl Strategy<Value = Entry> {
    (0_u64..4, 0_u8..4, vec(any::<u8>(), 0..6)).prop_map(move |(term, kind, data)| Entry {
        index,
        term,
        kind,
        data,
        context: Vec::new(),
    })
}

prop_compose! {
    fn stored()(first in 0_u64..6, count in 0_u64..6)(
        entries in (first..first + count).map(entry).collect::<Vec<_>>(),
        terms in vec(0_u64..4, 3),
        numbers in (0_u64..8, 0_u64..12, 0_u64..4),
        conf in conf(),
        image in prop_oneof![Just(image(3)), Just(image(1)), vec(any::<u8>(), 0..10)],
    ) -> Contents {
        let (index, commit, vote) = numbers;
        let hard = HardState { term: terms[0], vote, commit };
        let snapshot = Snapshot { index, term: terms[1], conf, image };
        let log = store::Log { hard, snapshot, term_before: terms[2], entries };
        Contents { identity: Some(identity()), hard, log: Some(log) }
    }
}

prop_compose! {
    fn message()(
        kind in prop_oneof![Just(MessageType::MsgAppend), (0_i32..20).prop_filter_map("a type", protobuf::ProtobufEnum::from_i32)],
        from in 2_u64..5,
        numbers in vec(prop_oneof![8 => 0_u64..9, 1 => Just(u64::MAX)], 8),
        reject: bool,
        entries in vec((0_u32..4, 0_u64..4, vec(any::<u8>(), 0..4)), 0..4),
        context in vec(any::<u8>(), 0..4),
        conf in conf(),
        data in prop_oneof![Just(image(3)), vec(any::<u8>(), 0..10)],
    ) -> (u64, wire::Message, Vec<u8>) {
        let index = numbers[0];
        let entry = |(at, (kind, term, data)): (usize, (u32, u64, Vec<u8>))| wire::Entry {
            r#type: kind, term, index: index.wrapping_add(1 + at as u64), data: data.into(), context: bytes::Bytes::new(),
        };
        let conf = wire::ConfState {
            voters: conf.voters, learners: conf.learners, voters_outgoing: conf.voters_outgoing, learners_next: conf.learners_next, auto_leave: conf.auto_leave,
        };
        let message = wire::Message {
            r#type: u32::try_from(kind as i32).unwrap(),
            index, term: numbers[1], log_term: numbers[2], commit: numbers[3], commit_term: numbers[4],
            request_snapshot: numbers[5], reject_hint: numbers[6], priority: 0, reject, context: context.into(),
            entries: entries.into_iter().enumerate().map(entry).collect(),
            snapshot: (kind == MessageType::MsgSnapshot).then_some(wire::SnapshotMeta { index: numbers[7], term: numbers[2], conf_state: Some(conf) }),
        };
        (from, message, data)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_disk_panics_a_host(contents in stored()) {
        if let Ok(mut host) = start(contents) {
            for _ in 0..40 {
                if step(&mut host, Input::Tick).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn no_messages_panic_a_host(messages in vec((message(), 0_u8..4), 1..25), ticks in 0_u8..40) {
        let batch: Batch = seed(identity(), (1..=3).map(member).collect(), vec![7; 8]);
        let mut host = start(Contents::of(batch)).unwrap();
        for _ in 0..ticks {
            step(&mut host, Input::Tick).unwrap();
        }
        for ((from, message, data), ticks) in messages {
            for _ in 0..ticks {
                if step(&mut host, Input::Tick).is_err() {
                    return Ok(());
                }
            }
            let Ok(mut message) = from_wire(from, 1, message) else { continue };
            if message.has_snapshot() {
                message.mut_snapshot().data = data.into();
            }
            if step(&mut host, Input::Peer { message, stored: None }).is_err() {
                return Ok(());
            }
        }
    }
}
