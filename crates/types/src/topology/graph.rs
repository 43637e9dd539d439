//! How components hang together: which edges close a cycle, and an order that goes with the tuples.

use std::collections::BTreeSet;

use super::InputRef;

/// Which components a component sends to, edge by edge.
pub(super) type Edges = Vec<Vec<InputRef>>;

/// What a walk over the graph finds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cycles {
    /// The edges that lead back to where the walk came from. Without them there is no cycle.
    pub closing: BTreeSet<InputRef>,
    /// For each component whether it lies on a cycle.
    pub cyclic: Vec<bool>,
}

/// Walks depth first from the roots in turn, along edges in order, so that the same graph always gives the same edges.
pub(super) fn cycles(edges: &Edges, roots: impl IntoIterator<Item = usize>) -> Cycles {
    let mut walk = Walk::new(edges);
    for root in roots {
        walk.from(root);
    }
    Cycles { closing: walk.closing, cyclic: walk.cyclic }
}

/// The components so that each comes after those that send to it, edges that close a cycle aside. Where several may come
/// next, the one declared first does.
pub(super) fn order(edges: &Edges, closing: &BTreeSet<InputRef>) -> Vec<usize> {
    let forward = |component: usize| edges[component].iter().filter(|edge| !closing.contains(edge));
    let mut missing = vec![0_usize; edges.len()];
    (0..edges.len()).flat_map(forward).for_each(|edge| missing[edge.component] += 1);
    let mut ready: BTreeSet<usize> = (0..edges.len()).filter(|&component| missing[component] == 0).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(component) = ready.pop_first() {
        order.push(component);
        for edge in forward(component) {
            missing[edge.component] -= 1;
            if missing[edge.component] == 0 {
                ready.insert(edge.component);
            }
        }
    }
    order
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Not met yet.
    New,
    /// The walk stands here or further on: an edge to it closes a cycle.
    OnPath,
    /// Left, but it may be in a cycle with something on the path.
    Left,
    /// Left with its whole strongly connected component.
    Done,
}

/// Tarjan's algorithm, with a path of its own instead of the thread's stack, so that a long topology can't overflow it.
struct Walk<'a> {
    edges: &'a Edges,
    state: Vec<State>,
    /// The how-manieth each component was met.
    met: Vec<usize>,
    /// The earliest met component on the path that each is known to lead back to.
    low: Vec<usize>,
    count: usize,
    /// The way here: components, and how many of their edges have been followed.
    path: Vec<(usize, usize)>,
    /// Those on the path and left, in the order they were met.
    pending: Vec<usize>,
    closing: BTreeSet<InputRef>,
    cyclic: Vec<bool>,
}

impl<'a> Walk<'a> {
    fn new(edges: &'a Edges) -> Self {
        let len = edges.len();
        Self {
            edges,
            state: vec![State::New; len],
            met: vec![0; len],
            low: vec![0; len],
            count: 0,
            path: Vec::new(),
            pending: Vec::new(),
            closing: BTreeSet::new(),
            cyclic: vec![false; len],
        }
    }

    fn from(&mut self, root: usize) {
        if self.state[root] == State::New {
            self.enter(root);
        }
        while let Some((at, followed)) = self.path.last_mut() {
            let at = *at;
            match self.edges[at].get(*followed) {
                Some(&edge) => {
                    *followed += 1;
                    self.follow(at, edge);
                }
                None => self.leave(at),
            }
        }
    }

    fn enter(&mut self, component: usize) {
        self.state[component] = State::OnPath;
        self.met[component] = self.count;
        self.low[component] = self.count;
        self.count += 1;
        self.path.push((component, 0));
        self.pending.push(component);
    }

    fn follow(&mut self, at: usize, edge: InputRef) {
        let to = edge.component;
        match self.state[to] {
            State::New => self.enter(to),
            State::OnPath => {
                self.closing.insert(edge);
                self.cyclic[to] |= to == at;
                self.low[at] = self.low[at].min(self.met[to]);
            }
            State::Left => self.low[at] = self.low[at].min(self.met[to]),
            State::Done => {}
        }
    }

    fn leave(&mut self, at: usize) {
        self.path.pop();
        self.state[at] = State::Left;
        if let Some(&(before, _)) = self.path.last() {
            self.low[before] = self.low[before].min(self.low[at]);
        }
        if self.low[at] == self.met[at] {
            self.close(at);
        }
    }

    /// All that was met since `first` and is not done leads back to it: a strongly connected component.
    fn close(&mut self, first: usize) {
        let start = self.pending.iter().rposition(|&component| component == first);
        let start = start.expect("a component is pending from when it is met until it is closed");
        let members = self.pending.split_off(start);
        for &member in &members {
            self.state[member] = State::Done;
            self.cyclic[member] |= members.len() > 1;
        }
    }
}
