//! Verbs about topologies that run.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use squall_proto::v1;
use squall_proto::v1::topologies_client::TopologiesClient;
use squall_types::duration;

use super::Session;
use super::answer::{self, Done};
use super::placed::{executor, executors, process, processes, unplaced};
use super::wait::{self, WaitArgs};
use crate::client::{Client, now};
use crate::error::CliError;
use crate::output::{Table, View, ago, bytes, health, topology_state, utc};

/// Which topology.
#[derive(clap::Args)]
pub struct NameArgs {
    /// The topology's name
    name: String,
}

/// Which topology, and whether to wait.
#[derive(clap::Args)]
pub struct ChangeArgs {
    /// The topology's name
    name: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// A topology's end.
#[derive(clap::Args)]
pub struct KillArgs {
    /// The topology's name
    name: String,
    /// How long what is under way may take after the spouts have stopped [default: the topology's message timeout]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    after: Option<Duration>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// A topology's new shape.
#[derive(Clone, clap::Args)]
#[command(group = clap::ArgGroup::new("what").args(["parallelism", "evenly", "max_slots"]).required(true).multiple(true))]
pub struct RebalanceArgs {
    /// The topology's name
    pub name: String,
    /// New numbers of executors
    #[arg(long, value_name = "COMPONENT=N", value_parser = count)]
    pub parallelism: Vec<(String, u32)>,
    /// Move executors so that workers are evenly filled, those that came back too
    #[arg(long)]
    pub evenly: bool,
    /// The most slots it may use from now on
    #[arg(long, value_name = "N")]
    pub max_slots: Option<u32>,
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// A topology's earlier version.
#[derive(clap::Args)]
pub struct RollbackArgs {
    /// The topology, and the version [default: the one before the current]
    #[arg(value_name = "NAME[@VERSION]", value_parser = versioned)]
    what: (String, u64),
    #[command(flatten)]
    wait: WaitArgs,
}

/// A name and a version; 0 for the one before the current.
fn versioned(text: &str) -> Result<(String, u64), &'static str> {
    let Some((name, version)) = text.split_once('@') else { return Ok((text.to_owned(), 0)) };
    let version = version.parse().ok().filter(|version| *version > 0);
    version.map(|version| (name.to_owned(), version)).ok_or("write NAME@VERSION, as in word-count@3")
}

fn count(text: &str) -> Result<(String, u32), &'static str> {
    let parts = text.split_once('=').filter(|(component, _)| !component.is_empty());
    let parsed = parts.and_then(|(component, count)| Some((component.to_owned(), count.parse().ok()?)));
    parsed.filter(|&(_, count)| count > 0).ok_or("write COMPONENT=N, as in split=4")
}

impl RebalanceArgs {
    /// As it goes over the wire.
    pub fn request(&self, mutation: Option<v1::Mutation>) -> v1::RebalanceRequest {
        let parallelism: HashMap<_, _> = self.parallelism.iter().cloned().collect();
        v1::RebalanceRequest {
            mutation,
            name: self.name.clone(),
            parallelism,
            evenly: self.evenly,
            max_slots: self.max_slots,
        }
    }
}

struct List(v1::ListTopologiesResponse);

impl View for List {
    fn text(&self, wide: bool) -> String {
        let mut heads = vec!["NAME", "STATE", "HEALTH", "VERSION", "EXECUTORS", "WORKERS", "AGE"];
        if wide {
            heads.extend(["COMPONENTS", "TASKS", "REVISION", "SUBMITTED BY"]);
        }
        let mut table = Table::new(heads);
        for it in &self.0.topologies {
            let mut cells = vec![
                it.name.clone(),
                topology_state(it.state).to_owned(),
                health(it.health).to_owned(),
                it.version.to_string(),
                format!("{}/{}", it.placed, it.executors),
                it.workers.to_string(),
                ago(it.submitted_at_ms, now()),
            ];
            if wide {
                cells.extend([it.components, it.tasks].map(|count| count.to_string()));
                cells.extend([it.revision.to_string(), it.submitted_by.clone()]);
            }
            table.row(cells);
        }
        format!("{}{}", answer::stale(self.0.stale), table.text("no topologies; `squall submit BINARY` brings one"))
    }

    fn json(&self) -> Value {
        let topologies: Vec<_> = self.0.topologies.iter().map(summary).collect();
        json!({ "topologies": topologies, "revision": self.0.revision, "stale": self.0.stale })
    }
}

fn summary(it: &v1::TopologySummary) -> Value {
    json!({
        "name": it.name, "state": topology_state(it.state), "health": health(it.health), "version": it.version,
        "revision": it.revision, "components": it.components, "executors": it.executors, "tasks": it.tasks,
        "placed": it.placed, "workers": it.workers, "submitted_at": utc(it.submitted_at_ms), "submitted_by": it.submitted_by,
    })
}

/// All topologies.
pub async fn list(session: &mut Session) -> Result<ExitCode, CliError> {
    let call = |link| async move { TopologiesClient::new(link).list(v1::ListTopologiesRequest {}).await };
    let answer = session.client.ask(call).await?;
    session.show(&List(answer))
}

struct Described(v1::Topology);

impl View for Described {
    fn text(&self, wide: bool) -> String {
        let it = &self.0;
        let summary = it.summary.clone().unwrap_or_default();
        let mut text = format!(
            "{}: {}, {}, version {}, assignment {}\n",
            summary.name,
            topology_state(summary.state),
            health(summary.health),
            summary.version,
            it.assignment_version
        );
        if it.stops_at_ms > 0 {
            text += &format!("stops      at {}\n", utc(it.stops_at_ms));
        }
        text += &format!("submitted  {} by {}\n", utc(summary.submitted_at_ms), nobody(&summary.submitted_by));
        text += &format!("package    {}\n", if wide { it.package.clone() } else { bytes(&it.package) });
        let mut config: Vec<_> = it.config.iter().map(|(key, value)| format!("config     {key} = {value}\n")).collect();
        config.sort();
        text += &config.concat();
        let mut counts: Vec<_> = it.parallelism.iter().map(|(id, n)| format!("parallel   {id} = {n}\n")).collect();
        counts.sort();
        text += &counts.concat();
        text += &it.options.as_ref().map_or_else(String::new, placement);
        text + &answer::concerns(&it.concerns) + &executors(&it.executors) + &processes(&it.slots)
    }

    fn json(&self) -> Value {
        let it = &self.0;
        let description: Value =
            serde_json::from_str(&it.description).unwrap_or_else(|_| it.description.clone().into());
        let options = it.options.clone().unwrap_or_default();
        let sorted = |map: &HashMap<String, u32>| map.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let config: serde_json::Map<_, _> = it.config.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        json!({
            "summary": summary(&it.summary.clone().unwrap_or_default()),
            "description": description, "package": it.package, "config": config,
            "parallelism": Value::Object(sorted(&it.parallelism)),
            "assignment_version": it.assignment_version,
            "stops_at": if it.stops_at_ms > 0 { json!(utc(it.stops_at_ms)) } else { Value::Null },
            "options": {
                "inactive": options.inactive, "max_slots": options.max_slots, "anti_affinity": options.anti_affinity,
                "hard_memory": options.hard_memory, "hard_cpu": options.hard_cpu,
            },
            "slots": it.slots.iter().map(process).collect::<Vec<_>>(),
            "executors": it.executors.iter().map(executor).collect::<Vec<_>>(),
            "concerns": it.concerns.iter().map(answer::concern).collect::<Vec<_>>(),
        })
    }
}

/// What its owner asks of its placement, in a line; nothing if that is nothing.
fn placement(options: &v1::SubmitOptions) -> String {
    let mut asked = Vec::new();
    asked.extend((options.max_slots > 0).then(|| format!("at most {} slots", options.max_slots)));
    asked.extend(options.hard_memory.then(|| "memory is a limit".to_owned()));
    asked.extend(options.hard_cpu.then(|| "CPU is a limit".to_owned()));
    asked.extend(options.anti_affinity.iter().map(|other| format!("apart from {other}")));
    if asked.is_empty() { String::new() } else { format!("placement  {}\n", asked.join(", ")) }
}

fn nobody(name: &str) -> &str {
    if name.is_empty() { "nobody in particular" } else { name }
}

/// All of one topology.
pub async fn describe(args: &NameArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let call = |link| {
        let request = v1::GetTopologyRequest { name: args.name.clone() };
        async move { TopologiesClient::new(link).get(request).await }
    };
    let answer = session.client.ask(call).await?;
    session.show(&Described(answer))
}

/// Lets spouts emit.
pub async fn activate(args: &ChangeArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::ActivateRequest { mutation: Client::mutation()?, name: args.name.clone() };
    let call = |link| {
        let request = request.clone();
        async move { TopologiesClient::new(link).activate(request).await }
    };
    let applied = session.client.change(call).await?;
    wait::placed(session, &args.wait, &args.name, Some(v1::TopologyState::Active)).await?;
    session.show(&Done::new(format!("{} is active", args.name), Some(applied)))
}

/// Stops spouts.
pub async fn deactivate(args: &ChangeArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::DeactivateRequest { mutation: Client::mutation()?, name: args.name.clone() };
    let call = |link| {
        let request = request.clone();
        async move { TopologiesClient::new(link).deactivate(request).await }
    };
    let applied = session.client.change(call).await?;
    wait::placed(session, &args.wait, &args.name, Some(v1::TopologyState::Inactive)).await?;
    session.show(&Done::new(format!("{} is inactive", args.name), Some(applied)))
}

struct Rebalanced(String, v1::RebalanceResponse);

impl View for Rebalanced {
    fn text(&self, wide: bool) -> String {
        Done::new(&self.0, self.1.applied).text(wide) + &unplaced(&self.1.unplaced)
    }

    fn json(&self) -> Value {
        let mut done = Done::new(&self.0, self.1.applied).json();
        done["unplaced"] = self.1.unplaced.iter().map(executor).collect();
        done
    }
}

/// Changes a topology's shape.
pub async fn rebalance(args: &RebalanceArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = args.request(Client::mutation()?);
    let call = |link| {
        let request = request.clone();
        async move { TopologiesClient::new(link).rebalance(request).await }
    };
    let answer = session.client.change(call).await?;
    wait::placed(session, &args.wait, &args.name, None).await?;
    session.show(&Rebalanced(format!("{} is rebalanced", args.name), answer))
}

/// Ends a topology.
pub async fn kill(args: &KillArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let wait_ms = args.after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    let request = v1::KillRequest { mutation: Client::mutation()?, name: args.name.clone(), wait_ms };
    let call = |link| {
        let request = request.clone();
        async move { TopologiesClient::new(link).kill(request).await }
    };
    let applied = session.client.change(call).await?;
    wait::gone(session, &args.wait, &args.name).await?;
    let what = if args.wait.wait { "gone" } else { "killed; it stops once its wait is over" };
    session.show(&Done::new(format!("{} is {what}", args.name), Some(applied)))
}

struct Versions(v1::VersionsResponse);

impl View for Versions {
    fn text(&self, _: bool) -> String {
        let mut table = Table::new(["VERSION", "CURRENT", "PACKAGE", "SUBMITTED", "BY", "REVISION"]);
        for it in &self.0.versions {
            let current = if it.current { "yes" } else { "no" };
            table.row([
                it.version.to_string(),
                current.to_owned(),
                bytes(&it.package),
                utc(it.submitted_at_ms),
                it.submitted_by.clone(),
                it.revision.to_string(),
            ]);
        }
        table.text("no versions")
    }

    fn json(&self) -> Value {
        let version = |it: &v1::TopologyVersion| {
            json!({
                "version": it.version, "current": it.current, "package": it.package, "revision": it.revision,
                "submitted_at": utc(it.submitted_at_ms), "submitted_by": it.submitted_by,
            })
        };
        json!({ "versions": self.0.versions.iter().map(version).collect::<Vec<_>>() })
    }
}

/// All versions.
pub async fn versions(args: &NameArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let call = |link| {
        let request = v1::VersionsRequest { name: args.name.clone() };
        async move { TopologiesClient::new(link).versions(request).await }
    };
    let answer = session.client.ask(call).await?;
    session.show(&Versions(answer))
}

/// A version that was submitted, or gone back to.
pub struct Submitted {
    /// What was done with it, in a word.
    pub how: &'static str,
    /// What came of it.
    pub answer: v1::SubmitResponse,
}

impl View for Submitted {
    fn text(&self, wide: bool) -> String {
        let what = format!("{} is {} as version {}", self.answer.name, self.how, self.answer.version);
        Done::new(what, self.answer.applied).text(wide) + &unplaced(&self.answer.unplaced)
    }

    fn json(&self) -> Value {
        let applied = self.answer.applied.unwrap_or_default();
        json!({
            "name": self.answer.name, "version": self.answer.version, "revision": applied.revision, "repeated": applied.repeated,
            "unplaced": self.answer.unplaced.iter().map(executor).collect::<Vec<_>>(),
        })
    }
}

/// Goes back to an earlier version.
pub async fn rollback(args: &RollbackArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let (name, version) = (args.what.0.as_str(), args.what.1);
    let request = v1::RollbackRequest { mutation: Client::mutation()?, name: name.to_owned(), version };
    let call = |link| {
        let request = request.clone();
        async move { TopologiesClient::new(link).rollback(request).await }
    };
    let answer = session.client.change(call).await?;
    wait::placed(session, &args.wait, name, None).await?;
    session.show(&Submitted { how: "rolled back", answer })
}
