//! What every verb says, as transcripts: each file of `tests/golden/verbs` is a list of commands with what came of each below it.
//!
//! A line `$ squall …` is run against a master that gives fixed answers; `@ …` says how its cluster is doing from there on. Below stand the
//! lines of stdout, indented; those of stderr, after `!`; and the exit code, after `=`, if it isn't 0. `SQUALL_WRITE_GOLDEN=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod answers;
mod fake;
mod transcript;

use std::path::{Path, PathBuf};

use transcript::Transcript;

/// Runs a transcript, and compares it with what is written.
fn holds(name: &str) {
    let file: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/verbs").join(name).with_extension("txt");
    let written = std::fs::read_to_string(&file).unwrap();
    let told = Transcript::new().run(&written);
    if std::env::var_os("SQUALL_WRITE_GOLDEN").is_some() {
        std::fs::write(&file, told).unwrap();
    } else {
        let differ = written.lines().zip(told.lines()).find(|(written, told)| written != told);
        assert!(written == told, "{}: first {differ:?}; write it anew with SQUALL_WRITE_GOLDEN=1", file.display());
    }
}

macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                holds(stringify!($name));
            }
        )*

        #[test]
        fn every_transcript_is_run() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/verbs");
            let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            let files: Vec<_> = files.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
            assert_eq!(files, [$(stringify!($name)),*]);
        }
    };
}

transcripts!(
    blobs, certs, config, describe, errors, events, explain, help, masters, plan, status, submit, tokens, topologies,
    why, workers
);
