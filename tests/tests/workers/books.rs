//! The oracle topology, and the books that it keeps.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use squall_tests::until;
use squall_tests::whole::{SOON, Whole};

/// The oracle topology, running in a cluster.
pub struct Oracle {
    dir: PathBuf,
}

/// Below this many messages a second before a fault a run shows nothing.
const RATE: usize = 1_000;

/// The program that `cargo test` has built beside this test.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("a process has a path");
    let path = tests.ancestors().nth(2).expect("tests are built in a folder").join("examples/oracle");
    assert!(path.exists(), "{} is built with the tests", path.display());
    path
}

impl Oracle {
    /// Submits it, spread over as many slots as there are workers.
    pub fn submit(cluster: &Whole) -> Self {
        let dir = cluster.folder().join("books");
        std::fs::create_dir_all(&dir).expect("there is room for a folder");
        let (program, setting) = (program().display().to_string(), format!("dir={}", dir.display()));
        let submitted = cluster.json(&["submit", &program, "--set", &setting, "--set", "rate=2000"]);
        submitted.expect("it is taken");
        Self { dir }
    }

    fn numbers(&self, kind: &str) -> BTreeSet<i64> {
        self.lines(kind).collect()
    }

    fn lines(&self, kind: &str) -> impl Iterator<Item = i64> {
        let files: Vec<_> = std::fs::read_dir(&self.dir).expect("it is there").flatten().collect();
        let of_kind = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind));
        let texts: Vec<_> = files
            .iter()
            .filter(|file| of_kind(&file.path()))
            .map(|file| std::fs::read_to_string(file.path()).expect("it can be read"))
            .collect();
        let numbers = |text: &String| {
            // The last line of a file may be half of one: its writer was killed.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            whole.lines().map(|line| line.parse().expect("a number a line")).collect::<Vec<i64>>()
        };
        texts.iter().flat_map(numbers).collect::<Vec<_>>().into_iter()
    }

    /// How many were acked so far.
    pub fn acked(&self) -> usize {
        self.lines("acked").count()
    }

    /// Waits until so many more are acked.
    pub async fn goes_on(&self, more: usize) {
        let before = self.acked();
        let enough = || async {
            let now = self.acked();
            if now >= before + more { Ok(()) } else { Err(format!("{} more", now - before)) }
        };
        until("messages that are acked", SOON, enough).await;
    }

    /// Waits until it is worth a fault.
    pub async fn is_fast(&self) {
        let mut before = (self.acked(), tokio::time::Instant::now());
        let fast = || {
            let now = (self.acked(), tokio::time::Instant::now());
            let (rows, time) = (now.0 - before.0, now.1 - before.1);
            let enough = time.as_millis() > 200 && rows as f64 / time.as_secs_f64() >= RATE as f64;
            if time.as_millis() > 200 {
                before = now;
            }
            async move { if enough { Ok(()) } else { Err(format!("{rows} in {time:?}")) } }
        };
        until("a thousand messages a second", SOON, fast).await;
    }

    /// Nothing that was acked is missing.
    pub fn is_whole(&self) {
        // What is acked was seen before: read in this order while both grow.
        let acked = self.numbers("acked");
        let seen = self.numbers("seen");
        let missing: Vec<_> = acked.difference(&seen).take(10).collect();
        assert!(missing.is_empty(), "of {} acked messages are missing: {missing:?} …", acked.len());
    }
}
