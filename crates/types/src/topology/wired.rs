//! An input together with its bolt, and what can be wrong with the two.

use std::sync::Arc;

use super::problem::Subscription;
use super::{Component, Fields, Input, Problem, Topology};
use crate::nearest;

/// An input with the bolt that has it.
#[derive(Clone, Copy)]
pub(super) struct Wired<'a> {
    pub to: &'a Component,
    pub input: &'a Input,
}

impl Wired<'_> {
    fn at(self) -> Subscription {
        Subscription { component: self.to.id.clone(), from: self.input.from.clone(), stream: self.input.stream.clone() }
    }

    pub fn duplicate(self) -> Problem {
        Problem::DuplicateInput { at: self.at(), grouping: self.input.grouping.name() }
    }

    pub fn unnamed(self) -> Problem {
        Problem::UnnamedGrouping(self.at())
    }

    pub fn no_key(self) -> Problem {
        Problem::NoKeyFields { at: self.at(), grouping: self.input.grouping.name() }
    }

    pub fn repeated(self, field: &str) -> Problem {
        Problem::RepeatedKeyField { at: self.at(), field: field.into() }
    }

    pub fn not_direct(self) -> Problem {
        Problem::StreamNotDirect(self.at())
    }

    pub fn direct(self) -> Problem {
        Problem::StreamDirect { at: self.at(), grouping: self.input.grouping.name() }
    }

    pub fn unknown_component(self, topology: &Topology) -> Problem {
        let others = topology.components.iter().filter(|other| other.id != self.to.id);
        let meant = nearest(self.input.from.as_str(), others.map(|component| component.id.as_str()));
        Problem::UnknownComponent { at: self.at(), nearest: meant.map(Into::into) }
    }

    pub fn unknown_stream(self, from: &Component) -> Problem {
        let meant = nearest(self.input.stream.as_str(), from.streams.iter().map(|stream| stream.id.as_str()));
        Problem::UnknownStream { at: self.at(), nearest: meant.map(Into::into) }
    }

    pub fn unknown_field(self, field: &str, known: &Fields) -> Problem {
        let meant = nearest(field, known.iter());
        Problem::UnknownField { at: self.at(), field: field.into(), nearest: meant.map(Arc::from) }
    }
}
