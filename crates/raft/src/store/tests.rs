//! What is on disk and is not what was written: each kind of damage is an error with a code, and none a panic.

use std::fs;
use std::path::PathBuf;

use squall_types::cluster::{ClusterId, MasterName, RaftId};
use squall_types::{Code, codes};
use tempfile::TempDir;

use super::{Batch, Contents, Disk, Entry, HardState, Identity, RedbDisk, StorageError, seed};
use crate::members::Member;

fn name() -> MasterName {
    "m1".parse().unwrap()
}

fn write_some(disk: &mut RedbDisk) {
    let identity = Identity { name: name(), id: RaftId::new(1).unwrap(), cluster: ClusterId::new(7) };
    let member = Member { id: identity.id, name: name(), address: "m1:7400".to_owned() };
    disk.write(&seed(identity, vec![member], vec![7; 300])).unwrap();
    for index in 2..=30 {
        let entry = Entry { index, term: 2, kind: 0, data: vec![index as u8; 200], context: Vec::new() };
        let hard = HardState { term: 2, vote: 1, commit: index - 1 };
        disk.write(&Batch { entries: vec![entry], hard: Some(hard), ..Batch::default() }).unwrap();
    }
}

/// A file that was closed properly, and what it holds.
fn whole() -> (TempDir, PathBuf, Contents) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.redb");
    write_some(&mut RedbDisk::open(&path, &name()).unwrap().0);
    let contents = RedbDisk::open(&path, &name()).unwrap().1;
    (folder, path, contents)
}

fn refused(path: &std::path::Path) -> StorageError {
    RedbDisk::open(path, &name()).err().unwrap()
}

fn assert_code(error: &StorageError, code: Code) {
    assert_eq!(error.code(), code, "{error:?}");
    assert!(!error.next_step().is_empty());
}

#[test]
fn what_was_written_is_found_again() {
    let (_folder, _, contents) = whole();
    let log = contents.log.unwrap();
    assert_eq!(log.hard, HardState { term: 2, vote: 1, commit: 29 });
    assert_eq!(log.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), (2..=30).collect::<Vec<_>>());
}

#[test]
fn a_file_cut_short_anywhere_is_damaged_or_holds_all() {
    let (_folder, path, contents) = whole();
    let bytes = fs::read(&path).unwrap();
    for length in (1..bytes.len()).step_by(bytes.len() / 60) {
        fs::write(&path, &bytes[..length]).unwrap();
        match RedbDisk::open(&path, &name()) {
            Ok((_, found)) => assert_eq!(found, contents, "cut at {length}"),
            Err(error) => assert!(matches!(error, StorageError::Damaged { .. } | StorageError::Io(_)), "{error:?}"),
        }
    }
}

#[test]
fn a_file_with_a_flipped_bit_is_refused_or_holds_what_was_written() {
    let (_folder, path, contents) = whole();
    let bytes = fs::read(&path).unwrap();
    for at in (0..320).chain((320..bytes.len()).step_by(bytes.len() / 100)) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        if let Ok((_, found)) = RedbDisk::open(&path, &name()) {
            assert_eq!(found, contents, "flipped at {at}");
        }
    }
}

#[test]
fn a_file_that_is_no_database_is_damaged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.redb");
    fs::write(&path, b"something else, and long enough to be taken for a header of a database file").unwrap();
    assert_code(&refused(&path), codes::STORE_DAMAGED);
}

#[test]
fn another_masters_file_is_named() {
    let (_folder, path, _) = whole();
    let error = RedbDisk::open(&path, &"m2".parse().unwrap()).err().unwrap();
    assert_code(&error, codes::STORE_OF_ANOTHER_MASTER);
}

#[test]
fn a_file_in_use_is_refused() {
    let (_folder, path, _) = whole();
    let _used = RedbDisk::open(&path, &name()).unwrap();
    assert_code(&refused(&path), codes::STORE_IN_USE);
}

#[test]
fn entries_that_are_missing_are_damage() {
    let (_folder, path, _) = whole();
    let mut disk = RedbDisk::open(&path, &name()).unwrap().0;
    let gap = Entry { index: 40, term: 2, kind: 0, data: Vec::new(), context: Vec::new() };
    disk.write(&Batch { entries: vec![gap], ..Batch::default() }).unwrap();
    drop(disk);
    assert_code(&refused(&path), codes::STORE_DAMAGED);
}

#[test]
fn a_commit_beyond_the_log_is_damage() {
    let (_folder, path, _) = whole();
    let mut disk = RedbDisk::open(&path, &name()).unwrap().0;
    let hard = HardState { term: 2, vote: 1, commit: 31 };
    disk.write(&Batch { hard: Some(hard), ..Batch::default() }).unwrap();
    drop(disk);
    assert_code(&refused(&path), codes::STORE_DAMAGED);
}

#[test]
fn the_systems_refusals_are_told_apart() {
    let of = |errno| StorageError::of_io(std::io::Error::from_raw_os_error(errno)).code();
    // Linux: ENOSPC, EDQUOT, EROFS, EACCES, EIO.
    assert_eq!([of(28), of(122)], [codes::STORE_FULL; 2]);
    assert_eq!([of(30), of(13)], [codes::STORE_READ_ONLY; 2]);
    assert_eq!(of(5), codes::STORE_FAILED);
}
