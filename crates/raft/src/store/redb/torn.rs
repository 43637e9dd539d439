//! A power cut at any moment of real writes: what was acknowledged is there afterwards, whatever became of what wasn't synced yet.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;
use squall_types::cluster::{ClusterId, RaftId};
use squall_types::codes;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::members::Member;
use crate::store::seed;

/// What a database does to its file.
#[derive(Clone, Debug)]
enum Op {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

/// A file in memory that keeps a record of what is done to it.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<(Vec<u8>, Vec<Op>)>>);

fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write(offset, data) => {
            let start = usize::try_from(*offset).unwrap();
            bytes.resize(bytes.len().max(start + data.len()), 0);
            bytes[start..start + data.len()].copy_from_slice(data);
        }
        Op::Length(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Op::Sync => {}
    }
}

impl Recorder {
    fn take(&self, op: Op) {
        let mut file = self.0.lock().unwrap();
        apply(&mut file.0, &op);
        file.1.push(op);
    }

    fn done(&self) -> usize {
        self.0.lock().unwrap().1.len()
    }
}

impl StorageBackend for Recorder {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().0.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap().0[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.take(Op::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.take(Op::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take(Op::Write(offset, data.to_vec()));
        Ok(())
    }
}

fn name() -> MasterName {
    "m1".parse().unwrap()
}

/// A log's first state, entries, a snapshot that cuts them, and entries that take the place of others.
fn batches() -> Vec<Batch> {
    let identity = Identity { name: name(), id: RaftId::new(1).unwrap(), cluster: ClusterId::new(7) };
    let member = Member { id: identity.id, name: name(), address: "m1:7400".to_owned() };
    let mut batches = vec![seed(identity, vec![member], vec![7; 300])];
    let entry = |index: u64, term| Entry { index, term, kind: 0, data: vec![7; 2_000], context: Vec::new() };
    for index in 2..=20 {
        let hard = HardState { term: 2, vote: 1, commit: index - 1 };
        batches.push(Batch { entries: vec![entry(index, 2)], hard: Some(hard), ..Batch::default() });
    }
    let conf = crate::store::ConfState { voters: vec![1], ..crate::store::ConfState::default() };
    let snapshot = Snapshot { index: 15, term: 2, conf, image: vec![9; 20_000] };
    batches.push(Batch { snapshot: Some(snapshot), first: Some((12, 2)), ..Batch::default() });
    let hard = HardState { term: 3, vote: 0, commit: 18 };
    batches.push(Batch { entries: vec![entry(19, 3), entry(20, 3)], hard: Some(hard), ..Batch::default() });
    batches
}

/// What was done to the file, what it held after each batch, and how much had been done by then.
fn recorded() -> (Vec<Op>, Vec<Contents>, Vec<usize>) {
    let recorder = Recorder::default();
    let database = Database::builder().create_with_backend(recorder.clone()).unwrap();
    let mut disk = RedbDisk { database: Some(database) };
    let (mut held, mut done) = (vec![Contents::default()], vec![recorder.done()]);
    for batch in batches() {
        disk.write(&batch).unwrap();
        held.push(disk.read().unwrap());
        done.push(recorder.done());
    }
    let ops = recorder.0.lock().unwrap().1.clone();
    (ops, held, done)
}

/// splitmix64 (Steele, Lea, Flood 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The file after a cut: all that was synced, some of what wasn't, and a part of what was under way.
fn after_a_cut(ops: &[Op], cut: usize, random: &mut u64) -> Vec<u8> {
    let synced = ops[..cut].iter().rposition(|op| matches!(op, Op::Sync)).unwrap_or(0);
    let mut bytes = Vec::new();
    ops[..synced].iter().for_each(|op| apply(&mut bytes, op));
    for op in &ops[synced..cut] {
        if next(random).is_multiple_of(2) {
            apply(&mut bytes, op);
        }
    }
    if let Some(Op::Write(offset, data)) = ops.get(cut) {
        let length = usize::try_from(next(random) % (data.len() as u64 + 1)).unwrap();
        apply(&mut bytes, &Op::Write(*offset, data[..length].to_vec()));
    }
    bytes
}

fn opened(path: &Path, bytes: &[u8]) -> Result<Contents, StorageError> {
    std::fs::write(path, bytes).unwrap();
    let (mut disk, contents) = RedbDisk::open(path, &name())?;
    // What can be read may yet be damaged where only a write looks.
    match disk.write(&Batch { hard: Some(contents.hard), ..Batch::default() }) {
        Ok(()) | Err(StorageError::Damaged { .. } | StorageError::Database(_)) => Ok(contents),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn after_a_power_cut_at_any_moment_all_is_there_that_was_acknowledged() {
    let (ops, held, done) = recorded();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.redb");
    let mut random = 7;
    for _ in 0..300 {
        let from = done[0];
        let cut = from + usize::try_from(next(&mut random) % (ops.len() - from) as u64).unwrap();
        let acknowledged = done.iter().rposition(|at| *at <= cut).unwrap();
        let found = opened(&path, &after_a_cut(&ops, cut, &mut random));
        let found = found.unwrap_or_else(|error| panic!("cut at {cut} of {}: {error:?}", ops.len()));
        // What was under way may have come through as well.
        let may_be = &held[acknowledged..held.len().min(acknowledged + 2)];
        assert!(may_be.contains(&found), "cut at {cut}, after {acknowledged} batches");
    }
}

/// Whether all parts of a log are such as were written once, whichever belong together.
fn is_made_of(found: &Contents, held: &[Contents]) -> bool {
    let Some(log) = &found.log else { return held.iter().any(|it| it.identity == found.identity) };
    let logs = || held.iter().filter_map(|it| it.log.as_ref());
    let written: Vec<_> = logs().flat_map(|it| &it.entries).collect();
    logs().any(|it| it.hard == log.hard)
        && logs().any(|it| it.snapshot == log.snapshot)
        && log.entries.iter().all(|entry| written.contains(&entry))
}

#[test]
fn a_file_that_lost_what_was_synced_is_refused_or_holds_nothing_that_was_not_written() {
    let (ops, held, _) = recorded();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.redb");
    let mut random = 11;
    for round in 0..200 {
        let mut bytes = Vec::new();
        // A disk that lies: any write may be missing, or torn.
        for op in &ops {
            match (next(&mut random) % 40, op) {
                (0, _) => {}
                (1, Op::Write(offset, data)) => apply(&mut bytes, &Op::Write(*offset, data[..data.len() / 2].to_vec())),
                _ => apply(&mut bytes, op),
            }
        }
        match opened(&path, &bytes) {
            Ok(found) => assert!(is_made_of(&found, &held), "round {round}"),
            Err(error) => assert!(!error.next_step().is_empty() && error.code().number() >= 4_021, "{error:?}"),
        }
    }
}

#[test]
fn a_file_that_a_newer_release_wrote_is_refused_as_that_and_not_as_damaged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.redb");
    let mut disk = RedbDisk::open(&path, &name()).unwrap().0;
    batches().iter().for_each(|batch| disk.write(batch).unwrap());
    let newer = |bytes: &[u8]| {
        let mut record = bytes[..bytes.len() - 8].to_vec();
        record[0] += 1;
        record.extend_from_slice(&xxh3_64(&record).to_le_bytes());
        record
    };
    let transaction = disk.database().begin_write().unwrap();
    {
        let mut meta = transaction.open_table(META).unwrap();
        for key in [IDENTITY, HARD, SNAPSHOT, TERM_BEFORE] {
            let record = newer(meta.get(key).unwrap().unwrap().value());
            meta.insert(key, &*record).unwrap();
        }
        let mut entries = transaction.open_table(ENTRIES).unwrap();
        let all: Vec<_> = entries
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, row)| (key.value(), newer(row.value())))
            .collect();
        for (index, record) in all {
            entries.insert(index, &*record).unwrap();
        }
    }
    transaction.commit().unwrap();
    drop(disk);
    let refused = RedbDisk::open(&path, &name()).err().unwrap();
    assert_eq!(refused.code(), codes::STORE_NEWER, "{refused:?}");
    assert!(refused.next_step().contains("newer"), "{}", refused.next_step());
}
