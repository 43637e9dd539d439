//! Any history of commands, right and wrong, retried and reordered, leads every master to the same state, wherever it was restored.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{
    Log, blob, kill, name, next_assignment, parallel, raft_id, rebalance, register, seat, seed, slot, store,
    submission, token, words, worker,
};
use proptest::prelude::*;
use proptest::sample::Index;
use squall_control::{
    Assign, Command, Envelope, Event, Fate, Line, NewToken, Outcome, Rebalance, Rebirth, State, Submit, Supported,
    TokenId, WINDOW, WorkerRecord,
};
use squall_types::cluster::{
    AssignmentVersion, BlobId, FeatureLevel, RequestId, Revision, SlotId, TopologyName, TopologyVersion, UnixMillis,
    WorkerIncarnation,
};

const TOPOLOGIES: [&str; 3] = ["t0", "t1", "t2"];

/// One entry of the log to be: which command, with numbers that choose its details.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    which: u8,
    detail: u8,
    /// Milliseconds that pass before it.
    passes: u64,
    /// How far the caller's clock is ahead of the leader's, in milliseconds.
    ahead: i64,
    /// What is expected: nothing, what is there, something else.
    expects: u8,
    /// Which earlier entry a retry repeats.
    earlier: Index,
}

fn step() -> impl Strategy<Value = Step> {
    let passes = prop_oneof![40 => 0_u64..2_000, 4 => 0_u64..100_000, 1 => Just(3_700_000)];
    let ahead = prop_oneof![20 => -2_000_i64..2_000, 1 => -130_000_i64..130_000];
    let expects = prop_oneof![8 => Just(0_u8), 1 => Just(1), 1 => Just(2)];
    (0_u8..26, 0_u8..3, any::<u8>(), passes, ahead, expects, any::<Index>()).prop_map(
        |(kind, which, detail, passes, ahead, expects, earlier)| Step {
            kind,
            which,
            detail,
            passes,
            ahead,
            expects,
            earlier,
        },
    )
}

/// The command of a step, as who has seen this state would propose it.
fn command(step: &Step, state: &State) -> Command {
    let (which, detail) = (usize::from(step.which), step.detail);
    let of = TOPOLOGIES[which];
    let on = ["w0", "w1", "w2"][which];
    match step.kind {
        0..=4 => Command::Submit(Box::new(submit(of, detail, state))),
        5 => Command::Activate(name(of)),
        6 => Command::Deactivate(name(of)),
        7 if detail.is_multiple_of(2) => parallel(of, "count", u32::from(detail % 5)),
        7 => Command::Rebalance(Rebalance { evenly: true, max_slots: Some(u32::from(detail % 3)), ..rebalance(of) }),
        8 => kill(of, u64::from(detail)),
        9 => Command::FinishKill(state.finished(state.now()).next().cloned().unwrap_or_else(|| name(of))),
        10 => Command::Rollback {
            name: name(of),
            to: (detail < 100).then(|| TopologyVersion::new(u64::from(detail % 4))),
        },
        11..=14 => assign(of, detail, state),
        15..=16 => register(on, u64::from(detail % 3), u16::from(detail / 3 % 4)),
        17 if detail < 128 => Command::Drain(worker(on)),
        17 => Command::Undrain(worker(on)),
        18 => Command::ForgetWorker(worker(on)),
        19 => Command::RecordWorkers(vec![WorkerRecord {
            worker: worker(on),
            incarnation: WorkerIncarnation::new(u64::from(detail % 3)),
            fate: Fate::Dead { silent_ms: detail.into() },
        }]),
        20 => store(step.which, &[u64::from(detail % 4) + 1]),
        21 => Command::CollectBlobs(BTreeSet::from([blob(step.which)])),
        22 if detail < 128 => Command::CreateToken(NewToken { ..token(step.which.into(), detail % 4) }),
        22 => Command::RevokeToken(TokenId::new(step.which.into())),
        23 => Command::ReportMember {
            raft_id: raft_id(u64::from(step.which) + 1),
            name: "a".parse().unwrap(),
            address: Line::lossy("here"),
            level: FeatureLevel::new(if detail < 224 { 2 } else { 1 }),
        },
        24 => Command::Quarantine {
            worker: worker(on),
            until: (detail < 128).then(|| UnixMillis::new(detail.into())),
            strikes: 1,
        },
        _ if detail < 192 => {
            let behind = state.members().iter().find(|(_, it)| it.level < FeatureLevel::new(2));
            behind.filter(|_| detail > 8).map_or(Command::RaiseLevel(FeatureLevel::new(2)), |(id, it)| {
                let (name, address) = (it.seat.name.clone(), it.seat.address.clone());
                Command::ReportMember { raft_id: *id, name, address, level: FeatureLevel::new(2) }
            })
        }
        _ => Command::BeginEpoch(Rebirth::Recovered),
    }
}

fn submit(of: &str, detail: u8, state: &State) -> Submit {
    let mut topology = words(u32::from(detail % 8).min(3));
    if detail > 240 {
        topology.key_groups = 64;
    }
    let known: Vec<_> = state.blobs().keys().copied().collect();
    let stored = known.get(usize::from(detail) % known.len().max(1)).copied();
    Submit {
        description: common::json(&topology).into(),
        package: if detail.is_multiple_of(32) { Some(blob(9)) } else { stored.filter(|_| detail.is_multiple_of(3)) },
        inactive: detail.is_multiple_of(5),
        update: !detail.is_multiple_of(4),
        ..submission(of)
    }
}

/// Mostly the next assignment, to slots that are free or the topology's own; now and then one that does not fit.
fn assign(of: &str, detail: u8, state: &State) -> Command {
    let mine = |slot: &SlotId| state.slots().get(slot).is_none_or(|owner| owner.as_str() == of);
    let all = state
        .workers()
        .iter()
        .flat_map(|(worker, it)| (0..it.registration.slots).map(|number| SlotId { worker: worker.clone(), number }));
    let mut slots: Vec<_> = all.filter(|slot| detail.is_multiple_of(9) || mine(slot)).collect();
    let turn = usize::from(detail) % slots.len().max(1);
    slots.rotate_left(turn);
    slots.truncate(1 + usize::from(detail % 3));
    if slots.is_empty() {
        slots.push(slot("w0", 7));
    }
    let known = state.topology(&name(of)).map(|it| next_assignment(it, &slots));
    let assignments = known.into_iter().map(|mut assignment| {
        match detail % 16 {
            0 => assignment.parent = AssignmentVersion::new(1),
            1 => drop(assignment.places.pop_first()),
            2 => assignment.topology = TopologyVersion::new(1),
            _ => {}
        }
        (name(of), assignment)
    });
    Command::Assign(Assign { planned_at: state.revision(), assignments: assignments.collect() })
}

/// Writes a log from steps, following a state of its own as a leader does. Retries carry the request of an earlier entry.
fn written(steps: &[Step]) -> Vec<Envelope> {
    let mut log = Log::at_level(1);
    let mut envelopes: Vec<Envelope> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        log.now += step.passes;
        let mut envelope = if step.detail.is_multiple_of(6) && !envelopes.is_empty() {
            Envelope { at: UnixMillis::new(log.now), ..envelopes[step.earlier.index(envelopes.len())].clone() }
        } else {
            let made_at = UnixMillis::new(log.now.saturating_add_signed(step.ahead));
            let fresh = log.envelope(command(step, &log.state));
            Envelope { request: RequestId::new(made_at, number as u128), ..fresh }
        };
        if let Some(subject) = envelope.command.subject().filter(|_| step.expects > 0) {
            let there = log.state.changed_at(&subject).unwrap_or(Revision::ZERO);
            envelope.expected = Some(if step.expects == 1 { there } else { there.next() });
        }
        log.apply(&envelope);
        envelopes.push(envelope);
    }
    envelopes
}

fn replayed(envelopes: &[Envelope]) -> State {
    let mut state = State::new(seed(1));
    for envelope in envelopes {
        state.apply(state.revision().next(), envelope);
    }
    state
}

/// What must hold of a state, whatever led to it.
fn check(state: &State) -> Result<(), TestCaseError> {
    let mut slots = BTreeMap::new();
    let mut used: BTreeMap<BlobId, BTreeSet<(TopologyName, TopologyVersion)>> = BTreeMap::new();
    for (name, it) in state.topologies() {
        prop_assert_eq!(name, it.name());
        let numbers: Vec<_> = it.versions().map(|version| version.version).collect();
        prop_assert!(numbers.windows(2).all(|pair| pair[0].next() == pair[1]), "{numbers:?}");
        prop_assert!(numbers.len() <= squall_control::VERSIONS_KEPT);
        for version in it.versions() {
            if let Some(package) = version.package {
                used.entry(package).or_default().insert((name.clone(), version.version));
            }
        }
        for slot in it.slots() {
            let owner = slots.entry(slot.clone()).or_insert(name);
            prop_assert_eq!(*owner, name, "{} belongs to two", slot);
            prop_assert!(state.worker(&slot.worker).is_some(), "{slot} is on a worker that was forgotten");
        }
    }
    prop_assert!(slots.iter().map(|(slot, name)| (slot, *name)).eq(state.slots().iter()));
    for (package, users) in &used {
        prop_assert_eq!(&state.blobs()[package].used_by, users);
    }
    for (package, it) in state.blobs() {
        prop_assert_eq!(it.unused_since.is_none(), used.contains_key(package));
    }
    Ok(())
}

/// What must hold of a step from one state to the next.
fn check_step(before: &State, envelope: &Envelope, outcome: &Outcome, after: &State) -> Result<(), TestCaseError> {
    prop_assert!(before.now() <= after.now() && before.revision() < after.revision());
    prop_assert!(before.epoch() <= after.epoch() && before.level() <= after.level());
    if outcome.repeated || outcome.reply.is_err() {
        prop_assert_eq!(&outcome.events, &[] as &[Event]);
        prop_assert_eq!(before.topologies(), after.topologies());
        prop_assert_eq!(before.workers(), after.workers());
        prop_assert_eq!(before.blobs(), after.blobs());
    } else if let Some((expected, subject)) = envelope.expected.zip(envelope.command.subject()) {
        let there = before.changed_at(&subject).unwrap_or(Revision::ZERO);
        prop_assert_eq!(there, expected, "{} was changed by who hadn't seen it", subject);
    }
    for (name, new) in after.topologies() {
        let old = before.topology(name);
        let parent = old.map_or(before.retired(), squall_control::Deployed::parent);
        prop_assert!(new.parent() == parent || new.parent() == parent.next(), "{name}: versions are a chain");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_what_must_hold(steps in proptest::collection::vec(step(), 1..80)) {
        let mut state = State::new(seed(1));
        for envelope in written(&steps) {
            let before = state.clone();
            let outcome = state.apply(state.revision().next(), &envelope);
            check_step(&before, &envelope, &outcome, &state)?;
            check(&state)?;
        }
    }

    #[test]
    fn any_cut_leads_to_the_same_state_and_the_same_answers(
        steps in proptest::collection::vec(step(), 1..80),
        cuts in proptest::collection::vec(any::<Index>(), 1..4),
    ) {
        let envelopes = written(&steps);
        let cuts: BTreeSet<_> = cuts.iter().map(|cut| cut.index(envelopes.len())).collect();
        let (mut steady, mut restored) = (State::new(seed(1)), State::new(seed(1)));
        for (number, envelope) in envelopes.iter().enumerate() {
            let bytes = envelope.encode().unwrap();
            let read = Envelope::decode(&bytes, Supported::newest()).unwrap();
            let revision = steady.revision().next();
            let (one, other) = (steady.apply(revision, envelope), restored.apply(revision, &read));
            prop_assert_eq!(one, other);
            prop_assert_eq!(steady.digest(), restored.digest());
            if cuts.contains(&number) {
                restored = State::decode(&restored.encode(), Supported::newest()).unwrap();
                prop_assert_eq!(&steady, &restored);
            }
        }
    }

    #[test]
    fn no_request_is_run_twice(
        steps in proptest::collection::vec(step(), 1..40),
        retries in proptest::collection::vec((any::<Index>(), 0_u64..150_000), 0..60),
    ) {
        let mut envelopes = written(&steps);
        let mut at = envelopes[envelopes.len() - 1].at;
        for (earlier, passes) in retries {
            at = at.plus(Duration::from_millis(passes));
            envelopes.push(Envelope { at, ..envelopes[earlier.index(envelopes.len())].clone() });
        }
        let mut state = State::new(seed(1));
        let mut first: BTreeMap<RequestId, (UnixMillis, Outcome)> = BTreeMap::new();
        for envelope in &envelopes {
            let outcome = state.apply(state.revision().next(), envelope);
            match first.get(&envelope.request) {
                Some((ran, answer)) if state.now() <= ran.plus(WINDOW) => {
                    prop_assert!(outcome.repeated);
                    prop_assert_eq!((&outcome.reply, outcome.revision), (&answer.reply, answer.revision));
                }
                Some(_) => prop_assert!(outcome.reply.is_err() && !outcome.repeated),
                None if outcome.reply.is_ok() => {
                    first.insert(envelope.request, (state.now(), outcome));
                }
                None => {}
            }
        }
    }

    #[test]
    fn what_is_left_out_is_told_by_the_digest(steps in proptest::collection::vec(step(), 2..40), left_out: Index) {
        let mut envelopes = written(&steps);
        let whole = replayed(&envelopes);
        envelopes.remove(left_out.index(envelopes.len()));
        // The revision is part of the state, so even a command that changed nothing is missed.
        prop_assert_ne!(replayed(&envelopes).digest(), whole.digest());
    }
}

#[test]
fn masters_of_two_releases_agree_while_they_are_upgraded_one_by_one() {
    let builds = [1_u64, 2, 2].map(|level| Supported::level(FeatureLevel::new(level)));
    let mut states = [(); 3].map(|()| State::new(seed(1)));
    let mut log = Log::at_level(1);
    let new = || Command::Quarantine { worker: worker("w1"), until: None, strikes: 0 };
    let report = |of: u64, level| Command::ReportMember {
        raft_id: raft_id(of),
        name: seat(["a", "b", "c"][usize::try_from(of - 1).unwrap()], true).name,
        address: Line::lossy("here"),
        level: FeatureLevel::new(level),
    };
    let proposals = [
        register("w1", 1, 2),
        report(2, 2),
        report(3, 2),
        new(),
        Command::RaiseLevel(FeatureLevel::new(2)),
        parallel("t", "count", 2),
    ];
    for command in proposals {
        if !log.state.may_propose(&command) {
            continue;
        }
        let envelope = log.envelope(command);
        log.apply(&envelope);
        let bytes = envelope.encode().unwrap();
        for (state, build) in states.iter_mut().zip(builds) {
            let read = Envelope::decode(&bytes, build).expect("only what all understand is proposed");
            state.apply(state.revision().next(), &read);
            assert_eq!(state.digest(), log.state.digest());
        }
    }
    assert_eq!(log.state.level(), FeatureLevel::new(1), "one of three is not upgraded");
    for command in [report(1, 2), Command::RaiseLevel(FeatureLevel::new(2)), new()] {
        assert!(log.state.may_propose(&command));
        log.done(command);
    }
}
