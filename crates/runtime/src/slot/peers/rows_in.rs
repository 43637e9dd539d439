//! The receiving end of a lane's channel. What comes from the network is held to what the lane takes for granted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use squall_types::cluster::Refusal;
use squall_types::{Batch, KeyGroup, Mark, TaskId};

use super::common::Common;
use crate::inbox::{Inbox, Parcel, Size};
use crate::lane::Phase;
use crate::slot::lanes::{Inlet, LocalLane};
use crate::transport::{Hello, Inbound, Incoming, Introduction};

/// How long a sender that says what isn't known here waits on its channel: it may know a newer assignment.
const PATIENCE: Duration = Duration::from_secs(5);

/// A sending lane that was introduced.
struct Sender {
    number: u16,
    tasks: Vec<TaskId>,
}

/// One of the lane's inputs.
struct Input {
    width: usize,
    keyed_groups: Option<u16>,
    feedback: bool,
}

/// A peer's tuples for one lane.
pub struct RowsIn {
    common: Arc<Common>,
    from: Hello,
    lane: Arc<LocalLane>,
    inbox: Arc<Inbox<Batch>>,
    inputs: Vec<Input>,
    /// By input, and the number that the sending lane has in its slot.
    senders: BTreeMap<(u16, u16), Sender>,
    fence_seen: u64,
    spare: Batch,
}

impl RowsIn {
    /// Of a peer that was let in.
    ///
    /// # Errors
    /// The lane takes no tuples.
    pub fn new(common: Arc<Common>, from: Hello, lane: Arc<LocalLane>) -> Result<Self, Refusal> {
        let Inlet::Batches(inbox) = &lane.inlet else { return Err(Refusal::NoSuchLane) };
        let inbox = inbox.clone();
        let component = lane.head().component;
        let topology = &common.topology;
        let input = |at: usize| {
            let source = topology.source(component, at);
            let grouping = &topology.component(component).inputs[at].grouping;
            let keyed = matches!(
                grouping,
                squall_types::topology::Grouping::Fields(_) | squall_types::topology::Grouping::PartialKey(_)
            );
            Input {
                width: topology.component(source.component).streams[source.stream].fields.len(),
                keyed_groups: keyed.then_some(topology.topology().key_groups),
                feedback: topology.closes_cycle(component, at),
            }
        };
        let inputs = (0..topology.component(component).inputs.len()).map(input).collect();
        let fence_seen = common.fence_version();
        let (senders, spare) = (BTreeMap::new(), Batch::default());
        Ok(Self { common, from, lane, inbox, inputs, senders, fence_seen, spare })
    }

    async fn take(&mut self, parcel: Incoming) -> Result<(), Refusal> {
        match parcel {
            Incoming::Placement(placement) => {
                self.look()?;
                self.common.hear(placement).await;
            }
            Incoming::Introduction(introduction) => self.meet(introduction).await?,
            Incoming::Rows(batch) => return self.rows(batch).await,
            Incoming::Acks(_) | Incoming::Left(_) => return Err(Refusal::Malformed),
        }
        self.common.counts.received(0);
        Ok(())
    }

    async fn meet(&mut self, introduction: Introduction) -> Result<(), Refusal> {
        let Introduction { input, lane, tasks } = introduction;
        if usize::from(input) >= self.inputs.len() || tasks.is_empty() {
            return Err(Refusal::Malformed);
        }
        let source = self.common.topology.source(self.lane.head().component, usize::from(input)).component;
        let of_source = self.common.topology.tasks_of(source);
        if !tasks.iter().all(|task| of_source.contains(*task)) {
            return Err(Refusal::Malformed);
        }
        self.admit(&tasks).await?;
        let from = Some((&self.from.from, self.from.incarnation));
        let number = self.lane.senders[usize::from(input)].number(from, lane, &tasks).ok_or(Refusal::Malformed)?;
        self.senders.insert((input, lane.0), Sender { number, tasks });
        Ok(())
    }

    /// Waits for a newer assignment, if what the sender says may hold there: it isn't refused for being told first.
    async fn admit(&self, tasks: &[TaskId]) -> Result<(), Refusal> {
        let admitted = async {
            loop {
                let version = self.common.fence_version();
                let Hello { from, incarnation, version: told, .. } = &self.from;
                let admitted = self.common.ask(|fence| fence.admit(from, *incarnation, *told, tasks.iter().copied()));
                match admitted {
                    Err(Refusal::NotYet { .. } | Refusal::NotOwner { .. })
                        if self.common.control.phase() != Phase::Stopping =>
                    {
                        self.common.fence_after(version).await;
                    }
                    admitted => return admitted,
                }
            }
        };
        let version = self.common.ask(|fence| fence.placement().version);
        tokio::time::timeout(PATIENCE, admitted).await.unwrap_or(Err(Refusal::NotOwner { version }))
    }

    async fn rows(&mut self, mut batch: Batch) -> Result<(), Refusal> {
        if self.common.control.phase() == Phase::Stopping {
            return Err(Refusal::Stopping);
        }
        self.look()?;
        let sender = self.senders.get(&(batch.input, batch.sender)).ok_or(Refusal::Malformed)?;
        if !self.fits(&batch, sender.tasks.len()) {
            return Err(Refusal::Malformed);
        }
        (batch.sender, batch.sent_ns) = (sender.number, self.common.clock.now_ns());
        let rows = batch.rows();
        let size = Size::of(&batch);
        if self.inputs[usize::from(batch.input)].feedback {
            self.common.control.add_feedback(i64::try_from(rows).unwrap_or(i64::MAX));
            self.spare = self.inbox.push(batch).map_err(|_| Refusal::Stopping)?;
        } else {
            let mut waiting = Some(batch);
            while let Some(batch) = waiting.take() {
                match self.inbox.try_send(batch) {
                    Ok(spare) => self.spare = spare,
                    Err(batch) => {
                        waiting = Some(batch);
                        self.inbox.room_for(size).await;
                        // Whoever has lost its work in the meantime is too late.
                        self.look()?;
                    }
                }
            }
        }
        self.common.counts.received(rows);
        Ok(())
    }

    /// Whether all that was introduced may still be sent.
    fn look(&mut self) -> Result<(), Refusal> {
        let version = self.common.fence_version();
        if version != self.fence_seen {
            let tasks = self.senders.values().flat_map(|sender| sender.tasks.iter().copied());
            let Hello { from, incarnation, version: told, .. } = &self.from;
            self.common.ask(|fence| fence.admit(from, *incarnation, *told, tasks))?;
            self.fence_seen = version;
        }
        Ok(())
    }

    /// Whether a batch is what the lane takes for granted.
    fn fits(&self, batch: &Batch, sources: usize) -> bool {
        let input = &self.inputs[usize::from(batch.input)];
        let (rows, tasks) = (batch.rows as usize, self.lane.head().tasks.len());
        let group = |group: KeyGroup| match input.keyed_groups {
            Some(groups) => group.get() < groups,
            None => !group.is_some(),
        };
        let routes = &batch.routes;
        let routed = routes
            .iter()
            .all(|route| usize::from(route.task) < tasks && usize::from(route.source) < sources && group(route.group));
        // A row without a route is for the first task, of the first.
        let plain = !routes.is_empty() || rows == 0 || tasks == 1 && sources == 1 && input.keyed_groups.is_none();
        let anchored = if self.common.tracked() {
            batch.anchors.len() == rows
        } else {
            batch.anchors.is_empty() && batch.more_anchors.is_empty()
        };
        usize::from(batch.width) == input.width
            && batch.values.len() == rows * input.width
            && (routes.is_empty() || routes.len() == rows)
            && (routed && plain)
            && anchored
            && batch.more_anchors.iter().all(|(row, _)| (*row as usize) < rows)
            && !matches!(batch.mark, Some(Mark::Watermark(_)) if input.feedback)
    }
}

impl Inbound for RowsIn {
    fn row_cost_ns(&self) -> u32 {
        self.inbox.row_cost_ns()
    }

    fn spare(&mut self) -> Batch {
        std::mem::take(&mut self.spare)
    }

    fn deliver(&mut self, parcel: Incoming) -> BoxFuture<'_, Result<(), Refusal>> {
        async move {
            let taken = self.take(parcel).await;
            taken.map_err(|refusal| self.common.refuse(refusal))
        }
        .boxed()
    }
}
