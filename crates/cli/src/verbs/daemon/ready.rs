//! The one line that a daemon says on stdout, once it can be used.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::Output;
use crate::error::CliError;
use crate::output::write;

/// A daemon that runs, in this process or in one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub role: &'static str,
    pub name: String,
    pub pid: u32,
    pub grpc: String,
    pub http: Option<String>,
    pub data_dir: PathBuf,
}

impl Ready {
    pub(super) fn json(&self) -> Value {
        let Self { role, name, pid, grpc, http, data_dir } = self;
        json!({ "role": role, "name": name, "pid": pid, "grpc": grpc, "http": http, "data_dir": data_dir })
    }

    /// Says it: who started the process reads a line and goes on.
    pub(super) fn say(&self, output: Output) -> Result<(), CliError> {
        match output {
            Output::Json => write(&format!("{}\n", self.json())),
            Output::Table | Output::Wide => {
                let Self { role, name, grpc, data_dir, .. } = self;
                write(&format!("{role} {name} is up at {grpc}, data in {}\n", data_dir.display()))
            }
        }
    }
}

/// Says that a whole cluster is up.
pub(super) fn say(processes: &[Ready], data_dir: &std::path::Path, output: Output) -> Result<(), CliError> {
    let of = |role: &str| processes.iter().filter(|it| it.role == role).count();
    let first = &processes[0];
    match output {
        Output::Json => {
            let mut pids: Vec<_> = processes.iter().map(|it| it.pid).collect();
            pids.dedup();
            let all: Vec<_> = processes.iter().map(Ready::json).collect();
            let line = json!({
                "name": first.name, "grpc": first.grpc, "http": first.http, "data_dir": data_dir, "pids": pids,
                "processes": all,
            });
            write(&format!("{line}\n"))
        }
        Output::Table | Output::Wide => write(&format!(
            "squall is up: {} master(s) and {} worker(s), {} at {}, data in {}\n",
            of("master"),
            of("worker"),
            first.name,
            first.grpc,
            data_dir.display()
        )),
    }
}
