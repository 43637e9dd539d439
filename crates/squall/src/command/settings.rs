//! What the command line changes of a topology.

use std::str::FromStr;

use serde_json::Value;
use squall_types::topology::NoSuchComponent;

use super::args::Args;
use crate::TopologyBuilder;

/// A number for a component: `COMPONENT=N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    component: String,
    count: u32,
}

/// A setting: `KEY=VALUE`, or `COMPONENT.KEY=VALUE`. Which of the two the topology's components tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    key: String,
    value: Value,
}

/// An option's value isn't of its form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no `COMPONENT=N`.
    #[error("write COMPONENT=N, as in split=4")]
    Count,
    /// What stands for the number is none.
    #[error("{0:?} is no count; write COMPONENT=N, as in split=4")]
    Number(String),
    /// It is no `KEY=VALUE`.
    #[error("write KEY=VALUE or COMPONENT.KEY=VALUE, as in path=/tmp/in or split.limit=10")]
    Setting,
}

impl Count {
    #[cfg(test)]
    pub fn new(component: &str, count: u32) -> Self {
        Self { component: component.to_owned(), count }
    }
}

impl FromStr for Count {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (component, count) =
            text.split_once('=').filter(|(component, _)| !component.is_empty()).ok_or(Malformed::Count)?;
        let count = count.parse().map_err(|_| Malformed::Number(count.to_owned()))?;
        Ok(Self { component: component.to_owned(), count })
    }
}

impl FromStr for Setting {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let complete = |key: &str| !key.is_empty() && !key.starts_with('.') && !key.ends_with('.');
        let (key, value) = text.split_once('=').filter(|(key, _)| complete(key)).ok_or(Malformed::Setting)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok(Self { key: key.to_owned(), value })
    }
}

impl Setting {
    /// The component it is for, and its key there. Component ids may have dots, so the longest that the topology has counts.
    fn place<'k>(&'k self, topology: &TopologyBuilder) -> (Option<&'k str>, &'k str) {
        let components = &topology.topology().components;
        let splits = || self.key.rmatch_indices('.').map(|(at, _)| (&self.key[..at], &self.key[at + 1..]));
        let known = splits().find(|(component, _)| components.iter().any(|known| known.id.as_str() == *component));
        match known.or_else(|| self.key.split_once('.')) {
            Some((component, key)) => (Some(component), key),
            None => (None, &self.key),
        }
    }
}

/// Changes the topology as the command line says.
///
/// # Errors
/// A change is for a component that the topology doesn't have.
pub fn apply(args: &Args, topology: &mut TopologyBuilder) -> Result<(), NoSuchComponent> {
    for Count { component, count } in &args.parallelism {
        topology.set_parallelism(component, *count)?;
    }
    for Count { component, count } in &args.tasks {
        topology.set_tasks(component, *count)?;
    }
    for setting in &args.set {
        let (component, key) = setting.place(topology);
        topology.set_config(component, key, setting.value.clone())?;
    }
    if let Some(promise) = args.delivery {
        topology.delivery(promise.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Bolt, Collector, Delivery, Result, Tuple};

    struct Sink;

    impl Bolt for Sink {
        fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
            Ok(())
        }
    }

    fn applied(line: &str) -> Result<TopologyBuilder, String> {
        let mut topology = TopologyBuilder::new("t");
        topology.bolt("split", || Sink);
        topology.bolt("v1", || Sink);
        topology.bolt("v1.2", || Sink);
        let words = std::iter::once("program").chain(line.split_whitespace());
        let args = Args::read("t", words).expect("a command line of the right form");
        apply(&args, &mut topology).map(|()| topology).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_json_and_what_is_not_is_text() {
        let topology = applied("--set n=3 --set path=/tmp/in --set list=[1,2] --set empty= --set eq=a=b").unwrap();
        let config = &topology.topology().config;
        assert_eq!(json!(config), json!({"n": 3, "path": "/tmp/in", "list": [1, 2], "empty": "", "eq": "a=b"}));
    }

    #[test]
    fn a_setting_goes_to_the_longest_component_that_its_key_names() {
        let topology = applied("--set v1.2.k=1 --set v1.k=2 --set split.a.b=3").unwrap();
        let config = |index: usize| json!(topology.topology().components[index].config);
        assert_eq!([config(0), config(1), config(2)], [json!({"a.b": 3}), json!({"k": 2}), json!({"k": 1})]);
    }

    #[test]
    fn tasks_and_parallelism_and_delivery_are_changed() {
        let topology = applied("--tasks split=8 --parallelism split=4 --delivery at-most-once").unwrap();
        let split = &topology.topology().components[0];
        assert_eq!((split.parallelism, split.tasks), (4, 8));
        assert_eq!(topology.topology().delivery, Delivery::AtMostOnce);
    }

    #[test]
    fn an_unknown_component_is_named_with_the_nearest() {
        for line in ["--parallelism slit=2", "--tasks slit=2", "--set slit.k=1"] {
            let error = applied(line).err().expect(line);
            assert_eq!(error, "the topology has no component \"slit\"; did you mean \"split\"?");
        }
    }
}
