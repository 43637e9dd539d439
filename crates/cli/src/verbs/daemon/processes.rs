//! A cluster of real processes on this machine, torn down together.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use squall_daemon::config::Log;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::ready::{self, Ready};
use super::stop::Stop;
use crate::client::Output;
use crate::error::CliError;

/// How long processes may take to end by themselves.
const FAREWELL: Duration = Duration::from_secs(12);

/// The ports that processes had, so that they have them again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ports(BTreeMap<String, u16>);

impl Ports {
    fn read(path: &Path) -> Self {
        // What can't be read is chosen anew.
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// The port of this name. One that nobody has is asked of the system.
    fn of(&mut self, name: &str) -> std::io::Result<u16> {
        if let Some(port) = self.0.get(name) {
            return Ok(*port);
        }
        // Those that were just chosen are free again, so the system might choose them twice.
        let port = loop {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            if !self.0.values().any(|taken| *taken == port) {
                break port;
            }
        };
        self.0.insert(name.to_owned(), port);
        Ok(port)
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, serde_json::to_vec(self)?)
    }
}

/// A daemon in a process of its own.
struct Daemon {
    ready: Ready,
    child: Child,
}

/// Runs so many masters and workers until told to end.
pub(super) async fn run(
    masters: u16,
    workers: u16,
    data_dir: PathBuf,
    log: Log,
    output: Output,
) -> Result<ExitCode, CliError> {
    let mut stop = Stop::new()?;
    let plan = plan(masters, workers, &data_dir, &log).map_err(|source| CliError::File {
        what: "use",
        path: data_dir.clone(),
        source,
    })?;
    let mut started = Vec::new();
    for command in plan {
        started.push(command.spawn()?);
    }
    let waiting = async {
        let mut all = Vec::new();
        for daemon in &mut started {
            all.push(daemon.ready().await?);
        }
        Ok::<_, CliError>(all)
    };
    let all = tokio::select! {
        all = waiting => all,
        () = stop.asked() => Ok(Vec::new()),
    };
    let all = match all {
        Ok(all) if !all.is_empty() => all,
        failed => {
            tear_down(started.into_iter().map(|it| (it.role, it.child)).collect()).await;
            return failed.map(|_| ExitCode::SUCCESS);
        }
    };
    ready::say(&all, &data_dir, output)?;
    let daemons = started.into_iter().zip(all).map(|(started, ready)| Daemon { ready, child: started.child }).collect();
    watch(daemons, stop).await;
    Ok(ExitCode::SUCCESS)
}

/// How one daemon is started.
struct Start {
    role: &'static str,
    name: String,
    data_dir: PathBuf,
    arguments: Vec<String>,
}

/// A daemon that was started, and whose line hasn't been read yet.
struct Started {
    role: &'static str,
    name: String,
    data_dir: PathBuf,
    child: Child,
}

fn plan(masters: u16, workers: u16, data_dir: &Path, log: &Log) -> std::io::Result<Vec<Start>> {
    std::fs::create_dir_all(data_dir)?;
    let data_dir = data_dir.canonicalize()?;
    let file = data_dir.join("ports.json");
    let mut ports = Ports::read(&file);
    let named = |role: &str, count: u16| (1..=count).map(|it| format!("{role}-{it}")).collect::<Vec<_>>();
    let mut addresses = Vec::new();
    for name in named("master", masters) {
        addresses.push(format!("127.0.0.1:{}", ports.of(&name)?));
    }
    let list = addresses.join(",");
    let mut plan = Vec::new();
    for (role, count) in [("master", masters), ("worker", workers)] {
        for (index, name) in named(role, count).into_iter().enumerate() {
            let listen = match role {
                "master" => addresses[index].clone(),
                _ => format!("127.0.0.1:{}", ports.of(&name)?),
            };
            let http = format!("127.0.0.1:{}", ports.of(&format!("{name}-http"))?);
            let folder = data_dir.join(&name);
            let settings = [
                ("name", name.clone()),
                ("listen", listen),
                ("masters", list.clone()),
                ("http-listen", http),
                ("data-dir", folder.display().to_string()),
                ("log-level", level(log)),
            ];
            let arguments = settings.into_iter().flat_map(|(key, value)| [format!("--{key}"), value]).collect();
            plan.push(Start { role, name, data_dir: folder, arguments });
        }
    }
    ports.write(&file)?;
    Ok(plan)
}

fn level(log: &Log) -> String {
    use squall_daemon::config::Take as _;
    log.level.show().unwrap_or_default().trim_matches('"').to_owned()
}

impl Start {
    fn spawn(self) -> Result<Started, CliError> {
        let Self { role, name, data_dir, arguments } = self;
        let program = std::env::current_exe().map_err(|source| CliError::System { what: "its own path", source })?;
        let settings = std::env::vars().filter(|(name, _)| name.starts_with("SQUALL_"));
        let mut command = Command::new(program);
        for (name, _) in settings {
            command.env_remove(name);
        }
        command.args(["-o", "json", role]).args(arguments);
        // A group of its own: Ctrl-C is for this process, which ends them in order.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(|source| CliError::System { what: "a process", source })?;
        Ok(Started { role, name, data_dir, child })
    }
}

impl Started {
    /// Reads the line that it says once it is ready.
    async fn ready(&mut self) -> Result<Ready, CliError> {
        let failed =
            || CliError::System { what: "a daemon", source: std::io::Error::other("it ended before it was ready") };
        let stdout = self.child.stdout.take().ok_or_else(failed)?;
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line).await;
        read.map_err(|source| CliError::System { what: "a daemon", source })?;
        let said: serde_json::Value = serde_json::from_str(&line).map_err(|_| failed())?;
        Ok(Ready {
            role: self.role,
            name: self.name.clone(),
            pid: self.child.id().unwrap_or(0),
            grpc: said["grpc"].as_str().unwrap_or_default().to_owned(),
            http: said["http"].as_str().map(str::to_owned),
            data_dir: self.data_dir.clone(),
        })
    }
}

/// Says which processes end by themselves, and ends all when told to.
async fn watch(daemons: Vec<Daemon>, mut stop: Stop) {
    let mut stopped = Vec::new();
    let mut ends = JoinSet::new();
    for Daemon { ready, mut child } in daemons {
        stopped.push((ready.role, ready.pid));
        ends.spawn(async move {
            let status = child.wait().await;
            (ready, status)
        });
    }
    loop {
        tokio::select! {
            () = stop.asked() => break,
            Some(Ok((ready, status))) = ends.join_next() => {
                let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                eprintln!("{} {} (process {}) ended: {how}", ready.role, ready.name, ready.pid);
                stopped.retain(|(_, pid)| *pid != ready.pid);
                if stopped.is_empty() {
                    return;
                }
            }
        }
    }
    // Workers leave while there are masters to tell.
    for role in ["worker", "master"] {
        let those: Vec<_> = stopped.iter().filter(|(of, _)| *of == role).map(|(_, pid)| *pid).collect();
        those.iter().for_each(|pid| terminate(*pid));
        let all_ended = async {
            let mut left = those.len();
            while left > 0 {
                match ends.join_next().await {
                    Some(Ok((ready, _))) if ready.role == role => left -= 1,
                    Some(_) => {}
                    None => return,
                }
            }
        };
        if tokio::time::timeout(FAREWELL, all_ended).await.is_err() {
            eprintln!("warning: a {role} didn't end in time, and is killed");
        }
    }
    // What is still there is killed with its handle.
}

async fn tear_down(started: Vec<(&'static str, Child)>) {
    for (_, child) in &started {
        child.id().into_iter().for_each(terminate);
    }
    for (_, mut child) in started {
        let _ = tokio::time::timeout(FAREWELL, child.wait()).await;
    }
}

fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // One that is gone needs no telling.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_and_no_two_processes_have_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ports.json");
        let mut ports = Ports::read(&file);
        let chosen: Vec<_> = (0..20).map(|it| ports.of(&it.to_string()).unwrap()).collect();
        assert_eq!(chosen.iter().collect::<std::collections::BTreeSet<_>>().len(), 20);
        ports.write(&file).unwrap();
        let mut again = Ports::read(&file);
        assert_eq!((0..20).map(|it| again.of(&it.to_string()).unwrap()).collect::<Vec<_>>(), chosen);
    }
}
