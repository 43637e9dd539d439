//! `squall config`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use squall_master::config::{Effective, Layers, sample};

use super::daemon::{DaemonArgs, data_dir, layers};
use crate::client::Output;
use crate::error::CliError;
use crate::output::{Table, View, show};

/// What is done about a configuration.
#[derive(clap::Subcommand)]
pub enum ConfigVerb {
    /// Say all that is wrong with a file
    Check {
        /// The file
        file: PathBuf,
    },
    /// The commented defaults; with --effective what is in force, and where each value comes from
    Show {
        /// What is in force with this environment, this file and these flags
        #[arg(long)]
        effective: bool,
        #[command(flatten)]
        daemon: DaemonArgs,
    },
}

struct InForce(Effective);

impl View for InForce {
    fn text(&self, _: bool) -> String {
        let mut table = Table::new(["SETTING", "VALUE", "FROM"]);
        for it in self.0.shown() {
            table.row([it.key.to_owned(), it.value.unwrap_or_else(|| "-".to_owned()), it.origin.to_string()]);
        }
        table.text("")
    }

    fn json(&self) -> Value {
        let shown = self.0.shown().map(|it| {
            let value = it.value.and_then(|value| format!("v = {value}").parse::<toml::Table>().ok()?.remove("v"));
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
        ConfigVerb::Check { file } => {
            let text = super::daemon::read(file)?;
            let layers = Layers { file: Some((file.clone(), text)), ..Layers::default() };
            let effective = squall_master::config::load(&layers, data_dir())?;
            for warning in effective.config.warnings() {
                eprintln!("warning: {warning}");
            }
            show(&Good(file.clone()), output)?;
        }
        ConfigVerb::Show { effective: true, daemon } => {
            show(&InForce(squall_master::config::load(&layers(daemon)?, data_dir())?), output)?;
        }
        ConfigVerb::Show { effective: false, .. } => show(&Sample(sample()), output)?,
    }
    Ok(ExitCode::SUCCESS)
}
