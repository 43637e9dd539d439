//! `squall submit` and `squall plan`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use squall_proto::v1;
use squall_proto::v1::topologies_client::TopologiesClient;

use super::package::{Package, describe};
use super::placed::{executor, named, place, unplaced};
use super::topologies::{RebalanceArgs, Submitted};
use super::wait::{self, WaitArgs};
use super::{Session, answer, upload};
use crate::client::Client;
use crate::error::CliError;
use crate::output::{Table, View, slot};

/// What is submitted, and how.
#[derive(clap::Args)]
pub struct WhatArgs {
    /// A topology's program: a binary that calls `squall::main`
    #[arg(required_unless_present = "description")]
    program: Option<PathBuf>,
    /// A topology's description alone, as JSON; without a program it is placed, and can't run
    #[arg(long, value_name = "FILE", conflicts_with = "program")]
    description: Option<PathBuf>,
    /// A setting that wins over those of the topology
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Starts with its spouts stopped
    #[arg(long)]
    inactive: bool,
    /// Replaces a topology of the same name with a new version
    #[arg(long)]
    update: bool,
    /// The most slots it may use [default: as many as it has executors]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    max_slots: u32,
    /// Keeps its executors off workers that run this topology
    #[arg(long, value_name = "TOPOLOGY")]
    anti_affinity: Vec<String>,
    /// Memory requested is a limit on placement
    #[arg(long)]
    hard_memory: bool,
    /// CPU requested is a limit on placement
    #[arg(long)]
    hard_cpu: bool,
    /// What the program is given besides --describe, as --parallelism split=4
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// A topology to be submitted.
#[derive(clap::Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    what: WhatArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// What would be done.
#[derive(clap::Args)]
pub struct PlanArgs {
    #[command(subcommand)]
    what: PlanVerb,
}

#[derive(clap::Subcommand)]
enum PlanVerb {
    /// What a submit would do
    Submit(Box<WhatArgs>),
    /// What a kill would do
    Kill {
        /// The topology's name
        name: String,
    },
    /// What a rebalance would do
    Rebalance(RebalanceArgs),
    /// What draining a worker would do
    Drain {
        /// The worker's name
        worker: String,
    },
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
    parts.map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or("write KEY=VALUE")
}

/// What is sent: the header, and the package that belongs to it.
struct Parcel {
    header: v1::SubmitHeader,
    package: Option<Package>,
}

impl WhatArgs {
    fn parcel(&self) -> Result<Parcel, CliError> {
        let (description, package) = match (&self.program, &self.description) {
            (Some(program), _) => (describe(program, &self.args)?, Some(Package::of(program)?)),
            (None, Some(file)) => (read(file)?, None),
            (None, None) => unreachable!("clap wants one of them"),
        };
        let options = v1::SubmitOptions {
            inactive: self.inactive,
            update: self.update,
            max_slots: self.max_slots,
            anti_affinity: self.anti_affinity.clone(),
            hard_memory: self.hard_memory,
            hard_cpu: self.hard_cpu,
        };
        let header = v1::SubmitHeader {
            mutation: None,
            description,
            package: package.as_ref().map(|package| package.id.to_string()).unwrap_or_default(),
            package_size: package.as_ref().map_or(0, |package| package.size),
            config: self.set.iter().cloned().collect(),
            options: Some(options),
        };
        Ok(Parcel { header, package })
    }
}

fn read(path: &PathBuf) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|source| CliError::File { what: "read", path: path.clone(), source })
}

/// Submits a topology: its package first, then what it is.
pub async fn submit(args: &SubmitArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let Parcel { mut header, package } = args.what.parcel()?;
    if let Some(package) = &package {
        upload::bring(session, package).await?;
    }
    // Not before: a request is known for two minutes, and an upload may take longer.
    header.mutation = Client::mutation()?;
    let call = |link| {
        let first = v1::SubmitRequest { part: Some(v1::submit_request::Part::Header(header.clone())) };
        async move { TopologiesClient::new(link).submit(tokio_stream::once(first)).await }
    };
    let answer = session.client.change(call).await?;
    let state = match (args.what.inactive, args.what.update) {
        (true, _) => Some(v1::TopologyState::Inactive),
        (false, false) => Some(v1::TopologyState::Active),
        // A new version is as active as the one before it.
        (false, true) => None,
    };
    wait::placed(session, &args.wait, &answer.name, state).await?;
    session.show(&Submitted { how: "submitted", answer })
}

struct Planned(v1::PlanResponse);

impl View for Planned {
    fn text(&self, _: bool) -> String {
        let mut table = Table::new(["TOPOLOGY", "EXECUTOR", "FROM", "TO", "REASON"]);
        for it in &self.0.moves {
            table.row([
                it.topology.clone(),
                named(&it.component, it.first_task, it.last_task),
                slot(it.from.as_ref()),
                slot(it.to.as_ref()),
                it.reason.clone(),
            ]);
        }
        table.text("nothing would move") + &unplaced(&self.0.unplaced) + &answer::concerns(&self.0.concerns)
    }

    fn json(&self) -> Value {
        let moved = |it: &v1::Move| {
            json!({
                "topology": it.topology, "component": it.component, "first_task": it.first_task, "last_task": it.last_task,
                "from": it.from.as_ref().map(place), "to": it.to.as_ref().map(place), "reason": it.reason,
            })
        };
        json!({
            "revision": self.0.revision,
            "moves": self.0.moves.iter().map(moved).collect::<Vec<_>>(),
            "unplaced": self.0.unplaced.iter().map(executor).collect::<Vec<_>>(),
            "concerns": self.0.concerns.iter().map(answer::concern).collect::<Vec<_>>(),
        })
    }
}

/// Shows what would be done.
pub async fn plan(args: &PlanArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    use v1::plan_request::What;
    let what = match &args.what {
        PlanVerb::Submit(what) => What::Submit(what.parcel()?.header),
        PlanVerb::Kill { name } => What::Kill(name.clone()),
        PlanVerb::Rebalance(args) => What::Rebalance(args.request(None)),
        PlanVerb::Drain { worker } => What::Drain(worker.clone()),
    };
    let call = |link| {
        let request = v1::PlanRequest { what: Some(what.clone()) };
        async move { TopologiesClient::new(link).plan(request).await }
    };
    let answer = session.client.ask(call).await?;
    session.show(&Planned(answer))
}
