//! `squall config`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};
use squall_daemon::config::{Configured, Effective, Layers, Shown, load, sample};
use squall_master::config::MasterConfig;
use squall_worker::config::WorkerConfig;

use super::daemon::{DaemonArgs, data_dir, layers, read};
use crate::client::Output;
use crate::error::CliError;
use crate::output::{Table, View, show};

/// What is done about a configuration.
#[derive(clap::Subcommand)]
pub enum ConfigVerb {
    /// Say all that is wrong with a file
    Check {
        /// The kind of daemon that it is for
        #[arg(long, value_enum, default_value_t = Role::Master)]
        role: Role,
        /// The file
        file: PathBuf,
    },
    /// A master's commented defaults; with --effective what is in force, and where each value comes from
    Show {
        /// What is in force with this environment, this file and these flags
        #[arg(long)]
        effective: bool,
        #[command(flatten)]
        daemon: DaemonArgs<MasterConfig>,
    },
    /// The same of a worker
    ShowWorker {
        /// What is in force with this environment, this file and these flags
        #[arg(long)]
        effective: bool,
        #[command(flatten)]
        daemon: DaemonArgs<WorkerConfig>,
    },
}

/// A kind of daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// A master
    Master,
    /// A worker
    Worker,
}

struct InForce(Vec<Shown>);

impl View for InForce {
    fn text(&self, _: bool) -> String {
        let mut table = Table::new(["SETTING", "VALUE", "FROM"]);
        for it in &self.0 {
            let value = it.value.clone().unwrap_or_else(|| "-".to_owned());
            table.row([it.key.to_owned(), value, it.origin.to_string()]);
        }
        table.text("")
    }

    fn json(&self) -> Value {
        let shown = self.0.iter().map(|it| {
            let value = it.value.as_ref();
            let value = value.and_then(|value| format!("v = {value}").parse::<toml::Table>().ok()?.remove("v"));
            let value = value.map(|value| json!(value));
            (it.key.to_owned(), json!({ "value": value, "from": it.origin.to_string() }))
        });
        Value::Object(shown.collect())
    }
}

struct Sample(String);

impl View for Sample {
    fn text(&self, _: bool) -> String {
        self.0.clone()
    }

    fn json(&self) -> Value {
        json!({ "toml": self.0 })
    }
}

struct Good(PathBuf);

impl View for Good {
    fn text(&self, _: bool) -> String {
        format!("{} is good\n", self.0.display())
    }

    fn json(&self) -> Value {
        json!({ "file": self.0, "good": true })
    }
}

/// Does it.
pub fn run(verb: &ConfigVerb, output: Output) -> Result<ExitCode, CliError> {
    match verb {
        ConfigVerb::Check { role: Role::Master, file } => check::<MasterConfig>(file, output)?,
        ConfigVerb::Check { role: Role::Worker, file } => check::<WorkerConfig>(file, output)?,
        ConfigVerb::Show { effective, daemon } => say(*effective, daemon, output)?,
        ConfigVerb::ShowWorker { effective, daemon } => say(*effective, daemon, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check<C: Configured>(file: &Path, output: Output) -> Result<(), CliError> {
    let layers = Layers { file: Some((file.to_owned(), read(file)?)), ..Layers::default() };
    let effective: Effective<C> = load(&layers, data_dir(C::ROLE))?;
    for warning in effective.config.warnings() {
        eprintln!("warning: {warning}");
    }
    show(&Good(file.to_owned()), output)
}

fn say<C: Configured>(effective: bool, daemon: &DaemonArgs<C>, output: Output) -> Result<(), CliError> {
    if effective {
        let effective: Effective<C> = load(&layers(daemon)?, data_dir(C::ROLE))?;
        show(&InForce(effective.shown().collect()), output)
    } else {
        show(&Sample(sample::<C>()), output)
    }
}
