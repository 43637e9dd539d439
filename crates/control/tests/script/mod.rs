//! Runs a script over a planner's input. Every plan that it makes is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use squall_control::check::check;
use squall_control::plan::{Input, Options, Standing, Topology as Planned, Worker, explain, plan};
use squall_types::cluster::{ExecutorId, TopologyName, TopologyVersion, WorkerName};
use squall_types::topology::{Component, Fields, Grouping, Input as Edge, Kind, StreamDecl, Topology};
use squall_types::{ComponentId, StreamId, TaskId};

/// Why a script can't be run.
pub type Fault = String;

/// The script with what came of it.
pub fn run(script: &str) -> Result<String, Fault> {
    let mut world = World::default();
    let mut told = String::new();
    for line in script.lines().filter(|line| !line.starts_with("  ")) {
        told.push_str(line);
        told.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        for said in world.run(line).map_err(|fault| format!("{line}: {fault}"))? {
            told.push_str(&format!("  {said}\n"));
        }
    }
    Ok(told)
}

#[derive(Default)]
struct World {
    input: Input,
    described: BTreeMap<TopologyName, Topology>,
}

type Settings<'a> = BTreeMap<&'a str, &'a str>;

impl World {
    fn run(&mut self, line: &str) -> Result<Vec<String>, Fault> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        match verb {
            "add-worker" => self.add_worker(&rest)?,
            "kill-worker" => self.stand(&rest, Standing::Dead)?,
            "return" | "undrain" => self.stand(&rest, Standing::Open)?,
            "drain" => self.stand(&rest, Standing::Draining)?,
            "cut-off" => self.stand(&rest, Standing::CutOff)?,
            "quarantine" => self.stand(&rest, Standing::Quarantined)?,
            "leave" => self.stand(&rest, Standing::Left)?,
            "lose-slot" => self.lose(&rest)?,
            "submit" => self.submit(&rest)?,
            "rebalance" => self.rebalance(&rest)?,
            "kill" => self.kill(&rest)?,
            "plan" => return Ok(self.plan()),
            "show" => return self.show(&rest),
            "why" => return self.why(&rest),
            _ => return Err("no such command".to_owned()),
        }
        Ok(Vec::new())
    }

    fn add_worker(&mut self, words: &[&str]) -> Result<(), Fault> {
        let (name, settings) = split(words)?;
        let tags = settings.get("tags").copied().unwrap_or_default();
        let worker = Worker {
            slots: number(&settings, "slots", 4)?,
            cpu_percent: number(&settings, "cpu", 400)?,
            memory_mib: number(&settings, "memory", 8_192)?,
            tags: tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            zone: settings.get("zone").copied().unwrap_or_default().to_owned(),
            standing: Standing::Open,
            lost: BTreeSet::new(),
        };
        self.input.workers.insert(parse(name)?, worker);
        Ok(())
    }

    fn worker(&mut self, name: &str) -> Result<&mut Worker, Fault> {
        let name: WorkerName = parse(name)?;
        self.input.workers.get_mut(&name).ok_or_else(|| format!("there is no worker {name}"))
    }

    fn stand(&mut self, words: &[&str], standing: Standing) -> Result<(), Fault> {
        self.worker(split(words)?.0)?.standing = standing;
        Ok(())
    }

    fn lose(&mut self, words: &[&str]) -> Result<(), Fault> {
        let (worker, slot) = split(words)?.0.split_once('/').ok_or("a slot is WORKER/NUMBER")?;
        self.worker(worker)?.lost.insert(parse(slot)?);
        Ok(())
    }

    /// `submit NAME COMPONENT=EXECUTORS[/TASKS] …`: a line of components, each after the one before. Settings begin with `--`.
    fn submit(&mut self, words: &[&str]) -> Result<(), Fault> {
        let (name, settings) = split(words)?;
        let name: TopologyName = parse(name)?;
        let mut topology = Topology::new(name.as_str());
        let ids = words[1..].iter().filter_map(|word| word.split_once('=')).filter(|(id, _)| !id.starts_with("--"));
        for (id, size) in ids {
            let before = topology.components.last().map(|it: &Component| it.id.clone());
            let mut component = component(id, size, before, &settings)?;
            component.tags =
                settings.get("--tags").map(|tags| tags.split(',').map(Into::into).collect()).unwrap_or_default();
            topology.components.push(component);
        }
        let list = |key: &str| settings.get(key).copied().unwrap_or_default().split(',').filter(|it| !it.is_empty());
        let options = Options {
            max_slots: number(&settings, "--max-slots", 0)?,
            anti_affinity: list("--apart").map(parse).collect::<Result<_, _>>()?,
            hard_cpu: list("--hard").any(|it| it == "cpu"),
            hard_memory: list("--hard").any(|it| it == "memory"),
        };
        self.described.insert(name.clone(), topology);
        self.describe(&name, options)
    }

    /// Makes the planner's topology of what is described, and leaves it where it is.
    fn describe(&mut self, name: &TopologyName, options: Options) -> Result<(), Fault> {
        let checked = self.described[name].clone().validate().map_err(|invalid| invalid.to_string())?;
        let mut planned = Planned::new(&checked, TopologyVersion::new(1), options);
        planned.current = self.input.topologies.get(name).and_then(|it| it.current.clone());
        self.input.topologies.insert(name.clone(), planned);
        Ok(())
    }

    fn rebalance(&mut self, words: &[&str]) -> Result<(), Fault> {
        let (name, settings) = split(words)?;
        let name: TopologyName = parse(name)?;
        let topology = self.described.get_mut(&name).ok_or("there is no such topology")?;
        for (id, executors) in settings.iter().filter(|(id, _)| !id.starts_with("--")) {
            let executors = parse(executors)?;
            topology.set_parallelism(&ComponentId::from(*id), executors).map_err(|_| format!("there is no {id}"))?;
        }
        let mut options = self.input.topologies[&name].options.clone();
        options.max_slots = number(&settings, "--max-slots", options.max_slots)?;
        self.describe(&name, options)?;
        if let Some(planned) = self.input.topologies.get_mut(&name) {
            planned.evenly = words.contains(&"--evenly");
        }
        Ok(())
    }

    fn kill(&mut self, words: &[&str]) -> Result<(), Fault> {
        let name: TopologyName = parse(split(words)?.0)?;
        self.input.topologies.remove(&name).map(drop).ok_or_else(|| "there is no such topology".to_owned())
    }

    /// What a plan changes. It is carried out.
    fn plan(&mut self) -> Vec<String> {
        let made = plan(&self.input);
        assert_eq!(check(&self.input, &made), [], "{made:?}");
        let mut said: Vec<String> = made.moves.iter().map(ToString::to_string).collect();
        for (name, assignment) in &made.assignments {
            let unplaced = assignment.unplaced.iter();
            said.extend(unplaced.map(|(executor, why)| format!("? {name} {executor}: {why}")));
        }
        said.extend(made.stuck.iter().map(ToString::to_string));
        if said.is_empty() {
            said.push("nothing to do".to_owned());
        }
        for (name, assignment) in made.assignments {
            if let Some(topology) = self.input.topologies.get_mut(&name) {
                (topology.current, topology.evenly) = (Some(assignment), false);
            }
        }
        said
    }

    fn show(&self, words: &[&str]) -> Result<Vec<String>, Fault> {
        let topology = self.topology(split(words)?.0)?;
        let mut slots: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for (executor, slot) in topology.current.iter().flat_map(|current| &current.places) {
            let component = topology.component_of(*executor).map(|it| it.id.to_string()).unwrap_or_default();
            slots.entry(slot.clone()).or_default().push(format!("{component} {executor}"));
        }
        Ok(slots.into_iter().map(|(slot, executors)| format!("{slot}: {}", executors.join(", "))).collect())
    }

    fn topology(&self, name: &str) -> Result<&Planned, Fault> {
        let name: TopologyName = parse(name)?;
        self.input.topologies.get(&name).ok_or_else(|| format!("there is no topology {name}"))
    }

    /// `why NAME [FIRST LAST]`: every place for an executor, and what speaks against each.
    fn why(&self, words: &[&str]) -> Result<Vec<String>, Fault> {
        let name: TopologyName = parse(split(words)?.0)?;
        let explained = explain(&self.input, &name, executor(&words[1..])?).ok_or("there is no such executor")?;
        Ok(explained.to_string().lines().map(str::to_owned).collect())
    }
}

/// A component of a line: a spout if there is none before it. `--group` says how rows come to it.
fn component(id: &str, size: &str, before: Option<ComponentId>, settings: &Settings<'_>) -> Result<Component, Fault> {
    let kind = if before.is_none() { Kind::Spout } else { Kind::Bolt };
    let mut component = Component::new(id.into(), kind);
    let (executors, tasks) = size.split_once('/').unwrap_or((size, size));
    (component.parallelism, component.tasks) = (parse(executors)?, parse(tasks)?);
    component.resources.cpu_percent = number(settings, "--cpu", 10)?;
    component.resources.memory_mib = number(settings, "--memory", 128)?;
    let stream = StreamId::default_stream();
    component.streams = vec![StreamDecl::new(stream.clone(), Fields::new(["word"]))];
    component.inputs = before.into_iter().map(|from| Edge::new(from, stream.clone(), Grouping::Shuffle)).collect();
    Ok(component)
}

fn executor(words: &[&str]) -> Result<ExecutorId, Fault> {
    let text = words.join(" ");
    let (first, last) = text.trim_matches(['[', ']']).split_once(' ').ok_or("an executor is [FIRST LAST]")?;
    Ok(ExecutorId { first: TaskId::new(parse(first)?), last: TaskId::new(parse(last)?) })
}

/// The name, and the `KEY=VALUE`s behind it.
fn split<'a>(words: &[&'a str]) -> Result<(&'a str, Settings<'a>), Fault> {
    let name = words.first().ok_or("it lacks a name")?;
    let settings = words[1..].iter().filter_map(|word| word.split_once('=')).collect();
    Ok((name, settings))
}

fn number<T: FromStr<Err: Display>>(settings: &Settings<'_>, key: &str, otherwise: T) -> Result<T, Fault> {
    settings.get(key).map_or(Ok(otherwise), |text| parse(text))
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|error: T::Err| format!("{text}: {error}"))
}
