//! Processes of slots: started so that they outlive this daemon, seen to end at once, killed as a group.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal};
use squall_proto::slot;
use tokio::process::{Child, Command};

/// A process of a slot.
#[derive(Debug)]
pub(super) enum Process {
    /// This daemon has started it.
    Child { child: Child, pid: u32 },
    /// An earlier daemon has.
    Adopted(Adopted),
}

/// How a slot's process is started.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub program: PathBuf,
    pub folder: PathBuf,
    /// What it gets of this daemon's environment.
    pub environment: Vec<(String, String)>,
}

impl Process {
    /// Starts a process in a group of its own, with nothing of this daemon's but a few variables: it must not end with it.
    pub(super) fn start(start: &Start) -> io::Result<Self> {
        let Start { program, folder, environment } = start;
        let work = folder.join(slot::WORK);
        match std::fs::remove_dir_all(&work) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&work)?;
        crate::store::private(folder)?;
        let log = |name: &str| File::options().create(true).append(true).open(folder.join(name));
        let mut command = Command::new(program);
        command.env_clear().envs(environment.iter().cloned()).env(slot::VARIABLE, folder).current_dir(work);
        command.stdin(Stdio::null()).stdout(log(slot::STDOUT)?).stderr(log(slot::STDERR)?);
        let child = command.process_group(0).kill_on_drop(false).spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("it has ended already"))?;
        Ok(Self::Child { child, pid })
    }

    pub(super) fn pid(&self) -> u32 {
        match self {
            Self::Child { pid, .. } => *pid,
            Self::Adopted(adopted) => adopted.pid,
        }
    }

    /// Waits for its end, and says how it ended. May be dropped and asked again.
    pub(super) async fn ended(&mut self) -> String {
        match self {
            Self::Child { child, .. } => match child.wait().await {
                Ok(status) => how(status),
                Err(error) => format!("its end can't be seen: {error}"),
            },
            Self::Adopted(adopted) => {
                adopted.ended().await;
                "it ended; it was started by an earlier daemon, so how isn't known".to_owned()
            }
        }
    }

    /// Kills it with all that it has started.
    pub(super) fn kill(&self) {
        kill_group(self.pid());
    }
}

/// Kills a process group. One that is gone already has ended by itself.
pub(super) fn kill_group(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// A process that isn't this daemon's child.
#[derive(Debug)]
pub(super) struct Adopted {
    pid: u32,
    #[cfg(target_os = "linux")]
    handle: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
}

impl Adopted {
    /// The process that is at the other end of a socket right now.
    pub(super) fn new(pid: u32) -> Self {
        Self {
            pid,
            #[cfg(target_os = "linux")]
            handle: handle(pid),
        }
    }

    #[cfg(target_os = "linux")]
    async fn ended(&self) {
        match &self.handle {
            // A process's handle becomes readable when it ends.
            Some(handle) => drop(handle.readable().await),
            None => self.polled().await,
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn ended(&self) {
        self.polled().await;
    }

    /// Where the system has no handles of processes.
    async fn polled(&self) {
        const LOOK: std::time::Duration = std::time::Duration::from_millis(100);
        while is_alive(self.pid) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(target_os = "linux")]
#[expect(deprecated, reason = "sound for a descriptor that is owned; what replaces it is `unsafe`")]
fn handle(pid: u32) -> Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    tokio::io::unix::AsyncFd::with_interest(handle, tokio::io::Interest::READABLE).ok()
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Whether a process holds the folder's lock: it lives, whatever it says or doesn't.
pub(super) fn is_taken(folder: &Path) -> bool {
    use rustix::fs::FlockOperation;
    let Ok(file) = File::options().write(true).open(folder.join(slot::LOCK)) else { return false };
    // Let go of at once, with the file.
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
}

/// The process that holds the folder's lock, as it has written there.
pub(super) fn holder(folder: &Path) -> Option<u32> {
    std::fs::read_to_string(folder.join(slot::LOCK)).ok()?.trim().parse().ok()
}

/// The last lines of what was written to stderr from `from` on.
pub(super) fn last_lines(folder: &Path, from: u64) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    const BYTES: u64 = 4 << 10;
    const LINES: usize = 10;
    let read = || -> io::Result<String> {
        let mut file = File::open(folder.join(slot::STDERR))?;
        let length = file.metadata()?.len();
        // It may have been rotated since.
        let from = if from > length { 0 } else { from };
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(BYTES))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(dir: &Path, text: &str) -> Start {
        use std::os::unix::fs::PermissionsExt as _;
        let program = dir.join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Start { program, folder: dir.to_owned(), environment: vec![("KEPT".to_owned(), "1".to_owned())] }
    }

    #[tokio::test]
    async fn a_process_is_alone_with_its_folder_and_its_end_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("work/left")).unwrap();
        let start = script(dir.path(), "pwd; ls; echo $HOME-$KEPT-$SQUALL_SLOT; echo bad >&2; exit 3");
        let mut process = Process::start(&start).unwrap();
        assert_eq!(process.ended().await, "exit code 3");
        let said = std::fs::read_to_string(dir.path().join(slot::STDOUT)).unwrap();
        let folder = dir.path().display();
        assert_eq!(said, format!("{folder}/work\n-1-{folder}\n"));
        assert_eq!(last_lines(dir.path(), 0), "bad");
        assert_eq!(last_lines(dir.path(), 4), "");
    }

    #[tokio::test]
    async fn it_is_killed_with_all_that_it_has_started() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Process::start(&script(dir.path(), "sleep 1000 & echo $!; wait")).unwrap();
        let out = dir.path().join(slot::STDOUT);
        let grandchild: u32 = loop {
            match std::fs::read_to_string(&out).unwrap_or_default().trim().parse() {
                Ok(pid) => break pid,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let adopted = Adopted::new(grandchild);
        process.kill();
        assert_eq!(process.ended().await, "killed by signal 9");
        adopted.ended().await;
    }
}
