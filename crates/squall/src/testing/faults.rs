//! Faults on purpose, by a seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_engine::edges::EdgeIds;
use squall_engine::hash::value_hash;
use squall_runtime::{Fault, Injector, Instead, Slot};
use squall_types::topology::Kind;
use squall_types::{ComponentId, Value};

use super::error::CompleteError;
use crate::TopologyBuilder;

#[derive(Clone, Copy, Debug)]
enum Rule {
    Fail(f64),
    Panic(f64),
    Delay(f64, Duration),
}

/// What goes wrong with a topology's bolts, drawn from a seed.
///
/// Under simulated time (in [`CompleteOptions::faults`](super::CompleteOptions::faults)) the same seed gives the same faults. For
/// a topology that really runs, [`inject_into`](Self::inject_into) the builder, and let [`kill_tasks`](Self::kill_tasks) run
/// beside the slot; which row is hit then depends on how the rows come.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    seed: u64,
    rules: BTreeMap<ComponentId, Vec<Rule>>,
    kills: Vec<(ComponentId, Duration)>,
}

impl Faults {
    /// No faults yet, to be drawn from this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Fails a bolt's tuples with this probability, instead of executing them.
    #[must_use]
    pub fn fail(self, bolt: &str, probability: f64) -> Self {
        self.rule(bolt, Rule::Fail(probability))
    }

    /// Panics with this probability, instead of executing a tuple: the tuple fails and the task starts anew.
    #[must_use]
    pub fn panic(self, bolt: &str, probability: f64) -> Self {
        self.rule(bolt, Rule::Panic(probability))
    }

    /// Delays a bolt's tuples with this probability. A bolt that computes holds its core for that time, as a slow one does.
    #[must_use]
    pub fn delay(self, bolt: &str, probability: f64, delay: Duration) -> Self {
        self.rule(bolt, Rule::Delay(probability, delay))
    }

    /// Kills one of a component's tasks, which the seed chooses, so long after the start: see [`Slot::kill_task`].
    #[must_use]
    pub fn kill_task(mut self, component: &str, at: Duration) -> Self {
        self.kills.push((component.into(), at));
        self
    }

    fn rule(mut self, bolt: &str, rule: Rule) -> Self {
        self.rules.entry(bolt.into()).or_default().push(rule);
        self
    }

    /// Puts the faults into the bolts of a topology that will really run: a delay holds the bolt's thread.
    ///
    /// # Errors
    /// A component isn't there, or is a spout.
    pub fn inject_into(&self, builder: &mut TopologyBuilder) -> Result<(), CompleteError> {
        self.inject(builder, false)
    }

    pub(super) fn inject(&self, builder: &mut TopologyBuilder, simulated: bool) -> Result<(), CompleteError> {
        for (component, _) in &self.kills {
            builder.code_mut(component)?;
        }
        for (bolt, rules) in &self.rules {
            let (component, code) = builder.code_mut(bolt)?;
            if component.kind == Kind::Spout {
                return Err(CompleteError::NotABolt { component: bolt.clone() });
            }
            *code = code.clone().with_faults(injector(rules.clone(), Draws::new(self.seed, bolt)), simulated);
        }
        Ok(())
    }

    /// Kills tasks of a running slot at their times. Returns once the last is killed.
    pub async fn kill_tasks(&self, slot: &Slot) {
        let mut kills: Vec<_> = self.kills.iter().collect();
        kills.sort_by_key(|(_, at)| *at);
        for (number, (component, at)) in kills.into_iter().enumerate() {
            let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
            tokio::time::sleep_until(slot.clock().instant(at_ns)).await;
            let tasks = slot.tasks_of(component.as_str());
            let drawn = Draws::new(self.seed.wrapping_add(number as u64), component).draw();
            if let Some(task) = tasks.get((drawn * tasks.len() as f64) as usize) {
                slot.kill_task(*task);
            }
        }
    }
}

/// Numbers between 0 and 1, from a seed and a component's name.
struct Draws(EdgeIds);

impl Draws {
    fn new(seed: u64, component: &ComponentId) -> Self {
        Self(EdgeIds::new(seed ^ value_hash(&Value::from(component.as_str()))))
    }

    fn draw(&mut self) -> f64 {
        // The 53 bits that a float has.
        (self.0.next().to_bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The draws are shared by all tasks and outlive them: a task that starts anew doesn't draw its panic again.
fn injector(rules: Vec<Rule>, draws: Draws) -> Injector {
    let draws = Mutex::new(draws);
    Arc::new(move || {
        let mut draws = draws.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fault = Fault::default();
        for rule in &rules {
            let drawn = draws.draw();
            match *rule {
                Rule::Fail(probability) if drawn < probability => fault.instead = Some(Instead::Fail),
                Rule::Panic(probability) if drawn < probability => fault.instead = Some(Instead::Panic),
                Rule::Delay(probability, delay) if drawn < probability => {
                    fault.delay = Some(fault.delay.unwrap_or_default() + delay);
                }
                Rule::Fail(_) | Rule::Panic(_) | Rule::Delay(..) => {}
            }
        }
        fault
    })
}
