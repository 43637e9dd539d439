//! The search for an order.

use std::collections::HashSet;
use std::hash::Hash;

use super::history::Operation;
use super::register::{Answer, Request};

/// What an object does.
pub trait Model {
    /// All that its next answers depend on.
    type State: Clone + Default + Eq + Hash;

    /// The state after a request that gave this answer, if it could have given it. Without an answer nobody knows what it gave.
    fn step(state: &Self::State, request: &Request, answer: Option<&Answer>) -> Option<Self::State>;
}

/// What the search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none. Places in the history.
    Violated {
        /// The longest order found.
        done: Vec<usize>,
        /// What could not follow it.
        stuck: Vec<usize>,
    },
    /// It was given up.
    Endless,
}

/// A step of the order that is being tried: who was chosen, what there was before, and who may be tried instead.
struct Frame<S> {
    before: S,
    candidates: Vec<usize>,
    tried: usize,
}

/// Searches for an order of these operations on one object that starts in its default state; gives up after `limit` states.
pub fn search<M: Model>(operations: &[Operation], limit: usize) -> Verdict {
    let mut done = Done::none(operations.len());
    let mut visited = HashSet::new();
    let mut order: Vec<usize> = Vec::new();
    let (mut longest, mut stuck) = (Vec::new(), done.candidates(operations));
    let mut frames = vec![Frame { before: M::State::default(), candidates: stuck.clone(), tried: 0 }];
    while let Some(frame) = frames.last_mut() {
        if done.holds_all_answered(operations) {
            return Verdict::Linearizable;
        }
        let Some(&chosen) = frame.candidates.get(frame.tried) else {
            frames.pop();
            if let Some(last) = order.pop() {
                done.remove(last);
            }
            continue;
        };
        frame.tried += 1;
        let operation = &operations[chosen];
        let Some(after) = M::step(&frame.before, &operation.call.request, operation.answer()) else { continue };
        done.insert(chosen);
        if !visited.insert((done.clone(), after.clone())) {
            done.remove(chosen);
            continue;
        }
        if visited.len() > limit {
            return Verdict::Endless;
        }
        order.push(chosen);
        let candidates = done.candidates(operations);
        if order.len() > longest.len() {
            (longest, stuck) = (order.clone(), candidates.clone());
        }
        frames.push(Frame { before: after, candidates, tried: 0 });
    }
    Verdict::Violated { done: longest, stuck }
}

/// Which operations are in the order.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn none(operations: usize) -> Self {
        Self(vec![0; operations.div_ceil(64)])
    }

    fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn remove(&mut self, at: usize) {
        self.0[at / 64] &= !(1 << (at % 64));
    }

    fn holds(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    /// What nobody saw return may have happened or not, so it needs no place.
    fn holds_all_answered(&self, operations: &[Operation]) -> bool {
        operations.iter().enumerate().all(|(at, it)| it.answer().is_none() || self.holds(at))
    }

    /// What may be next: what was called before anything that is still to be ordered returned. Answered ones first, by when they returned.
    fn candidates(&self, operations: &[Operation]) -> Vec<usize> {
        let left = || operations.iter().enumerate().filter(|(at, _)| !self.holds(*at));
        let first_return = left().filter_map(|(_, it)| it.returned_at()).min().unwrap_or(u64::MAX);
        let mut candidates: Vec<_> = left()
            .filter(|(_, it)| it.call.at < first_return)
            .map(|(at, it)| (it.returned_at(), it.call.at, at))
            .collect();
        candidates.sort_by_key(|(returned, called, _)| (returned.unwrap_or(u64::MAX), *called));
        candidates.into_iter().map(|(_, _, at)| at).collect()
    }
}
