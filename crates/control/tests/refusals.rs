//! What people read when something was refused: the message, the way out, and the page that shows them.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeSet;

use common::{blob, executor, name, raft_id, slot, worker};
use squall_control::{
    BlobUse, Compacted, DecodeError, Envelope, LevelBlocker, Limit, Misfit, Phase, Refusal, Step, Subject, Supported,
    TokenId,
};
use squall_types::cluster::{
    AssignmentVersion, FeatureLevel, Revision, TopologyVersion, UnixMillis, WorkerIncarnation,
};
use squall_types::{Code, Retry, codes};

/// Refusals with the messages that they give. Of each code the first is the one that its page shows.
#[allow(clippy::too_many_lines, reason = "a table, an entry for each refusal")]
fn messages() -> Vec<(Refusal, &'static str)> {
    let words = || name("word-count");
    let (early, late) = (UnixMillis::new(1_790_000_000_000), UnixMillis::new(1_790_000_150_000));
    vec![
        (
            Refusal::UnknownTopology { name: name("wrod-count"), nearest: Some(words()) },
            "there is no topology wrod-count; did you mean word-count?",
        ),
        (Refusal::UnknownTopology { name: name("x"), nearest: None }, "there is no topology x"),
        (
            Refusal::UnknownWorker { name: worker("nod-1"), nearest: Some(worker("node-1")) },
            "there is no worker nod-1; did you mean node-1?",
        ),
        (
            Refusal::RequestTooOld { made_at: early, now: late },
            "the request was made 150 s before the cluster's time; whether it was run before is no longer known, so it is not run",
        ),
        (
            Refusal::NotAsExpected {
                subject: Subject::Topology(words()),
                expected: Revision::new(790),
                actual: Revision::new(812),
            },
            "topology word-count was last changed at revision 812, not 790",
        ),
        (
            Refusal::RequestFromTheFuture { made_at: late, now: early },
            "the request was made 150 s after the cluster's time",
        ),
        (
            Refusal::NotNow { name: words(), phase: Phase::Killed, step: Step::Activate },
            "topology word-count is killed, so this can't be done: activate",
        ),
        (
            Refusal::UnknownVersion {
                name: words(),
                version: TopologyVersion::new(3),
                oldest: TopologyVersion::new(5),
                current: TopologyVersion::new(14),
            },
            "topology word-count has no version 3 to go back to; it keeps versions 5 to 14, and 14 is the current one",
        ),
        (
            Refusal::Unreadable { name: words(), line: 12, column: 7 },
            "the description of topology word-count can't be read as a topology, from line 12, column 7 on",
        ),
        (
            Refusal::Invalid { name: words(), problem: codes::ZERO_PARALLELISM, others: 2 },
            "topology word-count is not valid: SQ1014 and 2 more",
        ),
        (
            Refusal::Invalid { name: words(), problem: codes::ZERO_PARALLELISM, others: 0 },
            "topology word-count is not valid: SQ1014",
        ),
        (
            Refusal::WorkerInUse { name: worker("node-1"), topology: words() },
            "worker node-1 can't be forgotten: executors of topology word-count are placed on it",
        ),
        (
            Refusal::StaleWorker {
                name: worker("node-1"),
                known: WorkerIncarnation::new(5),
                given: WorkerIncarnation::new(4),
            },
            "worker node-1 has registered in its life 5, this is its life 4",
        ),
        (Refusal::NameTaken(words()), "there is a topology word-count already"),
        (
            Refusal::KeyGroupsChanged { name: words(), current: 1_024, asked: 64 },
            "topology word-count has 1024 key groups, the new version 64; their number is fixed for a topology's life",
        ),
        (Refusal::UnknownBlob(blob(0xab)), "the cluster has no package abababababab"),
        (
            Refusal::StaleAssignment {
                name: words(),
                parent: AssignmentVersion::new(7),
                current: AssignmentVersion::new(8),
            },
            "the assignment of topology word-count was derived from version 7, but version 8 is the current one",
        ),
        (
            misfit(Misfit::SlotTaken { slot: slot("node-1", 2), topology: name("other") }),
            "the assignment of topology word-count does not fit: slot node-1/2 belongs to topology other",
        ),
        (
            Refusal::WaitNotOver { name: words(), stops_at: late, now: early },
            "topology word-count is to run until 2026-09-21T14:15:50.000Z, and it is 2026-09-21T14:13:20.000Z",
        ),
        (
            Refusal::BlobInUse {
                id: blob(0xab),
                blocker: BlobUse::Referred { topology: words(), version: TopologyVersion::new(3) },
            },
            "package abababababab can't be forgotten yet: word-count@3 refers to it",
        ),
        (
            Refusal::BlobInUse { id: blob(0xab), blocker: BlobUse::Recent(early) },
            "package abababababab can't be forgotten yet: it has been unused only since 2026-09-21T14:13:20.000Z",
        ),
        (
            Refusal::NotNewer { given: Revision::new(811), current: Revision::new(812) },
            "the command stands at revision 811 in the log, and the state is at 812 already",
        ),
        (Refusal::UnknownToken(TokenId::new(0xab)), "there is no token 00000000000000ab"),
        (
            Refusal::TokenTaken(TokenId::new(0xab)),
            "there is a token with the id or the secret of 00000000000000ab already",
        ),
        (Refusal::UnknownMaster(raft_id(0xab)), "there is no master with the raft id 00000000000000ab"),
        (
            level(LevelBlocker::Member { name: "b".parse().unwrap(), reported: FeatureLevel::new(1) }),
            "the cluster has feature level 1 and can't go to 2: master b has reported 1",
        ),
        (level(LevelBlocker::NotHigher), "the cluster has feature level 1 and can't go to 2: levels only rise"),
        (
            Refusal::TooMuch { what: Limit::Description, most: 1_048_576 },
            "bytes in a topology's description: at most 1048576",
        ),
    ]
}

fn misfit(misfit: Misfit) -> Refusal {
    Refusal::Misfit { name: name("word-count"), misfit }
}

fn level(blocker: LevelBlocker) -> Refusal {
    Refusal::Level { asked: FeatureLevel::new(2), current: FeatureLevel::new(1), blocker }
}

fn page(code: Code) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{code}.md"));
    std::fs::read_to_string(path).unwrap()
}

/// Checks a page's example.
fn is_shown(code: Code, message: &str) {
    let example = format!("```text\n{code}: {message}\n```");
    assert!(page(code).contains(&example), "the page of {code} lacks:\n{example}");
}

#[test]
fn each_refusal_says_what_is_wrong() {
    for (refusal, message) in messages() {
        assert_eq!(refusal.to_string(), message);
    }
}

#[test]
fn each_page_shows_the_message_as_it_is_given() {
    let mut seen = BTreeSet::new();
    for (refusal, message) in messages() {
        if seen.insert(refusal.code()) {
            is_shown(refusal.code(), message);
        }
    }
    let pages = |code: &&Code| (5_001..=5_025).contains(&code.number()) && **code != codes::EVENTS_COMPACTED;
    assert!(Code::all().iter().filter(pages).all(|code| seen.contains(code)), "a code without a message");
}

#[test]
fn the_pages_of_other_errors_show_theirs() {
    let compacted = Compacted { from: Revision::new(100), oldest: Revision::new(4_812) };
    is_shown(compacted.code(), &compacted.to_string());
    let level = FeatureLevel::new(3);
    let newer = DecodeError::NewerLevel { what: "command", level, supported: FeatureLevel::new(2) };
    is_shown(newer.code(), &newer.to_string());
    let damaged = DecodeError::Damaged { what: "state", found: 0xab, expected: 0xcd };
    is_shown(damaged.code(), &damaged.to_string());
}

#[test]
fn each_refusal_names_a_way_out() {
    for (refusal, _) in messages() {
        let step = refusal.next_step();
        assert!(step.len() > 15 && !step.ends_with('.'), "{refusal}: {step}");
    }
    let alive = Refusal::NotNow { name: name("x"), phase: Phase::Active, step: Step::Finish };
    assert!(alive.next_step().contains("lifecycle"));
}

#[test]
fn only_what_time_or_others_can_mend_may_be_asked_again() {
    let again: BTreeSet<_> =
        messages().into_iter().filter(|(refusal, _)| refusal.retry() == Retry::Later).map(|it| it.0.code()).collect();
    let expected = BTreeSet::from([
        codes::WAIT_NOT_OVER,
        codes::UNKNOWN_BLOB,
        codes::BLOB_IN_USE,
        codes::WORKER_IN_USE,
        codes::LEVEL_OUT_OF_REACH,
        codes::REQUEST_FROM_THE_FUTURE,
        codes::UNKNOWN_MASTER,
    ]);
    assert_eq!(again, expected);
}

#[test]
fn each_misfit_says_what_does_not_fit() {
    let topology = |number| TopologyVersion::new(number);
    let misfits = [
        (
            Misfit::Version { given: topology(1), current: topology(2) },
            "it places version 1, but version 2 is the current one",
        ),
        (
            Misfit::Gap { given: AssignmentVersion::new(9), next: AssignmentVersion::new(8) },
            "its version is 9, and the one after its parent's is 8",
        ),
        (Misfit::Missing(executor(3, 5)), "executor [3 5] is neither placed nor said to be unplaced"),
        (Misfit::Unknown(executor(3, 5)), "the topology has no executor [3 5]"),
        (Misfit::Twice(executor(3, 5)), "executor [3 5] is both placed and unplaced"),
        (Misfit::NoWorker(worker("node-9")), "worker node-9 is not registered"),
        (Misfit::NoSlot { slot: slot("node-1", 4), slots: 4 }, "there is no slot node-1/4: the worker has 4"),
    ];
    for (it, text) in misfits {
        assert_eq!(it.to_string(), text);
        assert_eq!(misfit(it).code(), codes::ASSIGNMENT_MISFIT);
    }
}

#[test]
fn each_limit_says_of_what() {
    for (limit, text) in [
        (Limit::AllDescriptions, "bytes in the descriptions of all versions of all topologies"),
        (Limit::Command, "bytes in a command"),
        (Limit::Config, "bytes in a topology's settings"),
        (Limit::Topologies, "topologies in the cluster"),
        (Limit::AntiAffinity, "topologies to be kept away from"),
        (Limit::Workers, "workers in the cluster"),
        (Limit::Tags, "tags of a worker"),
        (Limit::Slots, "slots of a worker"),
        (Limit::Blobs, "packages in the cluster"),
        (Limit::Tokens, "tokens in the cluster"),
    ] {
        assert_eq!(Refusal::TooMuch { what: limit, most: 7 }.to_string(), format!("{text}: at most 7"));
    }
}

#[test]
fn what_was_read_and_made_no_sense_keeps_its_source() {
    let mut bytes = b"SQCM\x01".to_vec();
    bytes.extend([0; 8]);
    bytes.extend(xxhash_rust::xxh3::xxh3_64(b"").to_le_bytes());
    let error = Envelope::decode(&bytes, Supported::newest()).unwrap_err();
    assert_eq!(error.to_string(), "the command is whole, but can't be read");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(error.retry(), Retry::No);
}
