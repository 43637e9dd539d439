//! Workers on which a topology has no slot yet, the best first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use squall_types::topology::Resources;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::board::{Board, reluctance};
use super::seats::Seats;

/// Lower is better. Compared field by field, in this order: willing, not overloaded, room in the component's share, neighbours, few executors, a
/// zone of its own, little load; at last a hash, so that equals are not always taken in the order of their names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    pub reluctance: u8,
    pub overloaded: bool,
    pub over_share: bool,
    pub strangers: u64,
    pub own: u32,
    pub all: u32,
    pub zone: u32,
    pub load: u64,
    pub hash: u64,
}

/// A worker on which a slot would be opened, without what depends on its zone: reluctance, overload, load, hash, number.
pub(super) type Entry = (u8, bool, u64, u64, usize);

/// How good it is to open a slot on a worker for an executor with these needs.
pub(super) fn entry(board: &Board<'_>, number: usize, needs: Resources, seed: u64) -> Entry {
    let room = &board.rooms[number];
    let load = room.load_with(needs);
    (reluctance(room.worker.standing), load > 1_000, load, hash(room.name.as_str(), seed), number)
}

/// The same with what the topology has in the worker's zone.
pub(super) const fn opened((reluctance, overloaded, load, hash, _): Entry, zone: u32) -> Score {
    Score { reluctance, overloaded, over_share: false, strangers: u64::MAX, own: 0, all: 0, zone, load, hash }
}

/// Workers that fit executors with the same needs and tags. A score here changes only by what the topology opens in the worker's zone, and then for
/// the worse: so each zone has a heap of its own, and the zones' best stand in one.
pub(super) struct Pool<'a> {
    pub needs: Resources,
    pub tags: &'a BTreeSet<String>,
    zones: Vec<BinaryHeap<Reverse<Entry>>>,
    best: BinaryHeap<Reverse<(Score, usize)>>,
}

impl<'a> Pool<'a> {
    pub fn new(
        board: &Board<'_>,
        topology: usize,
        needs: Resources,
        tags: &'a BTreeSet<String>,
        seats: &Seats,
    ) -> Self {
        let seed = seed(board, topology);
        let mut zones: Vec<Vec<Reverse<Entry>>> = (0..board.zones).map(|_| Vec::new()).collect();
        for (number, room) in board.rooms.iter().enumerate() {
            if board.fits(room, topology, needs, tags) && room.free_slot().is_some() && !seats.on(number) {
                zones[room.zone].push(Reverse(entry(board, number, needs, seed)));
            }
        }
        let mut pool =
            Self { needs, tags, zones: zones.into_iter().map(BinaryHeap::from).collect(), best: BinaryHeap::new() };
        for zone in 0..pool.zones.len() {
            pool.best.extend(pool.head(zone, seats));
        }
        pool
    }

    /// The best worker, and its score.
    pub fn best(&mut self, seats: &Seats) -> Option<(Score, usize)> {
        while let Some(Reverse((score, zone))) = self.best.pop() {
            while self.zones[zone].peek().is_some_and(|Reverse(head)| seats.on(head.4)) {
                self.zones[zone].pop();
            }
            let Some(now) = self.head(zone, seats) else { continue };
            let stands = now.0.0 == score;
            self.best.push(now);
            if stands {
                return self.zones[zone].peek().map(|Reverse(head)| (score, head.4));
            }
        }
        None
    }

    fn head(&self, zone: usize, seats: &Seats) -> Option<Reverse<(Score, usize)>> {
        let Reverse(head) = *self.zones[zone].peek()?;
        Some(Reverse((opened(head, seats.zones[zone]), zone)))
    }
}

/// What a topology's hashes begin with.
pub(super) fn seed(board: &Board<'_>, topology: usize) -> u64 {
    xxh3_64(board.topologies[topology].0.as_str().as_bytes())
}

pub(super) fn hash(worker: &str, seed: u64) -> u64 {
    xxh3_64_with_seed(worker.as_bytes(), seed)
}
