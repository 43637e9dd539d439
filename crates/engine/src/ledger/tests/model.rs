//! Random trees of tuples, acked in any order and with everything else going on, against a model that keeps whole trees.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::edges::EdgeIds;

/// A root in the model: the tuples that no bolt is done with, and the records that haven't reached the ledger.
#[derive(Debug)]
struct Tree {
    root: RootId,
    tuples: Vec<EdgeId>,
    records: Vec<EdgeId>,
    emitted_ns: u64,
    deadline_ns: u64,
}

#[derive(Clone, Debug)]
enum Op {
    /// The spout emits a row with so many copies.
    Open(usize),
    /// A bolt is done with a tuple and made so many from it.
    Execute(Index, Index, usize),
    /// A record reaches the ledger.
    Deliver(Index, Index),
    /// All records of a root reach the ledger, merged into one.
    DeliverMerged(Index),
    Fail(Index),
    Extend(Index),
    /// Time passes and the ledger looks at the clock.
    Pass(u64),
    /// What was opened before a recent root is lost.
    Lose(u64),
    /// The last few roots are withdrawn.
    Withdraw(u64),
    Restart,
    /// A record for a root that has settled.
    Late(Index, u64),
    Foreign(Index),
}

fn op() -> impl Strategy<Value = Op> {
    let pick = any::<Index>;
    prop_oneof![
        30 => (0usize..4).prop_map(Op::Open),
        40 => (pick(), pick(), prop_oneof![3 => Just(0), 1 => 1usize..4]).prop_map(|(a, b, n)| Op::Execute(a, b, n)),
        40 => (pick(), pick()).prop_map(|(a, b)| Op::Deliver(a, b)),
        10 => pick().prop_map(Op::DeliverMerged),
        2 => pick().prop_map(Op::Fail),
        4 => pick().prop_map(Op::Extend),
        10 => (0u64..200).prop_map(Op::Pass),
        1 => (0u64..20).prop_map(Op::Lose),
        1 => (0u64..6).prop_map(Op::Withdraw),
        1 => Just(Op::Restart),
        3 => (pick(), 1u64..).prop_map(|(a, bits)| Op::Late(a, bits)),
        2 => pick().prop_map(Op::Foreign),
    ]
}

/// The ledger, the model beside it (trees by id), and what the ledger should have counted.
struct World {
    ledger: Ledger<u64>,
    trees: BTreeMap<u64, Tree>,
    gone: Vec<RootId>,
    ids: EdgeIds,
    next_id: u64,
    now_ns: u64,
    expected: LedgerStats,
}

impl World {
    fn starting_at(first: Sequence) -> Self {
        Self {
            ledger: Ledger::starting_at(config(), first),
            trees: BTreeMap::new(),
            gone: Vec::new(),
            ids: EdgeIds::new(1),
            next_id: 1,
            now_ns: 0,
            expected: LedgerStats::default(),
        }
    }

    fn pick(&self, index: Index, wanted: impl Fn(&Tree) -> bool) -> Option<u64> {
        let fit: Vec<u64> = self.trees.iter().filter(|(_, tree)| wanted(tree)).map(|(&id, _)| id).collect();
        (!fit.is_empty()).then(|| fit[index.index(fit.len())])
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Open(copies) => self.open(copies),
            Op::Execute(tree, tuple, children) => self.execute(tree, tuple, children),
            Op::Deliver(tree, record) => {
                self.deliver(tree, |records| vec![records.swap_remove(record.index(records.len()))]);
            }
            Op::DeliverMerged(tree) => self.deliver(tree, std::mem::take),
            Op::Fail(tree) => self.fail(tree),
            Op::Extend(tree) => self.extend(tree),
            Op::Pass(ns) => self.pass(ns),
            Op::Lose(back) => self.lose(back),
            Op::Withdraw(count) => self.withdraw(count),
            Op::Restart => self.restart(),
            Op::Late(which, bits) => self.late(which, bits),
            Op::Foreign(tree) => self.foreign(tree),
        }
    }

    fn open(&mut self, copies: usize) {
        let (id, edge) = (self.next_id, self.ids.next());
        self.next_id += 1;
        let root = self.ledger.open(id, edge, self.now_ns);
        let tuples: Vec<EdgeId> = crate::edges::split(edge, &mut self.ids, copies).collect();
        let records = if copies == 0 { vec![edge] } else { Vec::new() };
        let deadline_ns = self.now_ns + TIMEOUT;
        self.trees.insert(id, Tree { root, tuples, records, emitted_ns: self.now_ns, deadline_ns });
        self.expected.opened += 1;
    }

    fn execute(&mut self, tree: Index, tuple: Index, children: usize) {
        let Some(id) = self.pick(tree, |tree| !tree.tuples.is_empty()) else { return };
        let made: Vec<EdgeId> = (0..children).map(|_| self.ids.next()).collect();
        let tree = self.trees.get_mut(&id).expect("just picked");
        let done = tree.tuples.swap_remove(tuple.index(tree.tuples.len()));
        tree.records.push(made.iter().fold(done, |sum, &edge| sum ^ edge));
        tree.tuples.extend(made);
    }

    fn deliver(&mut self, tree: Index, take: impl Fn(&mut Vec<EdgeId>) -> Vec<EdgeId>) {
        let Some(id) = self.pick(tree, |tree| !tree.records.is_empty()) else { return };
        let tree = self.trees.get_mut(&id).expect("just picked");
        let root = tree.root;
        let xor = take(&mut tree.records).into_iter().fold(EdgeId::ZERO, |sum, record| sum ^ record);
        let complete = tree.tuples.is_empty() && tree.records.is_empty();
        let expected = if complete { vec![id] } else { vec![] };
        let done = self.call(|ledger, mut on| ledger.ack(root, xor, &mut on));
        self.settle(done, expected, Outcome::Acked);
    }

    fn fail(&mut self, tree: Index) {
        let Some(id) = self.pick(tree, |_| true) else { return };
        let root = self.trees[&id].root;
        let done = self.call(|ledger, mut on| ledger.fail(root, &mut on));
        self.settle(done, vec![id], Outcome::Failed(FailureKind::Failed));
    }

    fn extend(&mut self, tree: Index) {
        let Some(id) = self.pick(tree, |_| true) else { return };
        let tree = self.trees.get_mut(&id).expect("just picked");
        tree.deadline_ns = self.now_ns + TIMEOUT;
        self.ledger.extend(tree.root, self.now_ns);
    }

    fn pass(&mut self, ns: u64) {
        self.now_ns += ns;
        let now_ns = self.now_ns;
        let due = self.trees.iter().filter(|(_, tree)| tree.deadline_ns <= now_ns).map(|(&id, _)| id).collect();
        let done = self.call(|ledger, mut on| ledger.expire(now_ns, &mut on));
        self.settle(done, due, Outcome::Failed(FailureKind::TimedOut));
    }

    /// Ids are dense too, but for withdrawals: the roots before a bound are told by their own sequences.
    fn lose(&mut self, back: u64) {
        let next = self.ledger.next_sequence();
        let bound = Sequence::new(next.get().wrapping_sub(back));
        let before = |tree: &Tree| next.since(tree.root.sequence()) > back;
        let doomed = self.trees.iter().filter(|(_, tree)| before(tree)).map(|(&id, _)| id).collect();
        let done = self.call(|ledger, mut on| ledger.lose_before(bound, &mut on));
        self.settle(done, doomed, Outcome::Failed(FailureKind::Lost));
    }

    /// Only roots that nothing has happened to can be withdrawn: those at the end that are still whole.
    fn withdraw(&mut self, count: u64) {
        let next = self.ledger.next_sequence();
        let doomed: Vec<u64> = self.trees.keys().rev().copied().take(count as usize).collect();
        let dense = doomed.iter().zip(1..).all(|(id, back)| next.since(self.trees[id].root.sequence()) == back);
        let Some(last) = doomed.last().filter(|_| dense) else { return };
        let first = self.trees[last].root.sequence();
        assert_eq!(self.ledger.withdraw_from(first), doomed.len());
        doomed.iter().for_each(|id| drop(self.trees.remove(id)));
        self.expected.opened -= doomed.len() as u64;
    }

    fn restart(&mut self) {
        let all = self.trees.keys().copied().collect();
        let done = self.call(|ledger, mut on| ledger.restart(&mut on));
        self.settle(done, all, Outcome::Failed(FailureKind::Lost));
    }

    fn late(&mut self, which: Index, bits: u64) {
        if self.gone.is_empty() {
            return;
        }
        let root = self.gone[which.index(self.gone.len())];
        if root.incarnation() == self.ledger.incarnation() {
            self.expected.late += 1;
        } else {
            self.expected.stale += 1;
        }
        assert_eq!(self.call(|ledger, mut on| ledger.ack(root, edge(bits), &mut on)), []);
    }

    fn foreign(&mut self, tree: Index) {
        let Some(id) = self.pick(tree, |_| true) else { return };
        let root = self.trees[&id].root;
        let other = RootId::new(TaskId::new(root.task().get() + 1), root.incarnation(), root.sequence());
        assert_eq!(self.call(|ledger, mut on| ledger.ack(other, edge(1), &mut on)), []);
        assert_eq!(self.call(|ledger, mut on| ledger.fail(other, &mut on)), []);
        self.expected.foreign += 2;
    }

    fn call(&mut self, call: impl FnOnce(&mut Ledger<u64>, &mut dyn FnMut(Settled<u64>))) -> Vec<Settled<u64>> {
        let mut done = Vec::new();
        call(&mut self.ledger, &mut |settled| done.push(settled));
        done
    }

    /// Checks what settled against what should have, and takes it out of the model: so nothing settles twice.
    fn settle(&mut self, mut done: Vec<Settled<u64>>, expected: Vec<u64>, outcome: Outcome) {
        done.sort_by_key(|settled| settled.id);
        assert_eq!(done.iter().map(|settled| settled.id).collect::<Vec<_>>(), expected);
        let n = done.len() as u64;
        match outcome {
            Outcome::Acked => self.expected.acked += n,
            Outcome::Failed(FailureKind::Failed) => self.expected.failed += n,
            Outcome::Failed(FailureKind::TimedOut) => self.expected.timed_out += n,
            Outcome::Failed(FailureKind::Lost) => self.expected.lost += n,
        }
        for settled in done {
            let tree = self.trees.remove(&settled.id).expect("just compared with what was expected");
            assert_eq!((settled.outcome, settled.emitted_ns), (outcome, tree.emitted_ns));
            self.gone.push(tree.root);
        }
    }

    fn check(&self) {
        let ledger = &self.ledger;
        assert_eq!(ledger.pending(), self.trees.len());
        assert_eq!(ledger.room(), config().max_pending.saturating_sub(self.trees.len()));
        assert_eq!(ledger.stats(), self.expected);
        assert_eq!(ledger.stats().opened, ledger.stats().settled() + ledger.pending() as u64);
        assert_eq!(ledger.next_deadline(), self.trees.values().map(|tree| tree.deadline_ns).min());
        assert_eq!(ledger.oldest_pending_ns(), self.trees.values().map(|tree| tree.emitted_ns).min());
        assert!(ledger.ring.len() <= SLACK_FACTOR * ledger.ring.pending() + SLACK);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_root_settles_once_and_as_its_tree_says(
        ops in prop::collection::vec(op(), 1..600),
        before_the_wrap in 0u64..100,
    ) {
        let mut world = World::starting_at(Sequence::new((1u64 << 36).wrapping_sub(before_the_wrap)));
        for op in ops {
            world.apply(op);
            world.check();
        }
        world.pass(TIMEOUT);
        world.check();
        prop_assert_eq!(world.ledger.pending(), 0);
    }

    #[test]
    fn duplicated_records_never_complete_a_root_early_nor_settle_it_twice(
        shape in prop::collection::vec((any::<Index>(), 0usize..3), 0..12),
        delivered in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let mut ids = EdgeIds::new(2);
        let mut ledger = ledger();
        let first = ids.next();
        let root = ledger.open(1, first, 0);
        let (mut tuples, mut records) = (vec![first], Vec::new());
        for (tuple, children) in shape {
            if tuples.is_empty() {
                break;
            }
            let done = tuples.swap_remove(tuple.index(tuples.len()));
            let made: Vec<EdgeId> = (0..children).map(|_| ids.next()).collect();
            records.push(made.iter().fold(done, |sum, &edge| sum ^ edge));
            tuples.extend(made);
        }
        let mut times = vec![0; records.len()];
        let mut done = 0;
        for record in delivered.iter().filter(|_| !records.is_empty()) {
            let record = record.index(records.len());
            times[record] += 1;
            ledger.ack(root, records[record], &mut |settled| {
                assert_eq!(settled.outcome, Outcome::Acked);
                assert!(tuples.is_empty() && times.iter().all(|n| *n > 0), "a record is missing");
                done += 1;
            });
        }
        ledger.expire(TIMEOUT, &mut |_| done += 1);
        prop_assert_eq!(done, 1);
    }
}
