//! A topology as it is to run: its description with the settings that win over it, checked, and its executors.

use std::collections::BTreeMap;

use serde_json::Value;
use squall_types::ComponentId;
use squall_types::cluster::{ExecutorId, TopologyName};
use squall_types::topology::{Checked, Topology};

use crate::Refusal;

/// A checked topology and its executors. Derived from what is replicated, and equal wherever that is equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    checked: Checked,
    executors: BTreeMap<ExecutorId, usize>,
}

impl Shape {
    /// Puts a topology together.
    ///
    /// # Errors
    /// If the description can't be read, a setting is for a component that isn't there, or the whole is not valid.
    pub(crate) fn new(
        name: &TopologyName,
        description: &str,
        config: &BTreeMap<String, String>,
        parallelism: &BTreeMap<ComponentId, u32>,
    ) -> Result<Self, Refusal> {
        let mut topology = read(name, description)?;
        topology.name = name.as_str().into();
        for (key, value) in config {
            let (component, key) = place(&topology, key);
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()));
            topology.set_config(component.as_ref(), key, value).map_err(|it| unknown(name, it.id, it.nearest))?;
        }
        for (component, executors) in parallelism {
            topology.set_parallelism(component, *executors).map_err(|it| unknown(name, it.id, it.nearest))?;
        }
        let checked = topology.validate().map_err(|invalid| Refusal::Invalid {
            name: name.clone(),
            problem: invalid.code(),
            others: u32::try_from(invalid.problems().count() - 1).unwrap_or(u32::MAX),
        })?;
        Ok(Self { executors: executors(&checked), checked })
    }

    /// The topology, checked. Its name is the one that it was submitted under, and the settings that win have won.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// All executors, each with its component's index.
    pub fn executors(&self) -> &BTreeMap<ExecutorId, usize> {
        &self.executors
    }
}

fn read(name: &TopologyName, description: &str) -> Result<Topology, Refusal> {
    serde_json::from_str(description).map_err(|error| Refusal::Unreadable {
        name: name.clone(),
        line: u32::try_from(error.line()).unwrap_or(u32::MAX),
        column: u32::try_from(error.column()).unwrap_or(u32::MAX),
    })
}

/// The component that a setting is for, and its key there. Component ids may have dots, so the longest that the topology has counts.
fn place<'k>(topology: &Topology, key: &'k str) -> (Option<ComponentId>, &'k str) {
    let known = |component: &str| topology.components.iter().any(|it| it.id.as_str() == component);
    let splits = key.rmatch_indices('.').map(|(at, _)| (&key[..at], &key[at + 1..]));
    match splits.clone().find(|(component, _)| known(component)).or_else(|| key.split_once('.')) {
        Some((component, key)) => (Some(component.into()), key),
        None => (None, key),
    }
}

fn executors(checked: &Checked) -> BTreeMap<ExecutorId, usize> {
    let numbered = checked.components().iter().enumerate();
    let executor = |(index, component): (usize, &squall_types::topology::Component)| {
        (0..component.parallelism).map(move |number| {
            let tasks = checked.tasks_of_executor(index, number);
            (ExecutorId { first: tasks.first(), last: tasks.last() }, index)
        })
    };
    numbered.flat_map(executor).collect()
}

fn unknown(name: &TopologyName, component: ComponentId, nearest: Option<ComponentId>) -> Refusal {
    Refusal::UnknownComponent { name: name.clone(), component, nearest }
}
