//! Topologies: their coming, changing and going.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use squall_types::cluster::{TopologyName, TopologyVersion, UserName};
use squall_types::nearest;

use super::{Deployed, Done, Reply, State, VERSIONS_KEPT, Version};
use crate::command::{Options, Rebalance, Submit};
use crate::{Lifecycle, Limit, Refusal, Step, What};

/// The most bytes in a topology's description.
const LONGEST_DESCRIPTION: usize = 1 << 20;
/// The most bytes in the descriptions of all versions of all topologies.
const LONGEST_DESCRIPTIONS: usize = 256 << 20;
/// The most bytes in a topology's settings.
const LONGEST_CONFIG: usize = 256 << 10;
/// The most topologies in a cluster.
const MOST_TOPOLOGIES: usize = 10_000;
/// The most topologies that one can keep away from.
const MOST_KEPT_AWAY: usize = 256;
/// The most names that are compared with one that isn't known.
pub(super) const NAMES_COMPARED: usize = 10_000;

impl State {
    pub(super) fn submit(&mut self, submit: &Submit, by: Option<&UserName>) -> Done {
        within_limits(submit)?;
        let kept: usize = self.topologies.values().flat_map(Deployed::versions).map(|it| it.description.len()).sum();
        limit(Limit::AllDescriptions, kept + submit.description.len(), LONGEST_DESCRIPTIONS)?;
        if let Some(package) = submit.package.filter(|package| !self.blobs.contains_key(package)) {
            return Err(Refusal::UnknownBlob(package));
        }
        if self.topologies.contains_key(&submit.name) { self.update(submit, by) } else { self.submit_new(submit, by) }
    }

    fn submit_new(&mut self, submit: &Submit, by: Option<&UserName>) -> Done {
        limit(Limit::Topologies, self.topologies.len() + 1, MOST_TOPOLOGIES)?;
        let name = submit.name.clone();
        let version = self.version(submit, TopologyVersion::new(1), by);
        let deployed = Deployed {
            shape: Arc::new(version.shape(&name, &BTreeMap::new())?),
            lifecycle: if submit.inactive { Lifecycle::Inactive } else { Lifecycle::Active },
            revision: self.revision,
            earlier: Vec::new(),
            options: version.options.clone(),
            current: version,
            parallelism: BTreeMap::new(),
            evenly_since: None,
            born_after: self.retired,
            assignment: None,
            name: name.clone(),
        };
        self.refer(submit.package, &name, deployed.current.version);
        self.topologies.insert(name.clone(), deployed);
        Ok(submitted(name, TopologyVersion::new(1), None))
    }

    fn update(&mut self, submit: &Submit, by: Option<&UserName>) -> Done {
        if !submit.update {
            return Err(Refusal::NameTaken(submit.name.clone()));
        }
        let step = if submit.inactive { Step::UpdateInactive } else { Step::Update };
        let deployed = self.in_phase_for(&submit.name, step)?;
        let next = deployed.current.version.next();
        let version = self.version(submit, next, by);
        let lifecycle = submit.inactive.then_some(Lifecycle::Inactive);
        self.replace(&submit.name, version, lifecycle)?;
        Ok(submitted(submit.name.clone(), next, None))
    }

    pub(super) fn roll_back(
        &mut self,
        name: &TopologyName,
        to: Option<TopologyVersion>,
        by: Option<&UserName>,
    ) -> Done {
        let deployed = self.in_phase_for(name, Step::Update)?;
        let current = &deployed.current;
        let wanted = |version: &&Version| to.is_none_or(|to| version.version == to);
        let Some(earlier) = deployed.earlier.iter().rev().find(wanted) else {
            let oldest = deployed.earlier.first().unwrap_or(current).version;
            let version = to.unwrap_or_else(|| TopologyVersion::new(current.version.get().saturating_sub(1)));
            return Err(Refusal::UnknownVersion { name: name.clone(), version, oldest, current: current.version });
        };
        let (back_to, next) = (earlier.version, current.version.next());
        let version = Version {
            version: next,
            revision: self.revision,
            submitted_at: self.now,
            submitted_by: by.cloned(),
            ..earlier.clone()
        };
        self.replace(name, version, None)?;
        Ok(submitted(name.clone(), next, Some(back_to)))
    }

    /// Makes a version the current one of a topology that is there.
    fn replace(&mut self, name: &TopologyName, version: Version, lifecycle: Option<Lifecycle>) -> Result<(), Refusal> {
        let shape = version.shape(name, &BTreeMap::new())?;
        let deployed = self.topologies.get_mut(name).ok_or_else(|| unknown(name, None))?;
        let (current, asked) = (deployed.shape.checked().topology().key_groups, shape.checked().topology().key_groups);
        if current != asked {
            return Err(Refusal::KeyGroupsChanged { name: name.clone(), current, asked });
        }
        deployed.shape = Arc::new(shape);
        deployed.options = version.options.clone();
        deployed.parallelism.clear();
        deployed.lifecycle = lifecycle.unwrap_or(deployed.lifecycle);
        deployed.revision = self.revision;
        let (package, number) = (version.package, version.version);
        deployed.earlier.push(std::mem::replace(&mut deployed.current, version));
        let surplus = deployed.earlier.len().saturating_sub(VERSIONS_KEPT - 1);
        let dropped: Vec<_> = deployed.earlier.drain(..surplus).map(|it| (it.package, it.version)).collect();
        self.refer(package, name, number);
        for (package, version) in dropped {
            self.unrefer(package, name, version);
        }
        Ok(())
    }

    fn version(&self, submit: &Submit, version: TopologyVersion, by: Option<&UserName>) -> Version {
        Version {
            version,
            revision: self.revision,
            submitted_at: self.now,
            submitted_by: by.cloned(),
            description: submit.description.clone(),
            package: submit.package,
            config: submit.config.clone(),
            options: slots_or_any(submit.options.clone()),
        }
    }

    pub(super) fn activate(&mut self, name: &TopologyName) -> Done {
        self.switch(name, Step::Activate, Lifecycle::Active, What::TopologyActivated(name.clone()))
    }

    pub(super) fn deactivate(&mut self, name: &TopologyName) -> Done {
        self.switch(name, Step::Deactivate, Lifecycle::Inactive, What::TopologyDeactivated(name.clone()))
    }

    fn switch(&mut self, name: &TopologyName, step: Step, to: Lifecycle, what: What) -> Done {
        if self.in_phase_for(name, step)?.lifecycle == to {
            return Ok((Reply::Done, Vec::new()));
        }
        let deployed = self.topologies.get_mut(name).ok_or_else(|| unknown(name, None))?;
        deployed.lifecycle = to;
        deployed.revision = self.revision;
        Ok((Reply::Done, vec![what]))
    }

    pub(super) fn rebalance(&mut self, rebalance: &Rebalance) -> Done {
        let name = &rebalance.name;
        let deployed = self.in_phase_for(name, Step::Rebalance)?;
        let mut parallelism = deployed.parallelism.clone();
        parallelism.extend(rebalance.parallelism.iter().map(|(component, executors)| (component.clone(), *executors)));
        let shape = deployed.current.shape(name, &parallelism)?;
        let deployed = self.topologies.get_mut(name).ok_or_else(|| unknown(name, None))?;
        deployed.shape = Arc::new(shape);
        deployed.parallelism = parallelism;
        deployed.revision = self.revision;
        if let Some(slots) = rebalance.max_slots {
            deployed.options.max_slots = (slots > 0).then_some(slots);
        }
        if rebalance.evenly {
            deployed.evenly_since = Some(self.revision);
        }
        Ok((Reply::Done, vec![What::TopologyRebalanced { name: name.clone(), evenly: rebalance.evenly }]))
    }

    pub(super) fn kill(&mut self, name: &TopologyName, wait: Option<Duration>) -> Done {
        let (now, revision) = (self.now, self.revision);
        let deployed = self.in_phase_for(name, Step::Kill)?;
        let wait = wait.unwrap_or(deployed.shape.checked().topology().message_timeout);
        let stops_at = match deployed.lifecycle {
            Lifecycle::Killed { stops_at } if stops_at <= now.plus(wait) => {
                return Ok((Reply::StopsAt(stops_at), Vec::new()));
            }
            Lifecycle::Active | Lifecycle::Inactive | Lifecycle::Killed { .. } => now.plus(wait),
        };
        let deployed = self.topologies.get_mut(name).ok_or_else(|| unknown(name, None))?;
        deployed.lifecycle = Lifecycle::Killed { stops_at };
        deployed.revision = revision;
        Ok((Reply::StopsAt(stops_at), vec![What::TopologyKilled { name: name.clone(), stops_at }]))
    }

    pub(super) fn finish_kill(&mut self, name: &TopologyName) -> Done {
        let now = self.now;
        match self.in_phase_for(name, Step::Finish)?.lifecycle {
            Lifecycle::Killed { stops_at } if now < stops_at => {
                return Err(Refusal::WaitNotOver { name: name.clone(), stops_at, now });
            }
            Lifecycle::Active | Lifecycle::Inactive | Lifecycle::Killed { .. } => {}
        }
        let gone = self.topologies.remove(name).ok_or_else(|| unknown(name, None))?;
        self.retired = self.retired.max(gone.parent());
        for slot in gone.slots() {
            self.slots.remove(slot);
        }
        for version in gone.versions() {
            self.unrefer(version.package, name, version.version);
        }
        Ok((Reply::Done, vec![What::TopologyForgotten(name.clone())]))
    }

    /// The topology, if the step can be taken where it is in its life.
    fn in_phase_for(&self, name: &TopologyName, step: Step) -> Result<&Deployed, Refusal> {
        let deployed = self.topologies.get(name).ok_or_else(|| self.unknown_topology(name))?;
        let phase = deployed.lifecycle.phase();
        match phase.after(step) {
            Some(_) => Ok(deployed),
            None => Err(Refusal::NotNow { name: name.clone(), phase, step }),
        }
    }

    /// Says that there is no such topology, and which was probably meant.
    pub fn unknown_topology(&self, name: &TopologyName) -> Refusal {
        let known = self.topologies.keys().take(NAMES_COMPARED).map(TopologyName::as_str);
        unknown(name, nearest(name.as_str(), known))
    }
}

fn unknown(name: &TopologyName, nearest: Option<&str>) -> Refusal {
    Refusal::UnknownTopology { name: name.clone(), nearest: nearest.and_then(|name| name.parse().ok()) }
}

fn submitted(
    name: TopologyName,
    version: TopologyVersion,
    rolled_back_to: Option<TopologyVersion>,
) -> (Reply, Vec<What>) {
    (Reply::Version(version), vec![What::TopologySubmitted { name, version, rolled_back_to }])
}

/// Zero slots mean as many as it has executors.
fn slots_or_any(options: Options) -> Options {
    Options { max_slots: options.max_slots.filter(|slots| *slots > 0), ..options }
}

fn within_limits(submit: &Submit) -> Result<(), Refusal> {
    let settings = submit.config.iter().map(|(key, value)| key.len() + value.len()).sum();
    limit(Limit::Description, submit.description.len(), LONGEST_DESCRIPTION)?;
    limit(Limit::Config, settings, LONGEST_CONFIG)?;
    limit(Limit::AntiAffinity, submit.options.anti_affinity.len(), MOST_KEPT_AWAY)
}

/// Refuses what there is too much of.
pub(super) fn limit(what: Limit, amount: usize, most: usize) -> Result<(), Refusal> {
    if amount <= most { Ok(()) } else { Err(Refusal::TooMuch { what, most: most as u64 }) }
}
