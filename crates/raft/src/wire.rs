//! Raft's messages to and from the wire, field by field.

use protobuf::{Message as _, ProtobufEnum as _};
use raft::eraftpb;
use squall_proto::internal as wire;

use crate::store;

/// A message from the network that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message makes no sense: {0}")]
pub(crate) struct Nonsense(&'static str);

/// The most entries in one message: more than Raft ever sends.
const MOST_ENTRIES: usize = 65_536;

pub(crate) fn to_wire(mut message: eraftpb::Message) -> wire::Message {
    let snapshot = message.has_snapshot().then(|| meta_to_wire(message.get_snapshot().get_metadata()));
    wire::Message {
        r#type: number(message.get_msg_type().value()),
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries: message.take_entries().into_iter().map(entry_to_wire).collect(),
        commit: message.commit,
        commit_term: message.commit_term,
        request_snapshot: message.request_snapshot,
        reject: message.reject,
        reject_hint: message.reject_hint,
        context: message.take_context(),
        priority: message.priority,
        snapshot,
    }
}

fn number(value: i32) -> u32 {
    u32::try_from(value).expect("protobuf's enums start at 0")
}

fn entry_to_wire(mut entry: eraftpb::Entry) -> wire::Entry {
    let kind = number(entry.get_entry_type().value());
    wire::Entry {
        r#type: kind,
        term: entry.term,
        index: entry.index,
        data: entry.take_data(),
        context: entry.take_context(),
    }
}

fn meta_to_wire(meta: &eraftpb::SnapshotMetadata) -> wire::SnapshotMeta {
    let conf = conf_from_raft(meta.get_conf_state());
    let conf = wire::ConfState {
        voters: conf.voters,
        learners: conf.learners,
        voters_outgoing: conf.voters_outgoing,
        learners_next: conf.learners_next,
        auto_leave: conf.auto_leave,
    };
    wire::SnapshotMeta { index: meta.index, term: meta.term, conf_state: Some(conf) }
}

/// What came between two members, as Raft takes it. A snapshot's data comes apart from it.
pub(crate) fn from_wire(from: u64, to: u64, message: wire::Message) -> Result<eraftpb::Message, Nonsense> {
    let kind =
        i32::try_from(message.r#type).ok().and_then(eraftpb::MessageType::from_i32).ok_or(Nonsense("its type"))?;
    if is_local(kind) {
        return Err(Nonsense("its type is for a host's own use"));
    }
    if message.entries.len() > MOST_ENTRIES
        || message.entries.windows(2).any(|pair| pair[1].index != pair[0].index.wrapping_add(1))
    {
        return Err(Nonsense("its entries"));
    }
    check_shape(kind, &message)?;
    let mut raft = eraftpb::Message::default();
    raft.set_msg_type(kind);
    raft.from = from;
    raft.to = to;
    raft.term = message.term;
    raft.log_term = message.log_term;
    raft.index = message.index;
    raft.set_entries(message.entries.into_iter().map(entry_from_wire).collect::<Result<Vec<_>, _>>()?.into());
    raft.commit = message.commit;
    raft.commit_term = message.commit_term;
    raft.request_snapshot = message.request_snapshot;
    raft.reject = message.reject;
    raft.reject_hint = message.reject_hint;
    raft.context = message.context;
    raft.priority = message.priority;
    if let Some(meta) = message.snapshot {
        raft.mut_snapshot().set_metadata(meta_from_wire(meta));
    }
    Ok(raft)
}

/// What Raft takes for granted of a message, and would panic without.
fn check_shape(kind: eraftpb::MessageType, message: &wire::Message) -> Result<(), Nonsense> {
    let first = message.entries.first();
    let fits = match kind {
        eraftpb::MessageType::MsgReadIndex => message.entries.len() == 1,
        eraftpb::MessageType::MsgAppend => first.is_none_or(|first| first.index == message.index.wrapping_add(1)),
        _ => true,
    };
    if !fits {
        return Err(Nonsense("its entries don't belong to its type"));
    }
    check_numbers(kind, message)
}

/// Raft takes a message without a term for one of its own host, adds to terms and indices, and finds term 0 wherever its log doesn't reach.
fn check_numbers(kind: eraftpb::MessageType, message: &wire::Message) -> Result<(), Nonsense> {
    const MOST: u64 = 1 << 62;
    let wire::Message { term, log_term, index, commit, commit_term, request_snapshot, reject_hint, .. } = *message;
    if [term, log_term, index, commit, commit_term, request_snapshot, reject_hint].iter().any(|number| *number > MOST) {
        return Err(Nonsense("its numbers"));
    }
    let fits = match kind {
        eraftpb::MessageType::MsgReadIndex => true,
        eraftpb::MessageType::MsgAppend => {
            let terms = std::iter::once(log_term).chain(message.entries.iter().map(|entry| entry.term)).chain([term]);
            term > 0 && (index == 0) == (log_term == 0) && terms.is_sorted()
        }
        eraftpb::MessageType::MsgSnapshot => {
            let meta = message.snapshot.as_ref();
            meta.is_some_and(|meta| (1..=MOST).contains(&meta.index) && (1..=term).contains(&meta.term))
        }
        _ => term > 0,
    };
    if fits { Ok(()) } else { Err(Nonsense("its terms")) }
}

/// Types that a host sends to itself; from outside they would steer it.
fn is_local(kind: eraftpb::MessageType) -> bool {
    use eraftpb::MessageType::{MsgBeat, MsgCheckQuorum, MsgHup, MsgPropose, MsgSnapStatus, MsgUnreachable};
    matches!(kind, MsgHup | MsgBeat | MsgUnreachable | MsgSnapStatus | MsgCheckQuorum | MsgPropose)
}

fn meta_from_wire(meta: wire::SnapshotMeta) -> eraftpb::SnapshotMetadata {
    let conf = meta.conf_state.unwrap_or_default();
    let conf = store::ConfState {
        voters: conf.voters,
        learners: conf.learners,
        voters_outgoing: conf.voters_outgoing,
        learners_next: conf.learners_next,
        auto_leave: conf.auto_leave,
    };
    let mut raft = eraftpb::SnapshotMetadata { index: meta.index, term: meta.term, ..Default::default() };
    raft.set_conf_state(conf_to_raft(conf));
    raft
}

fn entry_from_wire(entry: wire::Entry) -> Result<eraftpb::Entry, Nonsense> {
    let kind =
        i32::try_from(entry.r#type).ok().and_then(eraftpb::EntryType::from_i32).ok_or(Nonsense("an entry's type"))?;
    let mut raft = eraftpb::Entry { term: entry.term, index: entry.index, ..Default::default() };
    raft.set_entry_type(kind);
    raft.data = match kind {
        eraftpb::EntryType::EntryNormal => entry.data,
        // Raft decodes these with protobuf 2, so they are made anew from what our own decoder understood.
        eraftpb::EntryType::EntryConfChangeV2 => conf_change_anew(&entry.data)?,
        eraftpb::EntryType::EntryConfChange => return Err(Nonsense("an entry's type, which isn't used")),
    };
    raft.context = entry.context;
    Ok(raft)
}

fn conf_change_anew(data: &[u8]) -> Result<bytes::Bytes, Nonsense> {
    const CHANGE: Nonsense = Nonsense("a change of members");
    let parsed = <wire::ConfChangeV2 as prost::Message>::decode(data).map_err(|_| CHANGE)?;
    let mut change = eraftpb::ConfChangeV2::default();
    let enumerated = |value: u32| i32::try_from(value).map_err(|_| CHANGE);
    change.set_transition(eraftpb::ConfChangeTransition::from_i32(enumerated(parsed.transition)?).ok_or(CHANGE)?);
    for single in parsed.changes {
        let mut step = eraftpb::ConfChangeSingle { node_id: single.node_id, ..Default::default() };
        step.set_change_type(eraftpb::ConfChangeType::from_i32(enumerated(single.change_type)?).ok_or(CHANGE)?);
        change.mut_changes().push(step);
    }
    change.context = parsed.context;
    Ok(change.write_to_bytes().map_err(|_| CHANGE)?.into())
}

pub(crate) fn conf_from_raft(conf: &eraftpb::ConfState) -> store::ConfState {
    store::ConfState {
        voters: conf.get_voters().to_vec(),
        learners: conf.get_learners().to_vec(),
        voters_outgoing: conf.get_voters_outgoing().to_vec(),
        learners_next: conf.get_learners_next().to_vec(),
        auto_leave: conf.auto_leave,
    }
}

pub(crate) fn conf_to_raft(conf: store::ConfState) -> eraftpb::ConfState {
    let mut raft = eraftpb::ConfState::default();
    raft.set_voters(conf.voters);
    raft.set_learners(conf.learners);
    raft.set_voters_outgoing(conf.voters_outgoing);
    raft.set_learners_next(conf.learners_next);
    raft.auto_leave = conf.auto_leave;
    raft
}

pub(crate) fn entry_to_store(entry: &eraftpb::Entry) -> store::Entry {
    let kind = u8::try_from(entry.get_entry_type().value()).expect("there are three types of entry");
    store::Entry {
        index: entry.index,
        term: entry.term,
        kind,
        data: entry.data.to_vec(),
        context: entry.context.to_vec(),
    }
}

/// An entry that this crate has written.
pub(crate) fn entry_from_store(entry: store::Entry) -> Option<eraftpb::Entry> {
    let mut raft = eraftpb::Entry { index: entry.index, term: entry.term, ..Default::default() };
    raft.set_entry_type(eraftpb::EntryType::from_i32(i32::from(entry.kind))?);
    raft.data = entry.data.into();
    raft.context = entry.context.into();
    Some(raft)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> eraftpb::Entry {
        let mut single = eraftpb::ConfChangeSingle { node_id: 9, ..Default::default() };
        single.set_change_type(eraftpb::ConfChangeType::AddLearnerNode);
        let mut change = eraftpb::ConfChangeV2::default();
        change.mut_changes().push(single);
        change.context = b"who".to_vec().into();
        let mut entry = eraftpb::Entry { term: 2, index: 6, ..Default::default() };
        entry.set_entry_type(eraftpb::EntryType::EntryConfChangeV2);
        entry.data = change.write_to_bytes().unwrap().into();
        entry
    }

    #[test]
    fn a_change_of_members_arrives_as_it_was_sent() {
        assert_eq!(entry_from_wire(entry_to_wire(change())).unwrap(), change());
    }

    #[test]
    fn an_empty_change_which_ends_a_joint_configuration_arrives_too() {
        let mut entry = change();
        entry.data = bytes::Bytes::new();
        assert_eq!(entry_from_wire(entry_to_wire(entry.clone())).unwrap(), entry);
    }

    #[test]
    fn types_that_steer_a_host_are_refused() {
        for kind in [0, 1, 2, 10, 11, 12, 99, u32::MAX] {
            let message = wire::Message { r#type: kind, ..Default::default() };
            assert!(from_wire(1, 2, message).is_err(), "{kind}");
        }
    }

    #[test]
    fn a_message_with_terms_that_no_leader_has_is_refused() {
        let heartbeat = |term| wire::Message { r#type: 8, term, ..Default::default() };
        assert!(from_wire(1, 2, heartbeat(1)).is_ok());
        assert!(from_wire(1, 2, heartbeat(0)).is_err() && from_wire(1, 2, heartbeat(u64::MAX)).is_err());
        let append = |index, log_term, term| wire::Message { r#type: 3, index, log_term, term, ..Default::default() };
        assert!(from_wire(1, 2, append(5, 1, 2)).is_ok());
        assert!(from_wire(1, 2, append(5, 3, 2)).is_err() && from_wire(1, 2, append(5, 0, 2)).is_err());
    }

    #[test]
    fn a_message_whose_entries_raft_would_panic_at_is_refused() {
        let entry = wire::Entry { index: 7, term: 2, ..Default::default() };
        let message = |kind: eraftpb::MessageType, index, entries| wire::Message {
            r#type: number(kind.value()),
            term: 2,
            log_term: 1,
            index,
            entries,
            ..Default::default()
        };
        let read = eraftpb::MessageType::MsgReadIndex;
        assert!(from_wire(1, 2, message(read, 0, Vec::new())).is_err());
        assert!(from_wire(1, 2, message(read, 0, vec![entry.clone()])).is_ok());
        let append = eraftpb::MessageType::MsgAppend;
        assert!(from_wire(1, 2, message(append, 9, vec![entry.clone()])).is_err());
        assert!(from_wire(1, 2, message(append, u64::MAX, vec![entry.clone()])).is_err());
        assert!(from_wire(1, 2, message(append, 6, vec![entry])).is_ok());
    }

    proptest! {
        #[test]
        fn a_message_arrives_as_it_was_sent(kind in 3_i32..10, numbers: [u64; 8], reject: bool, context: Vec<u8>, data: Vec<Vec<u8>>) {
            let numbers = numbers.map(|number| number >> 2);
            let (term, log_term) = (numbers[0].max(numbers[1]) + 1, numbers[0].min(numbers[1]) + 1);
            let mut message = eraftpb::Message { from: 1, to: 2, term, log_term, ..Default::default() };
            message.set_msg_type(eraftpb::MessageType::from_i32(kind).unwrap());
            (message.commit, message.commit_term) = (numbers[3], numbers[4]);
            (message.request_snapshot, message.reject_hint, message.reject) = (numbers[5], numbers[6], reject);
            message.context = context.into();
            let first = numbers[2] % 1_000_000 + 2;
            message.index = first - 1;
            if kind == 7 {
                let mut meta = eraftpb::SnapshotMetadata { index: first, term: log_term, ..Default::default() };
                meta.mut_conf_state().set_voters(vec![1, 2]);
                message.mut_snapshot().set_metadata(meta);
            }
            let data = if kind == 9 { vec![Vec::new()] } else { data };
            let entries: Vec<_> = data.into_iter().zip(first..).map(|(data, index)| eraftpb::Entry { index, term: log_term, data: data.into(), ..Default::default() }).collect();
            message.set_entries(entries.into());
            prop_assert_eq!(from_wire(1, 2, to_wire(message.clone())).unwrap(), message);
        }

        #[test]
        fn no_bytes_panic_what_reads_messages(bytes: Vec<u8>) {
            use prost::Message as _;
            if let Ok(message) = wire::Message::decode(&*bytes) {
                let _ = from_wire(1, 2, message);
            }
            if let Ok(envelope) = wire::Envelope::decode(&*bytes) {
                let _ = envelope.message.map(|message| from_wire(envelope.from, envelope.to, message));
            }
            let _ = wire::SnapshotChunk::decode(&*bytes);
        }

        #[test]
        fn no_entry_panics_the_reader(kind in 0_u32..4, data: Vec<u8>, context: Vec<u8>) {
            let _ = entry_from_wire(wire::Entry { r#type: kind, term: 1, index: 1, data: data.into(), context: context.into() });
        }
    }
}
