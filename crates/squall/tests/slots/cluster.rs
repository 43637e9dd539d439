//! Several slots of one topology in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use squall::metrics::Snapshot;
use squall::{Books, Options, Program, Slot, TaskId, TopologyBuilder};
use squall_runtime::transport::memory::Network;
use squall_runtime::{Applied, Look, Membership, Traffic};
use squall_types::cluster::{
    AssignmentVersion, ClusterId, ExecutorId, Peer, Placement, SlotId, SlotIncarnation, TopologyName,
};

use crate::common::*;

/// Where executors are: by component and executor, the slot.
pub type Place = Arc<dyn Fn(&str, u32) -> Option<usize> + Send + Sync>;

/// Executor `n` of each component in slot `n`, modulo the number of slots.
pub fn spread(slots: usize) -> Place {
    Arc::new(move |_, executor| Some(executor as usize % slots))
}

/// Each of these components in its slot.
pub fn by_component(places: &'static [(&'static str, usize)]) -> Place {
    Arc::new(move |component, _| places.iter().find(|(name, _)| *name == component).map(|(_, slot)| *slot))
}

/// A slot's name: every second one on the same worker.
pub fn slot_id(number: usize) -> SlotId {
    SlotId { worker: format!("w{}", number / 2).parse().expect("legal"), number: (number % 2) as u16 }
}

pub struct Cluster {
    pub network: Network,
    program: Program,
    options: Options,
    pub placement: Placement,
    pub slots: BTreeMap<usize, Slot>,
}

impl Cluster {
    /// Starts a topology in so many slots.
    pub async fn start(topology: TopologyBuilder, options: &Options, slots: usize, place: &Place) -> Self {
        let program = topology.build().expect("the topology is valid");
        let placement = place_all(&program, 1, place);
        let network = Network::new();
        let mut cluster = Self { network, program, options: options.clone(), placement, slots: BTreeMap::new() };
        for number in 0..slots {
            cluster.start_slot(number, 1).await;
        }
        cluster
    }

    /// Starts one slot, in this life.
    pub async fn start_slot(&mut self, number: usize, incarnation: u64) {
        let address = address(number);
        let own = slot_id(number);
        let incarnation = SlotIncarnation::new(incarnation);
        if let Some(peer) = self.placement.slots.get_mut(&own) {
            peer.incarnation = Some(incarnation);
        }
        let membership = Membership {
            cluster: ClusterId::new(7).expect("not 0"),
            topology: TopologyName::new("t").expect("legal"),
            own,
            incarnation,
            placement: self.placement.clone(),
            transport: self.network.transport(&address),
        };
        let slot = Slot::join(&self.program, &self.options, membership).await.expect("the slot starts");
        self.network.listen(&address, slot.acceptor().expect("it has peers"));
        self.slots.insert(number, slot);
    }

    /// Ends a slot as if its process were killed.
    pub async fn kill(&mut self, number: usize) {
        self.network.vanish(&address(number));
        self.slots.remove(&number).expect("it runs").kill().await;
    }

    /// Gives all slots another placement, the next version.
    pub async fn place(&mut self, place: &Place) {
        self.next_placement(place);
        self.apply_all().await;
    }

    /// Makes the next version.
    pub fn next_placement(&mut self, place: &Place) {
        let version = self.placement.version.next().get();
        let lives: BTreeMap<SlotId, Option<SlotIncarnation>> =
            self.placement.slots.iter().map(|(slot, peer)| (slot.clone(), peer.incarnation)).collect();
        self.placement = place_all(&self.program, version, place);
        for (slot, peer) in &mut self.placement.slots {
            peer.incarnation = lives.get(slot).copied().flatten();
        }
    }

    /// Tells all slots the placement.
    pub async fn apply_all(&mut self) {
        for slot in self.slots.values_mut() {
            assert_eq!(slot.apply(self.placement.clone()).await.expect("it can be applied"), Applied::Now);
        }
    }

    pub fn looks(&self) -> Vec<Look> {
        self.slots.values().map(Slot::look).collect()
    }

    pub fn books(&self) -> Vec<Books> {
        self.slots.values().map(Slot::books).collect()
    }

    pub fn traffic(&self) -> Vec<Traffic> {
        self.slots.values().map(Slot::traffic).collect()
    }

    /// Waits until nothing is under way in any slot, nor between them.
    pub async fn at_rest(&self) {
        let mut before = self.looks();
        let waited = async {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let now = self.looks();
                if Look::at_rest(&before, &now) {
                    return;
                }
                before = now;
            }
        };
        if tokio::time::timeout(LONG, waited).await.is_err() {
            panic!("the topology doesn't come to rest: {:#?}\n{:?}", self.looks(), self.books());
        }
    }

    /// Waits for the end of all spouts, and ends all slots. The books of all, added up, and what each slot counted.
    pub async fn finish(self) -> (Books, Vec<Snapshot>) {
        self.at_rest().await;
        self.drain().await
    }

    /// Ends a topology that never ends by itself.
    pub async fn end(self) -> (Books, Vec<Snapshot>) {
        self.slots.values().for_each(Slot::end_spouts);
        self.at_rest().await;
        self.drain().await
    }

    /// As [`end`](Self::end), where parcels were lost on the way: nobody knows whether any is still under way.
    pub async fn finish_in_doubt(self) -> (Books, Vec<Snapshot>) {
        self.slots.values().for_each(Slot::end_spouts);
        let still = || self.looks().iter().map(|look| (look.rests, look.pending, look.moved)).collect::<Vec<_>>();
        let mut before = (still(), std::time::Instant::now());
        until("it comes to rest", || {
            let now = still();
            if now != before.0 {
                before = (now, std::time::Instant::now());
            }
            let rests = before.0.iter().all(|(rests, pending, _)| *rests && *pending == 0);
            rests && before.1.elapsed() > Duration::from_millis(100)
        })
        .await;
        self.drain().await
    }

    async fn drain(self) -> (Books, Vec<Snapshot>) {
        let mut all = Books::default();
        let monitors: Vec<_> = self.slots.values().map(Slot::monitor).collect();
        for slot in self.slots.into_values() {
            let books = slot.drain(LONG).await;
            all.emitted += books.emitted;
            all.acked += books.acked;
            all.failed += books.failed;
            all.timed_out += books.timed_out;
            all.lost += books.lost;
            all.given_up += books.given_up;
            all.left += books.left;
            all.cut_short |= books.cut_short;
            all.hung.extend(books.hung);
        }
        (all, monitors.iter().map(squall::Monitor::snapshot).collect())
    }
}

pub fn address(number: usize) -> String {
    format!("slot-{number}")
}

pub fn place_all(program: &Program, version: u64, place: &Place) -> Placement {
    let topology = program.topology();
    let mut executors = BTreeMap::<usize, BTreeSet<ExecutorId>>::new();
    for (index, component) in topology.components().iter().enumerate() {
        for executor in 0..component.parallelism {
            if let Some(slot) = place(component.id.as_str(), executor) {
                executors.entry(slot).or_default().insert(topology.executor(index, executor));
            }
        }
    }
    let peer = |(number, executors): (usize, BTreeSet<ExecutorId>)| {
        let peer = Peer { executors, zone: String::new(), incarnation: None, address: Some(address(number)) };
        (slot_id(number), peer)
    };
    Placement { version: AssignmentVersion::new(version), slots: executors.into_iter().map(peer).collect() }
}

/// A component's count, over all slots.
pub fn total(snapshots: &[Snapshot], component: &str, count: impl Fn(&squall::metrics::TaskMetrics) -> u64) -> u64 {
    snapshots.iter().filter_map(|snapshot| snapshot.component(component)).map(|it| count(&it.total)).sum()
}

/// Each number with the tasks that got it.
pub fn takers(log: &Log<(i64, TaskId)>) -> BTreeMap<i64, Vec<TaskId>> {
    let mut takers = BTreeMap::<i64, Vec<TaskId>>::new();
    log.sorted().into_iter().for_each(|(n, task)| takers.entry(n).or_default().push(task));
    takers
}
