//! A program of ours that runs beside the test.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// A running program in a process group of its own, which is killed and waited for when this is dropped. What it says goes to a file.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts the program; what it prints is added to the file `log`.
    ///
    /// # Errors
    /// If the file can't be opened or the program can't be started.
    pub fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let (out, err) = (file.try_clone()?, file);
        let child = command.process_group(0).stdin(Stdio::null()).stdout(out).stderr(err).spawn()?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// If the system can't say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends a signal to the whole group.
    ///
    /// # Errors
    /// If there is no such group any more.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process_group(self.group(), signal)?)
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// If the system can't say that it has gone.
    pub fn kill(mut self) -> io::Result<()> {
        self.end()
    }

    /// The end of what it has said.
    pub fn said(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn end(&mut self) -> io::Result<()> {
        // A group that is gone already has ended by itself.
        let _ = kill_process_group(self.group(), Signal::KILL);
        self.child.wait().map(drop)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the test has its own.
        let _ = self.end();
    }
}

/// The last lines of a file.
pub fn tail(file: &Path, lines: usize) -> String {
    let bytes = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::until;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn alive(pid: u32) -> bool {
        Path::new("/proc").join(pid.to_string()).exists()
    }

    #[tokio::test]
    async fn what_it_says_is_kept_and_how_it_ended_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start(&mut shell("echo one; echo two >&2; exit 3"), &dir.path().join("log")).unwrap();
        let status = until("the end", Duration::from_secs(30), || {
            let ended = daemon.ended().unwrap();
            async move { ended.ok_or("it runs") }
        });
        assert_eq!(status.await.code(), Some(3));
        assert_eq!(daemon.said(5), "one\ntwo");
        assert_eq!(daemon.said(1), "two");
    }

    #[tokio::test]
    async fn dropping_it_ends_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(&mut shell("sleep 1000 & echo $!; wait"), &dir.path().join("log")).unwrap();
        let said = || async { daemon.said(1).parse::<u32>() };
        let grandchild = until("the grandchild's pid", Duration::from_secs(30), said).await;
        assert!(alive(grandchild));
        drop(daemon);
        let gone = || async { if alive(grandchild) { Err("it lives") } else { Ok(()) } };
        until("the grandchild's end", Duration::from_secs(30), gone).await;
    }
}
