//! A whole cluster, masters and workers, as `squall up` runs it in processes.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tempfile::TempDir;

use crate::{binary, until};

/// How long anything may take that a cluster does by itself.
pub const SOON: Duration = Duration::from_secs(60);

/// A daemon of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `master` or `worker`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its process.
    pub pid: i32,
    /// Where it listens.
    pub address: String,
    /// Where its data is.
    pub data_dir: PathBuf,
}

/// A slot's process, as the masters know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotProcess {
    /// The worker that it is on.
    pub worker: String,
    /// The slot's number there.
    pub number: u64,
    /// Its process.
    pub pid: i32,
    /// Which of the slot's lives.
    pub incarnation: u64,
    /// What it does.
    pub state: String,
}

/// Masters and workers as real processes. All of them, and all slots, are gone once it is dropped.
#[derive(Debug)]
pub struct Whole {
    up: Child,
    dir: TempDir,
    members: Vec<Member>,
}

impl Whole {
    /// So many masters and workers that hear each other.
    ///
    /// # Panics
    /// If they don't come up.
    pub fn start(masters: usize, workers: usize) -> Self {
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let log = std::fs::File::create(dir.path().join("log")).expect("the folder can be written");
        let mut command = Command::new(binary::squall());
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SQUALL_")) {
            command.env_remove(variable);
        }
        command.args(["-o", "json", "up", "--masters", &masters.to_string(), "--workers", &workers.to_string()]);
        command.arg("--data-dir").arg(dir.path().join("data")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut up = command.spawn().expect("squall can be started");
        let mut line = String::new();
        let stdout = up.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("a pipe can be read");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it isn't up: {}", shown(dir.path())));
        let members = said["processes"].as_array().expect("it lists its processes").iter().map(member).collect();
        Self { up, dir, members }
    }

    /// A folder for whatever the test needs.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// All daemons.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The daemon of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn member(&self, name: &str) -> &Member {
        self.members.iter().find(|it| it.name == name).expect("it is one of the cluster")
    }

    /// Kills a daemon (SIGKILL), and nothing that it has started.
    pub fn kill(&self, name: &str) {
        kill(self.member(name).pid);
    }

    /// Kills a worker as a power cut would: its daemon, and all that runs in its slots.
    pub fn kill_node(&self, name: &str, slots: &[SlotProcess]) {
        self.kill(name);
        slots.iter().filter(|slot| slot.worker == name).for_each(|slot| kill(slot.pid));
    }

    /// Starts a daemon again as it was, beside `squall up`; it belongs to the caller.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start_again(&self, name: &str) -> Child {
        let Member { role, address, data_dir, .. } = self.member(name);
        let masters: Vec<_> =
            self.members.iter().filter(|it| it.role == "master").map(|it| it.address.clone()).collect();
        let mut command = Command::new(binary::squall());
        command.args([role, "--name", name, "--listen", address, "--http-listen", "", "--masters", &masters.join(",")]);
        command.arg("--data-dir").arg(data_dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("squall can be started")
    }

    /// What a verb says.
    ///
    /// # Panics
    /// If it can't be run.
    pub fn squall(&self, line: &[&str]) -> Output {
        let masters: Vec<_> =
            self.members.iter().filter(|it| it.role == "master").map(|it| it.address.clone()).collect();
        let mut command = Command::new(binary::squall());
        command.args(["-o", "json", "--connect", &masters.join(",")]).args(line);
        command.stdin(Stdio::null()).output().expect("squall can be run")
    }

    /// What a verb says, as JSON.
    ///
    /// # Errors
    /// What it said instead.
    pub fn json(&self, line: &[&str]) -> Result<Value, String> {
        let output = self.squall(line);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
    }

    /// The processes of a topology, as the masters know them.
    ///
    /// # Errors
    /// Why they don't say.
    pub fn slots(&self, topology: &str) -> Result<BTreeSet<SlotProcess>, String> {
        let described = self.json(&["describe", topology])?;
        Ok(described["slots"].as_array().into_iter().flatten().map(slot).collect())
    }

    /// Waits until all slots of a topology run, and returns them.
    ///
    /// # Panics
    /// If they don't.
    pub async fn running(&self, topology: &str) -> BTreeSet<SlotProcess> {
        self.slots_that("all slots run", topology, |slots| slots.iter().all(|slot| slot.state == "running")).await
    }

    /// Waits until the slots of a topology are as wanted, and returns them.
    ///
    /// # Panics
    /// If they aren't.
    pub async fn slots_that(
        &self,
        what: &str,
        topology: &str,
        wanted: impl Fn(&BTreeSet<SlotProcess>) -> bool,
    ) -> BTreeSet<SlotProcess> {
        until(what, SOON, || async {
            let slots = self.slots(topology)?;
            if !slots.is_empty() && wanted(&slots) { Ok(slots) } else { Err(format!("{slots:?}")) }
        })
        .await
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the cluster has said\n{}", shown(self.dir.path()));
        }
        // Slots are in groups of their own, and run on without their daemons.
        let _ = rustix::process::kill_process(Pid::from_child(&self.up), Signal::KILL);
        let _ = self.up.wait();
        self.members.iter().for_each(|member| kill(member.pid));
        for member in &self.members {
            let slots = std::fs::read_dir(member.data_dir.join("slots")).into_iter().flatten().flatten();
            let holders = slots.filter_map(|slot| std::fs::read_to_string(slot.path().join("lock")).ok());
            holders.filter_map(|pid| pid.trim().parse().ok()).for_each(kill);
        }
    }
}

/// Kills a process with its group. One that is gone needs no killing.
pub fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn member(said: &Value) -> Member {
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    Member {
        role: text("role"),
        name: text("name"),
        pid: pid(&said["pid"]),
        address: text("grpc"),
        data_dir: text("data_dir").into(),
    }
}

fn slot(said: &Value) -> SlotProcess {
    SlotProcess {
        worker: said["slot"]["worker"].as_str().unwrap_or_default().to_owned(),
        number: said["slot"]["number"].as_u64().unwrap_or_default(),
        pid: pid(&said["pid"]),
        incarnation: said["incarnation"].as_u64().unwrap_or_default(),
        state: said["state"].as_str().unwrap_or_default().to_owned(),
    }
}

fn pid(said: &Value) -> i32 {
    said.as_i64().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default()
}

fn shown(dir: &Path) -> String {
    crate::daemon::tail(&dir.join("log"), 80)
}
