//! Scattering a run's rows over the lanes that they go to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squall_engine::edges::EdgeIds;
use squall_engine::groups::{KeyGroups, PartialKey};
use squall_engine::hash::{key_hash, value_hash};
use squall_engine::ledger::FailureKind;
use squall_types::{Anchor, KeyGroup, Route, Value};

use super::acks::AckOut;
use super::edge::Edge;
use super::moving::{Chosen, Moving, deal};
use super::outputs::OutStream;
use super::router::Router;
use super::target::Target;
use crate::api::RouteError;

/// Routes all rows of a stream. The last edge takes the values; the ones before it copies.
pub fn scatter(
    stream: &mut OutStream,
    ids: &mut EdgeIds,
    tracked: bool,
    now_ns: u64,
    acks: &mut AckOut,
    count: &mut impl FnMut(u16, u64),
) {
    let mut edges = std::mem::take(&mut stream.edges);
    if let Some((last, others)) = edges.split_last_mut() {
        for (index, edge) in others.iter_mut().enumerate() {
            copy_all(stream, index, edge, ids, tracked, now_ns, acks, count);
        }
        let plain = stream.more_anchors.is_empty();
        match &mut last.router {
            Router::Fields { .. } | Router::PartialKey { .. } if plain => {
                move_keyed(stream, last, tracked, now_ns, count);
            }
            Router::Shuffle(_) | Router::Global if plain => move_runs(stream, last, tracked, now_ns, count),
            _ => {
                let index = others.len();
                copy_all(stream, index, last, ids, tracked, now_ns, acks, count);
                // What is left of each row's edge belongs to no copy.
                stream.anchors.iter().for_each(|anchor| acks.ack(*anchor));
                stream.more_anchors.iter().for_each(|(_, anchor)| acks.ack(*anchor));
            }
        }
    }
    stream.edges = edges;
}

fn source(sources: &[u16], row: usize) -> u16 {
    sources.get(row).copied().unwrap_or(0)
}

/// Moves each row to the task that owns its key.
fn move_keyed(stream: &mut OutStream, edge: &mut Edge, tracked: bool, now_ns: u64, count: &mut impl FnMut(u16, u64)) {
    let rows = stream.rows as usize;
    let Edge { router, targets, by_group, .. } = edge;
    targets.iter_mut().for_each(|target| target.open(now_ns));
    match router {
        Router::Fields { positions, groups } if stream.schema.fields().len() == 1 && **positions == [0] => {
            move_by(stream, targets, tracked, ByOnly { groups, by_group });
        }
        Router::Fields { positions, groups } => {
            move_by(stream, targets, tracked, ByGroup { positions, groups, by_group });
        }
        Router::PartialKey { positions, choice } => {
            move_by(stream, targets, tracked, ByChoice { positions, choice, by_group });
        }
        _ => unreachable!("only keyed edges are moved by key"),
    }
    if stream.sources.is_empty() {
        count(0, rows as u64);
    } else {
        stream.sources.iter().for_each(|source| count(*source, 1));
    }
}

/// Where a row goes by its key. Not a closure, as these can't be made to inline.
trait Choose {
    fn choose(&mut self, row: &[Value]) -> Chosen;
}

/// By the group that a row's only value hashes to.
struct ByOnly<'a> {
    groups: &'a KeyGroups,
    by_group: &'a [Chosen],
}

impl Choose for ByOnly<'_> {
    #[inline(always)]
    fn choose(&mut self, row: &[Value]) -> Chosen {
        self.by_group[self.groups.group_of(value_hash(&row[0])).index()]
    }
}

/// By the group that the key hashes to.
struct ByGroup<'a> {
    positions: &'a [u16],
    groups: &'a KeyGroups,
    by_group: &'a [Chosen],
}

impl Choose for ByGroup<'_> {
    #[inline(always)]
    fn choose(&mut self, row: &[Value]) -> Chosen {
        let group = self.groups.group_of(key_hash(row, self.positions));
        self.by_group[group.index()]
    }
}

/// By the less used of a key's two groups.
struct ByChoice<'a> {
    positions: &'a [u16],
    choice: &'a mut PartialKey,
    by_group: &'a [Chosen],
}

impl Choose for ByChoice<'_> {
    fn choose(&mut self, row: &[Value]) -> Chosen {
        let group = self.choice.pick(key_hash(row, self.positions));
        self.by_group[group.index()]
    }
}

/// Moves each row to the place that its values choose.
fn move_by(stream: &mut OutStream, targets: &mut [Target], tracked: bool, choose: impl Choose) {
    // The loop is compiled for each case, for what doesn't change within it costs a tenth of it.
    match (tracked, stream.schema.fields().len() == 1) {
        (false, true) => move_rows::<false, true>(stream, targets, choose),
        (false, false) => move_rows::<false, false>(stream, targets, choose),
        (true, true) => move_rows::<true, true>(stream, targets, choose),
        (true, false) => move_rows::<true, false>(stream, targets, choose),
    }
}

fn move_rows<const TRACKED: bool, const SINGLE: bool>(
    stream: &mut OutStream,
    targets: &mut [Target],
    mut choose: impl Choose,
) {
    let width = if SINGLE { 1 } else { stream.schema.fields().len() };
    let rows = stream.rows as usize;
    // Chosen for all rows before any is moved: two short loops, each of which fits the registers.
    let OutStream { values, chosen, anchors, .. } = stream;
    chosen.clear();
    if SINGLE {
        chosen.extend(values.iter().map(|value| choose.choose(std::slice::from_ref(value))));
    } else {
        chosen.extend((0..rows).map(|row| choose.choose(&values[row * width..][..width])));
    }
    for (to, source) in chosen.iter_mut().zip(&stream.sources) {
        to.route.source = *source;
    }
    if stream.heap_bytes > 0 {
        for (row, to) in chosen.iter().enumerate() {
            let bytes = values[row * width..][..width].iter().map(Value::heap_bytes).sum::<usize>();
            targets[usize::from(to.target)].batch.heap_bytes += bytes;
        }
    }
    deal::<SINGLE, TRACKED>(values, width, if TRACKED { &anchors[..rows] } else { &[] }, chosen, targets);
}

/// Moves rows in runs, each run to one task.
fn move_runs(stream: &mut OutStream, edge: &mut Edge, tracked: bool, now_ns: u64, count: &mut impl FnMut(u16, u64)) {
    let width = stream.schema.fields().len();
    let rows = stream.rows as usize;
    let anchors = if tracked { &stream.anchors[..rows] } else { &[] };
    let weighs = stream.heap_bytes > 0;
    let mut values = Moving::new(&mut stream.values);
    let mut row = 0;
    while row < rows {
        let (task, run) = next_run(edge, rows - row);
        let place = edge.places[task];
        let target = &mut edge.targets[usize::from(place.target)];
        target.open(now_ns);
        target.batch.rows += u32::try_from(run).expect("rows fit u32");
        if weighs {
            target.batch.heap_bytes += values.peek(run * width).iter().map(Value::heap_bytes).sum::<usize>();
        }
        values.move_to(&mut target.batch.values, run * width);
        if tracked {
            target.batch.anchors.extend_from_slice(&anchors[row..row + run]);
        }
        for each in row..row + run {
            let source = source(&stream.sources, each);
            if edge.routed {
                target.batch.routes.push(Route { task: place.task, group: KeyGroup::NONE, source });
            }
            if !stream.sources.is_empty() {
                count(source, 1);
            }
        }
        if stream.sources.is_empty() {
            count(0, run as u64);
        }
        row += run;
    }
}

fn next_run(edge: &mut Edge, wanted: usize) -> (usize, usize) {
    let Edge { router, targets, places, .. } = edge;
    match router {
        Router::Shuffle(dealer) => {
            let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
            let run = dealer.take_run(wanted, |task| Edge::load(targets, places[task]));
            (run.target, run.rows as usize)
        }
        _ => (0, wanted),
    }
}

/// Copies each row to all tasks that the edge chooses, each copy with an edge of its own taken out of the row's.
#[expect(clippy::too_many_arguments, reason = "one call site a case; a struct would only rename them")]
fn copy_all(
    stream: &mut OutStream,
    edge_index: usize,
    edge: &mut Edge,
    ids: &mut EdgeIds,
    tracked: bool,
    now_ns: u64,
    acks: &mut AckOut,
    count: &mut impl FnMut(u16, u64),
) {
    let width = stream.schema.fields().len();
    let mut chosen = Vec::new();
    let mut further: Vec<Anchor> = Vec::new();
    for row in 0..stream.rows as usize {
        let values = &stream.values[row * width..][..width];
        chosen.clear();
        let caught =
            catch_unwind(AssertUnwindSafe(|| choose(edge, edge_index, row, values, &stream.named, &mut chosen)));
        let group = caught.unwrap_or_else(|panic| {
            // Only an author's own grouping can panic.
            let panic = crate::panics::take(&*panic).to_string();
            chosen.clear();
            fail_row(stream, row, acks);
            let error = RouteError::Panicked { stream: stream.schema.stream().to_string(), panic };
            stream.misrouted.push((source(&stream.sources, row), error));
            KeyGroup::NONE
        });
        let source = source(&stream.sources, row);
        for &task in &chosen {
            let Some(&place) = edge.places.get(task) else {
                fail_row(stream, row, acks);
                let (name, tasks) = (stream.schema.stream().to_string(), edge.places.len());
                stream.misrouted.push((source, RouteError::PastTheEnd { stream: name, index: task, tasks }));
                continue;
            };
            let target = &mut edge.targets[usize::from(place.target)];
            target.open(now_ns);
            target.push_values(&stream.values[row * width..][..width]);
            let route = edge.routed.then_some(Route { task: place.task, group, source });
            let anchor = tracked.then(|| take_edge(&mut stream.anchors[row], ids));
            further.clear();
            let row_number = u32::try_from(row).expect("rows fit u32");
            for (_, anchor) in stream.more_anchors.iter_mut().filter(|(of, _)| *of == row_number) {
                further.push(take_edge(anchor, ids));
            }
            let at = target.batch.rows;
            target.push(anchor, route);
            target.batch.more_anchors.extend(further.iter().map(|anchor| (at, *anchor)));
            count(source, 1);
        }
    }
}

/// Fails all roots of a row that has no receiver. What is left of its edges isn't acked then: that would complete them.
#[cold]
fn fail_row(stream: &mut OutStream, row: usize, acks: &mut AckOut) {
    let further = stream.more_anchors.iter_mut().filter(|(of, _)| *of as usize == row).map(|(_, anchor)| anchor);
    for anchor in stream.anchors.get_mut(row).into_iter().chain(further) {
        acks.fail(anchor.root, FailureKind::Failed);
        *anchor = Anchor::NONE;
    }
}

/// Takes a fresh edge out of a row's.
fn take_edge(anchor: &mut Anchor, ids: &mut EdgeIds) -> Anchor {
    if !anchor.root.is_some() {
        return Anchor::NONE;
    }
    let edge = ids.next();
    anchor.edge ^= edge;
    Anchor { root: anchor.root, edge }
}

/// The receivers of a row, as indices into the consumer's tasks, and its key group.
fn choose(
    edge: &mut Edge,
    edge_index: usize,
    row: usize,
    values: &[Value],
    named: &[(u32, u16, u16)],
    chosen: &mut Vec<usize>,
) -> KeyGroup {
    let tasks = edge.places.len();
    match &mut edge.router {
        Router::All => chosen.extend(0..tasks),
        Router::Global => chosen.push(0),
        Router::Shuffle(_) => chosen.push(next_run(edge, 1).0),
        Router::Custom(grouping) => grouping.choose(values, chosen),
        Router::Direct => {
            // Named in the order of the rows.
            let first = named.partition_point(|(of, _, _)| (*of as usize) < row);
            let mine = named[first..].iter().take_while(|(of, _, _)| *of as usize == row);
            let here = mine.filter(|(_, at, _)| usize::from(*at) == edge_index);
            chosen.extend(here.map(|(_, _, task)| usize::from(*task)));
        }
        Router::Fields { .. } | Router::PartialKey { .. } => {
            if let Some((task, group)) = edge.router.keyed(values) {
                chosen.push(usize::from(task));
                return group;
            }
        }
    }
    KeyGroup::NONE
}
