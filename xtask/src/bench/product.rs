//! The benches crate's program.

use std::path::{Path, PathBuf};

use super::spec::{Bench, Outcome};
use crate::error::Error;
use crate::shell::Cmd;
use crate::workspace::Metadata;

/// The program, built.
pub struct Product {
    target: PathBuf,
    program: PathBuf,
}

impl Product {
    /// Builds it in release mode, and beside it the daemon that it measures.
    pub fn build() -> Result<Self, Error> {
        Cmd::cargo(&["build", "--release", "--locked", "-p", "squall-benches", "-p", "squall-cli"]).run()?;
        let target = Metadata::read()?.target_directory;
        let program = target.join("release/squall-bench");
        Ok(Self { target, program })
    }

    /// Where cargo builds.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The benches there are.
    pub fn list(&self) -> Result<Vec<Bench>, Error> {
        let cmd = Cmd::at(&self.program, &["list"]);
        let lines = cmd.output()?;
        let lines = lines.lines().filter(|line| !line.trim().is_empty());
        let parse =
            |line| serde_json::from_str(line).map_err(|source| Error::Json { command: cmd.to_string(), source });
        lines.map(parse).collect()
    }

    /// Runs one; whatever goes wrong is a failed run.
    pub fn run(&self, name: &str, seconds: Option<f64>) -> Outcome {
        let mut cmd = Cmd::at(&self.program, &["run", name]);
        if let Some(seconds) = seconds {
            cmd = cmd.arg("--seconds").arg(seconds.to_string());
        }
        match cmd.output() {
            Ok(text) => {
                serde_json::from_str(&text).unwrap_or_else(|error| Outcome::failed(format!("no agreed JSON: {error}")))
            }
            Err(error) => Outcome::failed(error.to_string()),
        }
    }
}
