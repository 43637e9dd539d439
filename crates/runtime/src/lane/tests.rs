//! The lane's pure parts, without a topology around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use squall_engine::edges::EdgeIds;
use squall_engine::ledger::FailureKind;
use squall_engine::nearness::Nearness;
use squall_engine::shuffle::Dealer;
use squall_engine::state::StateStore;
use squall_types::topology::{Fields, Grouping, Keying, NotKeyed};
use squall_types::{
    Anchor, Batch, ComponentId, EdgeId, Incarnation, Mark, RootId, Schema, Sequence, TaskId, Timestamp, Tuple, Value,
};

use super::acks::{AckBatch, AckOut, AckRoutes};
use super::bolt_lane::BoltLane;
use super::chain::{Chain, Intake};
use super::control::{Control, Phase};
use super::edge::{Edge, Subscribed};
use super::heads::{Heads, NO_HEAD};
use super::marks::{Marks, Voices};
use super::node::{Node, TaskCell};
use super::outputs::{BATCH, Origin, OutStream, Outputs};
use super::router::Router;
use super::senders::Senders;
use super::target::FlushPolicy;
use super::ways::{Way, Ways};
use crate::api::{Bolt, Collector, Result, StreamHandle, TaskInfo};
use crate::clock::Clock;
use crate::inbox::{Bound, Inbox};
use crate::metrics::{NodeMetrics, UserMetrics};
use crate::token::{Notify, Returns};
use crate::transport::LaneNumber;

fn root(sequence: u64) -> RootId {
    RootId::new(TaskId::new(1), Incarnation::default(), Sequence::new(sequence))
}

fn anchor(sequence: u64, edge: u64) -> Anchor {
    Anchor { root: root(sequence), edge: EdgeId::from_bits(edge) }
}

/// Ack records of task 1, and where they come to.
fn acks() -> (AckOut, Arc<Inbox<AckBatch>>) {
    let inbox = Arc::new(Inbox::new(Bound::DEFAULT));
    (AckOut::new(AckRoutes::new(vec![(inbox.clone(), vec![1])], 3)), inbox)
}

/// What is done and what failed, once all has been sent: edges by root.
fn told(acks: &mut AckOut, inbox: &Inbox<AckBatch>) -> (Vec<(u64, u64)>, Vec<u64>) {
    acks.flush(0, true, 0);
    let batch = inbox.take().unwrap_or_default();
    let acked = batch.acked.iter().map(|(root, edge)| (root.sequence().get(), edge.to_bits())).collect();
    (acked, batch.failed.iter().map(|(root, _)| root.sequence().get()).collect())
}

#[test]
fn neighbouring_acks_of_a_root_are_one_record_and_untracked_or_foreign_ones_are_none() {
    let (mut acks, inbox) = acks();
    for anchor in [anchor(5, 1), anchor(5, 2), anchor(6, 4), anchor(5, 8), Anchor::NONE] {
        acks.ack(anchor);
    }
    let foreign = RootId::new(TaskId::new(2), Incarnation::default(), Sequence::new(5));
    acks.ack(Anchor { root: foreign, edge: EdgeId::from_bits(16) });
    acks.fail(RootId::NONE, FailureKind::Failed);
    acks.fail(root(7), FailureKind::Failed);
    assert_eq!(told(&mut acks, &inbox), (vec![(5, 3), (6, 4), (5, 8)], vec![7]));
}

#[test]
fn a_head_is_acked_with_all_that_was_made_of_it_and_a_failed_one_is_not_acked_at_all() {
    let (mut acks, inbox) = acks();
    let mut heads = Heads::default();
    heads.anchors.extend([anchor(0, 1), anchor(1, 2), anchor(2, 4)]);
    heads.more.push((2, anchor(3, 8)));
    heads.add_sum(0, EdgeId::from_bits(16));
    heads.add_sum(NO_HEAD, EdgeId::from_bits(99));
    heads.fail(1, FailureKind::Failed);
    heads.fail(NO_HEAD, FailureKind::Failed);
    let joined = heads.add(&[anchor(4, 32), anchor(5, 64)]);
    heads.fail(joined, FailureKind::Failed);
    heads.settle(&mut acks);
    let (acked, mut failed) = told(&mut acks, &inbox);
    failed.sort_unstable();
    assert_eq!((acked, failed), (vec![(0, 17), (2, 4), (3, 8)], vec![1, 4, 5]));
    assert!(heads.anchors.is_empty() && heads.more.is_empty());
    heads.anchors.push(anchor(1, 2));
    heads.settle(&mut acks);
    assert_eq!(told(&mut acks, &inbox).0, [(1, 2)], "the failures before are forgotten");
}

#[test]
fn a_branch_below_a_head_cancels_once_it_is_acked() {
    let (mut heads, mut ids) = (Heads::default(), EdgeIds::new(7));
    heads.anchors.extend([anchor(0, 1), Anchor::NONE]);
    heads.more.push((0, anchor(1, 2)));
    let branch = heads.branch(0, &mut ids);
    assert_eq!(branch.iter().map(|anchor| anchor.root).collect::<Vec<_>>(), [root(0), root(1)]);
    assert_eq!(heads.get(0).edge ^ branch[0].edge, EdgeId::from_bits(1));
    assert_eq!(heads.more[0].1.edge ^ branch[1].edge, EdgeId::from_bits(2));
    assert!(heads.branch(1, &mut ids).is_empty(), "what isn't tracked has no branch");
}

/// An edge to a single task, whose inbox takes a batch at a time.
fn edge() -> (Edge, Arc<Inbox<Batch>>) {
    let inbox = Arc::new(Inbox::new(Bound { rows: 1, ..Bound::DEFAULT }));
    (edge_to(&ways(&[(2, &inbox, 0)]), Router::Global, &[2]), inbox)
}

/// Ways to these tasks: their inboxes, and their places there.
fn ways(to: &[(u16, &Arc<Inbox<Batch>>, u16)]) -> Ways {
    let mut ways = Ways::new(9, [false, false].into(), AckRoutes::new(Vec::new(), 9));
    for (task, inbox, at) in to {
        let shared = to.iter().filter(|(_, other, _)| Arc::ptr_eq(inbox, other)).count() > 1;
        let way = Way { inbox: (*inbox).clone(), at: *at, shared, nearness: Nearness::Cluster, senders: None };
        ways.set(TaskId::new(*task), way);
    }
    ways
}

fn edge_to(ways: &Ways, router: Router, tasks: &[u16]) -> Edge {
    let subscribed = Subscribed {
        component: 1,
        input: 0,
        grouping: Grouping::Shuffle,
        width: 1,
        tasks: tasks.iter().map(|task| TaskId::new(*task)).collect(),
        lane: LaneNumber(0),
        sources: [TaskId::new(1)].into(),
        feedback: None,
    };
    Edge::new(router, subscribed, ways)
}

fn outputs() -> (Outputs, Arc<Inbox<Batch>>) {
    let (edge, inbox) = edge();
    let schema = Arc::new(Schema::new("b".into(), "default".into(), Fields::new(["n"])));
    let stream = OutStream::new(schema, false, vec![edge], Vec::new());
    (Outputs::new(vec![stream], EdgeIds::new(1), false, [TaskId::new(1)].into()), inbox)
}

fn append(outputs: &mut Outputs, rows: usize) {
    for n in 0..rows {
        let mut sum = EdgeId::ZERO;
        let mut origin = Origin { head: NO_HEAD, root: RootId::NONE, sum: &mut sum, more: &mut [], source: 0 };
        outputs.append(StreamHandle::DEFAULT, (i64::try_from(n).expect("small"),), false, || origin.again());
    }
}

/// A young partial batch that found no room stands before a full one: neither may be waited for within the flush.
#[test]
fn a_flush_ends_when_a_younger_batch_that_found_no_room_stands_in_the_way() {
    let (mut outputs, inbox) = outputs();
    let (mut acks, _) = acks();
    let mut push = |outputs: &mut Outputs, rows: usize, now_ns: u64| {
        append(outputs, rows);
        outputs.route(now_ns, &mut acks, false, |_, _| ());
    };
    push(&mut outputs, 3, 1);
    assert!(outputs.flush(1, FlushPolicy::All, |_, _| ()).is_none(), "the first has room");
    push(&mut outputs, 4, 2);
    assert!(outputs.flush(2, FlushPolicy::All, |_, _| ()).is_some(), "the second has none");
    push(&mut outputs, BATCH, 3);
    assert!(outputs.flush(3, FlushPolicy::Older(1_000_000), |_, _| ()).is_some(), "the third waits for the second");
    for rows in [3, 4, BATCH as u32] {
        let batch = inbox.take().expect("in order");
        assert_eq!(batch.rows, rows);
        inbox.done(batch.rows as usize, batch.bytes(), batch);
        outputs.flush(4, FlushPolicy::All, |_, _| ());
    }
    assert!(inbox.take().is_none());
}

#[test]
fn a_withdrawn_call_leaves_no_row_no_bytes_and_no_error() {
    let (mut outputs, _) = outputs();
    let (mut acks, _) = acks();
    outputs.begin();
    append(&mut outputs, 2);
    outputs.begin();
    append(&mut outputs, 3);
    let mut sum = EdgeId::ZERO;
    let mut origin = Origin { head: NO_HEAD, root: RootId::NONE, sum: &mut sum, more: &mut [], source: 0 };
    outputs.append(StreamHandle::DEFAULT, ("x".repeat(100), 1), false, || origin.again());
    assert!(outputs.error.is_some(), "two values don't fit one field");
    outputs.withdraw(&mut acks);
    assert_eq!((outputs.streams[0].rows, outputs.streams[0].values.len(), outputs.held_bytes()), (2, 2, 0));
    assert_eq!((outputs.appended, outputs.error.is_none()), (2, true));
}

struct Woken(AtomicU64);

impl Notify for Woken {
    fn notify(&self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_cycle_holds_spouts_above_its_limit_and_wakes_them_once_it_is_half_empty() {
    let (control, woken) = (Control::new(10), Arc::new(Woken(AtomicU64::new(0))));
    control.enlist(woken.clone());
    for (rows, held, wakes) in
        [(10, false, 0), (1, true, 0), (-5, true, 0), (-1, false, 1), (-5, false, 1), (11, true, 1)]
    {
        control.add_feedback(rows);
        assert_eq!((control.holds_spouts(), woken.0.load(SeqCst)), (held, wakes), "after {rows}");
    }
}

#[test]
fn draining_and_stopping_are_not_gone_back_on() {
    let control = Control::new(1);
    for (to, then) in [
        (Phase::Active, Phase::Active),
        (Phase::Inactive, Phase::Inactive),
        (Phase::Active, Phase::Active),
        (Phase::Draining, Phase::Draining),
        (Phase::Active, Phase::Draining),
        (Phase::Stopping, Phase::Stopping),
        (Phase::Draining, Phase::Stopping),
        (Phase::Inactive, Phase::Stopping),
    ] {
        control.set_phase(to);
        assert_eq!(control.phase(), then, "after {to:?}");
    }
}

/// Emits each row on.
struct Echo;

impl Bolt for Echo {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit((tuple.get::<i64>(0)?,));
        Ok(())
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new("b".into(), "default".into(), Fields::new(["n"])))
}

/// A node of one task that echoes, to the chain's node or the edge given.
fn echo(index: u16, edges: Vec<Edge>, chained: Vec<usize>) -> Node {
    let component = ComponentId::from("b");
    let info = TaskInfo {
        directory: [].into(),
        keying: Arc::new(Keying::No(NotKeyed::Spout { component: component.clone() })),
        component,
        task: TaskId::new(index + 1),
        index: 0,
        tasks: 1,
        config: Arc::default(),
        streams: Arc::from([]),
        tracked: false,
    };
    let component_id = info.component.clone();
    let stream = OutStream::new(schema(), false, edges, chained);
    let outputs = Outputs::new(vec![stream], EdgeIds::new(1), false, [info.task].into());
    let cell = TaskCell::new(info, Box::new(Echo), StateStore::new(1, 1));
    Node::new((component_id, index), vec![cell], outputs, None, (NodeMetrics::new(1), UserMetrics::default()))
}

fn numbers(sender: u16, n: i64, mark: Option<Mark>) -> Batch {
    Batch { sender, width: 1, rows: 1, values: vec![n.into()], mark, ..Batch::default() }
}

#[tokio::test]
async fn a_barrier_leaves_a_chain_behind_the_rows_before_it_once_every_sender_has_sent_it() {
    let (mut edge, _) = edge();
    let out = Arc::new(Inbox::new(Bound::DEFAULT));
    edge.targets[0].inbox = out.clone();
    let inbox = Arc::new(Inbox::new(Bound::DEFAULT));
    let senders = [8, 9].map(|task| (LaneNumber(task), [TaskId::new(task)].into()));
    let chain = Chain::new(
        vec![echo(0, Vec::new(), vec![1]), echo(1, vec![edge], Vec::new())],
        vec![None, Some((0, 0))],
        vec![Intake::new(schema(), Arc::new(Senders::new(senders)))],
        acks().0,
        Arc::new(Returns::new(inbox.clone())),
        Clock::system(),
    );
    let control = Arc::new(Control::new(1));
    control.enlist(inbox.clone());
    control.set_phase(Phase::Active);
    let lane = BoltLane::new(
        chain,
        inbox.clone(),
        Marks::new(vec![Some(Voices { lanes: 2, tasks: Vec::new() })]),
        Vec::new(),
        control.clone(),
        vec![false],
    );
    let lane = tokio::spawn(lane.run());
    let barrier = Some(Mark::Barrier(7));
    for batch in [numbers(0, 1, barrier), numbers(1, 2, None), numbers(1, 3, barrier), numbers(0, 4, None)] {
        assert!(inbox.push(batch).is_ok());
    }
    let mut seen = Vec::new();
    while seen.len() < 5 {
        tokio::time::timeout(Duration::from_secs(10), out.wait(None, true))
            .await
            .expect("all rows and the barrier come");
        while let Some(batch) = out.take() {
            seen.extend(batch.values.iter().map(|n| format!("{n:?}")));
            seen.extend(batch.mark.map(|mark| format!("{mark:?}")));
        }
    }
    let one = |n: i64| format!("{:?}", Value::from(n));
    assert_eq!(seen, [one(1), one(2), one(3), format!("{:?}", Mark::Barrier(7)), one(4)]);
    control.set_phase(Phase::Stopping);
    lane.await.expect("the lane ends");
}

/// What an inbox has been sent: values, the tasks that they are for, and the mark.
fn sent(inbox: &Inbox<Batch>) -> (Vec<i64>, Vec<u16>, Option<Mark>) {
    let batch = inbox.take().unwrap_or_default();
    let number = |value: &Value| if let Value::Int(n) = value { *n } else { -1 };
    let tasks = batch.routes.iter().map(|route| route.task).collect();
    (batch.values.iter().map(number).collect(), tasks, batch.mark)
}

fn outputs_over(edge: Edge) -> Outputs {
    let stream = OutStream::new(schema(), false, vec![edge], Vec::new());
    Outputs::new(vec![stream], EdgeIds::new(1), false, [TaskId::new(1)].into())
}

#[test]
fn rows_for_a_task_that_is_nowhere_wait_and_go_where_it_turns_up() {
    let (here, there) = (Arc::new(Inbox::new(Bound::DEFAULT)), Arc::new(Inbox::new(Bound::DEFAULT)));
    let mut outputs = outputs_over(edge_to(&ways(&[(2, &here, 0)]), Router::All, &[2, 3]));
    let (mut acks, _) = acks();
    append(&mut outputs, 3);
    outputs.route(1, &mut acks, false, |_, _| ());
    let blocked = outputs.flush(1, FlushPolicy::All, |_, _| ()).expect("nobody takes what is for task 3");
    assert_eq!(sent(&here), (vec![0, 1, 2], vec![0, 0, 0], None));
    let turned = ways(&[(2, &here, 0), (4, &there, 0), (3, &there, 1)]);
    outputs.reroute(&turned, 2);
    assert!(!blocked.inbox.is_left(), "whoever turns the signpost lets them go");
    assert!(outputs.flush(2, FlushPolicy::All, |_, _| ()).is_none());
    assert_eq!(sent(&there), (vec![0, 1, 2], vec![1, 1, 1], None));
    assert_eq!(sent(&here), (Vec::new(), Vec::new(), None), "what was sent is not sent again");
}

#[test]
fn rows_filled_for_a_task_that_is_lost_are_dealt_to_others_by_a_shuffle() {
    let (one, two) = (Arc::new(Inbox::new(Bound::DEFAULT)), Arc::new(Inbox::new(Bound::DEFAULT)));
    let both = ways(&[(2, &one, 0), (3, &two, 0)]);
    let mut outputs = outputs_over(edge_to(&both, Router::Shuffle(Dealer::new(1)), &[2, 3]));
    let (mut acks, _) = acks();
    append(&mut outputs, 6);
    outputs.route(1, &mut acks, false, |_, _| ());
    outputs.reroute(&ways(&[(3, &two, 0)]), 2);
    append(&mut outputs, 2);
    outputs.route(3, &mut acks, false, |_, _| ());
    assert!(outputs.flush(3, FlushPolicy::All, |_, _| ()).is_none());
    let mut all = Vec::new();
    while let (values, _, None) = sent(&two) {
        if values.is_empty() {
            break;
        }
        all.extend(values);
    }
    all.sort_unstable();
    assert_eq!(all, [0, 0, 1, 1, 2, 3, 4, 5]);
    assert!(one.take().is_none());
}

#[test]
fn a_new_receiver_is_told_the_watermark_and_one_that_stays_is_not_told_again() {
    let (stays, comes) = (Arc::new(Inbox::new(Bound::DEFAULT)), Arc::new(Inbox::new(Bound::DEFAULT)));
    let mark = Mark::Watermark(Timestamp::from_micros(7));
    let mut outputs = outputs_over(edge_to(&ways(&[(2, &stays, 0)]), Router::All, &[2, 3]));
    outputs.mark(mark);
    assert!(outputs.flush(1, FlushPolicy::All, |_, _| ()).is_none(), "who is nowhere holds up no mark");
    assert_eq!(sent(&stays).2, Some(mark));
    outputs.reroute(&ways(&[(2, &stays, 0), (3, &comes, 0)]), 2);
    assert!(outputs.flush(2, FlushPolicy::All, |_, _| ()).is_none());
    assert_eq!((sent(&comes).2, sent(&stays).2), (Some(mark), None));
}

#[test]
fn acks_for_a_ledger_that_has_moved_follow_it() {
    let (mut acks, before) = acks();
    acks.ack(anchor(1, 5));
    before.leave();
    acks.flush(1, true, 0);
    acks.ack(anchor(2, 6));
    let after = Arc::new(Inbox::new(Bound::DEFAULT));
    acks.reroute(AckRoutes::new(vec![(Arc::new(Inbox::new(Bound::DEFAULT)), vec![2]), (after.clone(), vec![1])], 3));
    assert_eq!(told(&mut acks, &after), (vec![(1, 5), (2, 6)], Vec::new()));
}
