//! What must hold of the project's shape. Each check is a function from data to findings, so that its tests can break it.

use std::fmt;

use crate::error::Error;
use crate::source::{Source, sources};
use crate::workspace::{Files, Metadata, read_files};

mod commands;
mod crates;
pub mod errors;
mod leaks;
mod lengths;
mod rings;
mod strays;

/// Something that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, or the file and line, or the crate.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    {}", self.place, self.what, self.mend)
    }
}

/// The project, as the checks see it.
struct Project {
    metadata: Metadata,
    files: Files,
    sources: Vec<Source>,
}

/// Runs every check, prints what they found, and fails if they found anything.
pub fn run() -> Result<(), Error> {
    let metadata = Metadata::read()?;
    let files = read_files(&metadata.workspace_root)?;
    let project = Project { sources: sources(&files), metadata, files };
    let found: usize = checks(&project).into_iter().map(|(name, findings)| report(name, &findings)).sum();
    for line in lengths::summary(&project.sources) {
        println!("  {line}");
    }
    if found == 0 { Ok(()) } else { Err(Error::Findings(found)) }
}

fn checks(project: &Project) -> [(&'static str, Vec<Finding>); 8] {
    let Project { metadata, files, sources } = project;
    [
        ("rings", rings::check(metadata)),
        ("crates", crates::check(metadata, files)),
        ("cores are pure", strays::check(metadata, sources)),
        ("file lengths", lengths::files(sources)),
        ("cores are tested", lengths::cores(sources)),
        ("README and CI agree", commands::check(files)),
        ("error pages", errors::check(files, sources)),
        ("nothing leaks", leaks::check(metadata, files)),
    ]
}

fn report(name: &str, findings: &[Finding]) -> usize {
    println!(
        "  {name}: {}",
        if findings.is_empty() { "ok".to_owned() } else { format!("{} findings", findings.len()) }
    );
    for finding in findings {
        println!("  - {finding}");
    }
    findings.len()
}

#[cfg(test)]
mod sample;
