//! How commands and states are written: readable by every later release, and harmless whatever the bytes.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::{Log, samples, submission};
use proptest::prelude::*;
use squall_control::{Command, DecodeError, Envelope, LONGEST_COMMAND, State, Submit, Supported};
use squall_types::cluster::FeatureLevel;
use squall_types::{Code, codes};
use xxhash_rust::xxh3::xxh3_64;

const HEADER: usize = 21;

/// A history with a command of each kind, and where it led.
fn history() -> (Vec<Envelope>, Log) {
    let mut log = Log::new();
    let mut envelopes = Vec::new();
    for command in samples::all() {
        let mut envelope = log.envelope(command);
        if envelopes.len() % 3 == 0 {
            (envelope.actor, envelope.origin) = (None, None);
        }
        log.apply(&envelope);
        envelopes.push(envelope);
    }
    (envelopes, log)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What stands in a golden file. Written with `SQUALL_WRITE_GOLDEN=1`, when kinds of commands are added: what stands there must not change.
fn golden(file: &str, now: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if common::writes_golden() {
        std::fs::write(&path, now).unwrap();
    }
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn there_is_a_sample_of_each_kind_of_command() {
    let kinds: BTreeSet<_> = samples::all().iter().map(samples::kind).collect();
    assert_eq!(kinds.len(), 22);
}

#[test]
fn commands_of_earlier_releases_are_read_and_written_as_they_were() {
    let (envelopes, _) = history();
    let line = |it: &Envelope| format!("{} {}\n", samples::kind(&it.command), hex(&it.encode().unwrap()));
    let golden = golden("commands.txt", &envelopes.iter().map(line).collect::<String>());
    assert_eq!(golden.lines().count(), envelopes.len());
    for (line, envelope) in golden.lines().zip(envelopes) {
        let (kind, bytes) = line.split_once(' ').unwrap();
        let decoded = Envelope::decode(&unhex(bytes), Supported::newest()).unwrap();
        assert_eq!(decoded, envelope, "{kind}");
        assert_eq!(hex(&decoded.encode().unwrap()), bytes, "{kind}");
    }
}

/// A state with something of everything in it.
fn full() -> State {
    let (_, mut log) = history();
    log.done(common::store(2, &[3]));
    log.done(common::with_package("second", 2, false));
    log.done(common::register("w2", 1, 2));
    log.assign("second", &[common::slot("w2", 1)]).reply.unwrap();
    log.done(common::kill("second", 60_000));
    log.state
}

#[test]
fn states_of_earlier_releases_are_read_and_written_as_they_were() {
    let state = full();
    let golden = golden("state.txt", &(hex(&state.encode()) + "\n"));
    let decoded = State::decode(&unhex(golden.trim()), Supported::newest()).unwrap();
    assert_eq!(decoded, state);
    assert_eq!(hex(&decoded.encode()), golden.trim());
}

#[test]
fn the_digest_is_of_the_whole_state_and_nothing_else() {
    let (envelopes, log) = history();
    let mut again = Log::new();
    for envelope in &envelopes[..envelopes.len() - 1] {
        again.apply(envelope);
    }
    assert_ne!(again.state.digest(), log.state.digest());
    again.apply(&envelopes[envelopes.len() - 1]);
    assert_eq!(again.state.digest(), log.state.digest());
}

fn code_of(bytes: &[u8], supported: Supported) -> Code {
    let command = Envelope::decode(bytes, supported).unwrap_err();
    assert!(!command.next_step().is_empty());
    command.code()
}

#[test]
fn a_command_of_a_newer_level_stops_a_build_of_the_level_before_with_its_reason() {
    let old = Supported::level(FeatureLevel::new(1));
    let (envelopes, _) = history();
    for envelope in envelopes {
        let bytes = envelope.encode().unwrap();
        if envelope.command.level() <= old.get() {
            assert_eq!(Envelope::decode(&bytes, old).unwrap(), envelope);
        } else {
            assert_eq!(code_of(&bytes, old), codes::WRITTEN_BY_NEWER);
            let text = Envelope::decode(&bytes, old).unwrap_err().to_string();
            assert_eq!(text, "the command needs feature level 2; this build has 1");
        }
    }
}

#[test]
fn a_snapshot_of_a_cluster_at_a_newer_level_is_not_read_by_the_level_before() {
    let old = Supported::level(FeatureLevel::new(1));
    let before = Log::at_level(1).state;
    assert_eq!(State::decode(&before.encode(), old).unwrap(), before);
    let error = State::decode(&Log::at_level(2).state.encode(), old).unwrap_err();
    assert!(matches!(error, DecodeError::NewerLevel { what: "state", .. }), "{error}");
}

/// Writes the right checksum over a changed body, so that what reads the body is reached.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = xxh3_64(&bytes[HEADER..]);
    bytes[HEADER - 8..HEADER].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn each_kind_of_wrong_bytes_is_told_apart() {
    let good = history().0[0].encode().unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let newest = Supported::newest();
    let error = |bytes: &[u8]| Envelope::decode(bytes, newest).unwrap_err();
    assert!(matches!(error(b""), DecodeError::Foreign { .. }));
    assert!(matches!(error(&full().encode()), DecodeError::Foreign { what: "command" }));
    assert!(matches!(error(&good[..HEADER - 1]), DecodeError::Length { bytes: 20, .. }));
    assert!(matches!(error(&changed(4, 2)), DecodeError::NewerFormat { format: 2, .. }));
    assert!(matches!(error(&changed(HEADER + 3, 0xff)), DecodeError::Damaged { .. }));
    assert!(matches!(error(&good[..good.len() - 1]), DecodeError::Damaged { .. }));
    let longer = sealed([good.as_slice(), &[0]].concat());
    assert!(matches!(error(&longer), DecodeError::Malformed { .. }), "what follows the body is no part of it");
    assert_eq!(code_of(&changed(4, 2), newest), codes::WRITTEN_BY_NEWER);
    assert_eq!(code_of(&longer, newest), codes::UNREADABLE_RECORD);
}

#[test]
fn a_command_too_long_to_be_read_is_not_written() {
    let mut log = Log::new();
    let description = "x".repeat(LONGEST_COMMAND).into();
    let envelope = log.envelope(Command::Submit(Box::new(Submit { description, ..submission("words") })));
    assert_eq!(envelope.encode().unwrap_err().code(), codes::TOO_MUCH);
    let mut bytes = history().0[0].encode().unwrap();
    bytes.resize(LONGEST_COMMAND + 1, 0);
    assert!(matches!(Envelope::decode(&bytes, Supported::newest()), Err(DecodeError::Length { .. })));
}

#[test]
fn a_length_that_the_bytes_do_not_have_allocates_nothing_of_that_size() {
    let bytes = full().encode();
    for at in HEADER..bytes.len() {
        // A varint of 2⁶³ where something stood; most places are lengths of nothing, some of lists and texts.
        let huge = [&bytes[..at], &[0xff; 8], &[0x7f], &bytes[at..]].concat();
        let _ = State::decode(&sealed(huge), Supported::newest());
    }
}

/// Bytes that were changed in some places, and cut.
fn changed(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let places = bytes.len() - HEADER;
    let changes = proptest::collection::vec((0..places, any::<u8>()), 0..6);
    (changes, 0..=places).prop_map(move |(changes, cut)| {
        let mut bytes = bytes.clone();
        for (place, byte) in changes {
            bytes[HEADER + place] = byte;
        }
        // Most often nothing is cut.
        if cut % 4 == 0 {
            bytes.truncate(HEADER + cut);
        }
        sealed(bytes)
    })
}

fn any_changed_command() -> impl Strategy<Value = Vec<u8>> {
    let encoded: Vec<_> = history().0.iter().map(|it| it.encode().unwrap()).collect();
    proptest::sample::select(encoded).prop_flat_map(changed)
}

proptest! {
    #[test]
    fn no_bytes_panic_a_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..200), state: bool) {
        let magic: &[u8] = if state { b"SQST\x01" } else { b"SQCM\x01" };
        for bytes in [bytes.clone(), [magic, &bytes].concat()] {
            let _ = Envelope::decode(&bytes, Supported::newest());
            let _ = State::decode(&bytes, Supported::newest());
        }
    }

    #[test]
    fn a_command_that_was_read_is_written_so_that_it_is_read_again_and_can_be_applied(bytes in any_changed_command()) {
        if let Ok(envelope) = Envelope::decode(&bytes, Supported::newest()) {
            let again = Envelope::decode(&envelope.encode().unwrap(), Supported::newest()).unwrap();
            prop_assert_eq!(&again, &envelope);
            let mut log = Log::with_words();
            let _ = log.apply(&envelope);
            prop_assert_eq!(State::decode(&log.state.encode(), Supported::newest()).unwrap(), log.state);
        }
    }

    #[test]
    fn a_state_that_was_read_takes_any_command(bytes in changed(full().encode())) {
        if let Ok(mut state) = State::decode(&bytes, Supported::newest()) {
            for envelope in history().0 {
                let revision = state.revision().next();
                let _ = state.apply(revision, &envelope);
            }
            prop_assert_eq!(State::decode(&state.encode(), Supported::newest()).unwrap().digest(), state.digest());
        }
    }
}
