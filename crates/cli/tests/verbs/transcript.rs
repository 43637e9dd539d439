//! Runs transcripts.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::fake::{Fake, Mood};

/// Where a transcript is run: a folder, and a master to call.
pub struct Transcript {
    fake: Fake,
    dir: TempDir,
}

impl Transcript {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("good.toml", "[log]\nformat = \"json\"\n");
        write("bad.toml", "lisen = \"127.0.0.1:1\"\n\n[log]\nformat = \"xml\"\n");
        write("words.json", crate::answers::DESCRIPTION);
        write("package", "some bytes");
        Self { fake: Fake::start(), dir }
    }

    /// The commands with what came of them.
    pub fn run(&mut self, written: &str) -> String {
        let mut told = String::new();
        for line in written.lines() {
            match line.split_once(' ') {
                Some(("#", _)) if told.is_empty() => writeln!(told, "{line}").unwrap(),
                Some(("#", _)) => writeln!(told, "\n{line}").unwrap(),
                Some(("@", mood)) => {
                    self.fake.is(Mood::named(mood));
                    writeln!(told, "\n{line}").unwrap();
                }
                Some(("$", command)) => {
                    writeln!(told, "\n{line}").unwrap();
                    told.push_str(&self.said(command));
                }
                _ => {}
            }
        }
        told
    }

    fn said(&self, line: &str) -> String {
        let mut words = words(line).into_iter();
        assert_eq!(words.next().as_deref(), Some("squall"), "{line}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.env_clear().env("HOME", "/nowhere").env("SQUALL_CONNECT", self.fake.address()).stdin(Stdio::null());
        let output = command.args(words).current_dir(self.dir.path()).output().unwrap();
        let mut told = String::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            writeln!(told, "{}", format!("  {}", self.stable(line)).trim_end()).unwrap();
        }
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            writeln!(told, "{}", format!("! {}", self.stable(line)).trim_end()).unwrap();
        }
        match output.status.code().unwrap() {
            0 => {}
            code => writeln!(told, "= {code}").unwrap(),
        }
        told
    }

    /// A line without what is another in each run: the folder, and the port.
    fn stable(&self, line: &str) -> String {
        let line =
            line.replace(self.fake.address(), "127.0.0.1:7400").replace(self.dir.path().to_str().unwrap(), "/here");
        moments(&line)
    }
}

/// A line without moments that are told from now on back: the fixed ones are of January 2026.
fn moments(line: &str) -> String {
    const LONG: usize = "2026-01-31T12:30:00.000Z".len();
    let is_moment = |text: &str| text.starts_with("20") && text.ends_with('Z') && text.as_bytes()[10] == b'T';
    let mut stable = line.to_owned();
    for at in 0..line.len() {
        if let Some(text) = line.get(at..at + LONG).filter(|text| is_moment(text) && !text.starts_with("2026-01-")) {
            stable = stable.replace(text, "A-MOMENT-OF-THE-LAST-DAYS");
        }
    }
    stable
}

/// A command's words; what stands in single quotes is one.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let words = quoted.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}
