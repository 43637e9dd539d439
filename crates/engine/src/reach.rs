//! Which components rows can come to from which.

use std::collections::BTreeSet;

use squall_types::topology::Checked;

/// Of each component: those that rows can come to that were made from its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    direct: Vec<BTreeSet<usize>>,
    all: Vec<BTreeSet<usize>>,
}

impl Reach {
    /// Of a topology.
    pub fn new(topology: &Checked) -> Self {
        let components = topology.components();
        let takers = |component: usize| {
            let streams = components[component].streams.iter();
            streams.flat_map(|stream| topology.consumers(component, &stream.id)).map(|input| input.component).collect()
        };
        let direct: Vec<BTreeSet<usize>> = (0..components.len()).map(takers).collect();
        let all = (0..components.len()).map(|component| spread(&direct, component)).collect();
        Self { direct, all }
    }

    /// Whether `to` takes a stream of `from`.
    pub fn feeds(&self, from: usize, to: usize) -> bool {
        self.direct[from].contains(&to)
    }

    /// Whether rows made from those of `from` can come to `to`, itself included.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        from == to || self.all[from].contains(&to)
    }
}

fn spread(direct: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut left: Vec<usize> = direct[from].iter().copied().collect();
    while let Some(component) = left.pop() {
        if found.insert(component) {
            left.extend(&direct[component]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use squall_types::topology::{Component, Fields, Grouping, Input, Kind, StreamDecl, Topology};
    use squall_types::{ComponentId, StreamId};

    use super::*;

    /// Two spouts; the second one's rows go round in a cycle; the first one's come to the last alone.
    #[test]
    fn rows_come_along_streams_also_round_a_cycle_and_never_back() {
        let ids = ["s", "t", "a", "b", "end"];
        let inputs: [&[usize]; 5] = [&[], &[], &[1, 3], &[2], &[0, 3]];
        let mut topology = Topology::new("t");
        for (id, from) in ids.iter().zip(inputs) {
            let kind = if from.is_empty() { Kind::Spout } else { Kind::Bolt };
            let mut component = Component::new(ComponentId::new(*id), kind);
            component.streams.push(StreamDecl::new(StreamId::default_stream(), Fields::new(["x"])));
            component.inputs = from
                .iter()
                .map(|from| Input::new(ids[*from].into(), StreamId::default_stream(), Grouping::Shuffle))
                .collect();
            topology.components.push(component);
        }
        let reach = Reach::new(&topology.validate().unwrap());
        let reached = |from: usize| (0..5).filter(|to| reach.reaches(from, *to)).collect::<Vec<_>>();
        assert_eq!(reached(0), [0, 4]);
        assert_eq!(reached(1), [1, 2, 3, 4]);
        assert_eq!(reached(2), [2, 3, 4]);
        assert_eq!(reached(4), [4]);
        let fed = |from: usize| (0..5).filter(|to| reach.feeds(from, *to)).collect::<Vec<_>>();
        assert_eq!([fed(0), fed(1), fed(2), fed(3)], [vec![4], vec![2], vec![3], vec![2, 4]]);
    }
}
