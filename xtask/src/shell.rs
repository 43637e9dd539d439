//! Running other programs.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;

/// A command: a program, its arguments and what is added to its environment. Displays as it would be typed.
pub struct Cmd {
    program: OsString,
    shown: String,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    folder: Option<PathBuf>,
}

impl Cmd {
    /// The cargo that runs this program, with these arguments.
    pub fn cargo(args: &[&str]) -> Self {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self {
            program,
            shown: "cargo".to_owned(),
            args: args.iter().map(OsString::from).collect(),
            env: Vec::new(),
            folder: None,
        }
    }

    /// The program at this path, with these arguments.
    pub fn at(path: &Path, args: &[&str]) -> Self {
        let shown = path.display().to_string();
        Self {
            program: path.into(),
            shown,
            args: args.iter().map(OsString::from).collect(),
            env: Vec::new(),
            folder: None,
        }
    }

    /// With one more argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With this variable set.
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// In this folder instead of ours.
    pub fn within(mut self, folder: PathBuf) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Runs it, its output going where ours goes.
    pub fn run(&self) -> Result<(), Error> {
        let status = self.std().status().map_err(|source| self.unstartable(source))?;
        self.judge(status)
    }

    /// Runs it and returns what it printed on stdout.
    pub fn output(&self) -> Result<String, Error> {
        let output = self.std().stderr(Stdio::inherit()).output().map_err(|source| self.unstartable(source))?;
        self.judge(output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it, printing its stdout line by line and showing each line to `see`.
    pub fn tee(&self, mut see: impl FnMut(&str)) -> Result<(), Error> {
        let mut child = self.std().stdout(Stdio::piped()).spawn().map_err(|source| self.unstartable(source))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line.map_err(|source| self.unstartable(source))?;
                println!("{line}");
                see(&line);
            }
        }
        self.judge(child.wait().map_err(|source| self.unstartable(source))?)
    }

    /// Runs it, and stops it if it has not ended by itself within `limit`.
    pub fn run_within(&self, limit: Duration) -> Result<(), Error> {
        let mut child = self.std().spawn().map_err(|source| self.unstartable(source))?;
        match wait(&mut child, limit).map_err(|source| self.unstartable(source))? {
            Some(status) => self.judge(status),
            None => Err(Error::Endless { command: self.to_string(), seconds: limit.as_secs() }),
        }
    }

    fn std(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    fn judge(&self, status: std::process::ExitStatus) -> Result<(), Error> {
        if status.success() { Ok(()) } else { Err(Error::Failed { command: self.to_string(), status }) }
    }

    fn unstartable(&self, source: std::io::Error) -> Error {
        Error::Start { command: self.to_string(), source }
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(folder) = &self.folder {
            write!(f, "cd {} && ", folder.display())?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}='{}' ", value.display())?;
        }
        f.write_str(&self.shown)?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", arg.display()))
    }
}

/// How the child ended, or `None` after it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_displays_as_it_would_be_typed() {
        let cmd = Cmd::cargo(&["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(cmd.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped_and_named() {
        let endless = Cmd::at(Path::new("sleep"), &["1000"]);
        let error = endless.run_within(Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, Error::Endless { ref command, .. } if command == "sleep 1000"), "{error}");
    }

    #[test]
    fn a_program_that_fails_is_an_error_however_it_is_run() {
        let fails = Cmd::at(Path::new("false"), &[]);
        assert!(matches!(fails.run(), Err(Error::Failed { .. })));
        assert!(matches!(fails.output(), Err(Error::Failed { .. })));
        assert!(matches!(fails.tee(|_| ()), Err(Error::Failed { .. })));
        assert!(matches!(fails.run_within(Duration::from_secs(60)), Err(Error::Failed { .. })));
    }

    #[test]
    fn tee_shows_every_line() {
        let mut seen = Vec::new();
        Cmd::at(Path::new("printf"), &["a\\nb\\n"]).tee(|line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["a", "b"]);
    }
}
