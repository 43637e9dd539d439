//! Changes to a declared topology that a command line makes.

use super::problem::Meant;
use super::{Component, Topology};
use crate::{Code, ComponentId, codes, nearest};

/// A change was for a component that the topology doesn't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the topology has no component {id:?}{}", Meant(.nearest))]
pub struct NoSuchComponent {
    /// The id that was given.
    pub id: ComponentId,
    /// The one that was probably meant.
    pub nearest: Option<ComponentId>,
}

impl NoSuchComponent {
    /// This error's code.
    pub fn code(&self) -> Code {
        codes::NO_SUCH_COMPONENT
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        "name a component of the topology; its description lists them"
    }
}

impl Topology {
    /// Sets how many executors a component has. If it had a task for each, it has so afterwards.
    ///
    /// # Errors
    /// If there is no such component. Whether the number is legal is for [`validate`](Topology::validate).
    pub fn set_parallelism(&mut self, id: &ComponentId, executors: u32) -> Result<(), NoSuchComponent> {
        let component = self.component_mut(id)?;
        if component.tasks == component.parallelism {
            component.tasks = executors;
        }
        component.parallelism = executors;
        Ok(())
    }

    /// Sets how many tasks a component has.
    ///
    /// # Errors
    /// If there is no such component. Whether the number is legal is for [`validate`](Topology::validate).
    pub fn set_tasks(&mut self, id: &ComponentId, tasks: u32) -> Result<(), NoSuchComponent> {
        self.component_mut(id)?.tasks = tasks;
        Ok(())
    }

    /// Sets a setting for a component, or for all that don't have it themselves.
    ///
    /// # Errors
    /// If there is no such component.
    pub fn set_config(
        &mut self,
        id: Option<&ComponentId>,
        key: impl Into<String>,
        value: serde_json::Value,
    ) -> Result<(), NoSuchComponent> {
        let config = match id {
            Some(id) => &mut self.component_mut(id)?.config,
            None => &mut self.config,
        };
        config.insert(key.into(), value);
        Ok(())
    }

    /// Where a component stands among [`components`](Self::components).
    ///
    /// # Errors
    /// If there is no such component.
    pub fn index_of(&self, id: &ComponentId) -> Result<usize, NoSuchComponent> {
        self.components.iter().position(|component| component.id == *id).ok_or_else(|| {
            let known = self.components.iter().map(|component| component.id.as_str());
            NoSuchComponent { id: id.clone(), nearest: nearest(id.as_str(), known).map(Into::into) }
        })
    }

    fn component_mut(&mut self, id: &ComponentId) -> Result<&mut Component, NoSuchComponent> {
        let index = self.index_of(id)?;
        Ok(&mut self.components[index])
    }
}
