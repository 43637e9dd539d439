//! The way to a peer: dialling it, and the tasks that carry what lanes here have for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use squall_types::Batch;
use squall_types::cluster::{AssignmentVersion, SlotId, SlotIncarnation};

use super::common::Common;
use crate::AckBatch;
use crate::inbox::{Inbox, Parcel};
use crate::transport::{
    Channel, ConnectError, Connection, Hello, Introduction, LaneNumber, Left, Lost, Outbound, Outgoing, RemoteLane,
    Sent, Transport,
};

/// What waits to be said to a peer. It outlives the connection: what is said while there is none is said later.
pub struct ForSpouts {
    /// Records for its ledgers.
    pub acks: Arc<Inbox<AckBatch>>,
    words: Mutex<Vec<Left>>,
}

impl ForSpouts {
    /// Nothing yet.
    pub fn new(common: &Common) -> Self {
        Self { acks: Arc::new(Inbox::new(common.bound)), words: Mutex::default() }
    }

    /// Says that a slot was left, behind all acks that wait now.
    pub fn say(&self, left: Left) {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).push(left);
        self.acks.notify();
    }

    fn take_words(&self) -> Vec<Left> {
        std::mem::take(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whom to dial, and what for.
pub struct Errand {
    pub slot: SlotId,
    pub address: String,
    pub hello: Hello,
    /// Components whose tasks there are sent to.
    pub components: BTreeSet<usize>,
    /// Its ack channel is wanted too.
    pub acks: bool,
    /// A connection that there is: it is only asked for more lanes.
    pub connection: Option<Arc<dyn Connection>>,
    /// Lanes there that have a channel.
    pub open: BTreeSet<LaneNumber>,
}

/// What came of an errand.
pub struct Reached {
    /// The peer was dialled, not only greeted again.
    pub fresh: bool,
    pub address: String,
    pub incarnation: SlotIncarnation,
    /// The newest assignment that the peer knows.
    pub version: AssignmentVersion,
    pub connection: Arc<dyn Connection>,
    pub lanes: Vec<(RemoteLane, Box<dyn Outbound>)>,
    pub acks: Option<Box<dyn Outbound>>,
}

/// Dials a peer, or greets it again, and opens the channels that are missing.
///
/// # Errors
/// The peer doesn't answer, or refuses.
pub async fn run(errand: Errand, transport: Arc<dyn Transport>) -> (SlotId, Result<Reached, ConnectError>) {
    let slot = errand.slot.clone();
    (slot, reach(errand, transport).await)
}

async fn reach(errand: Errand, transport: Arc<dyn Transport>) -> Result<Reached, ConnectError> {
    let fresh = errand.connection.is_none();
    let (connection, welcome) = match errand.connection {
        Some(connection) => {
            let welcome = connection.greet(&errand.hello).await?;
            (connection, welcome)
        }
        None => transport.connect(&errand.address, &errand.hello).await?,
    };
    let mut lanes = Vec::new();
    for lane in welcome.lanes {
        let wanted = errand.components.contains(&usize::from(lane.component)) && !lane.tasks.is_empty();
        if wanted && !errand.open.contains(&lane.number) {
            let outbound = connection.open(Channel::Lane(lane.number)).await?;
            lanes.push((lane, outbound));
        }
    }
    let acks = if fresh && errand.acks { Some(connection.open(Channel::Acks).await?) } else { None };
    Ok(Reached {
        fresh,
        address: errand.address,
        incarnation: welcome.incarnation,
        version: welcome.version,
        connection,
        lanes,
        acks,
    })
}

/// The sending end of a channel, and what the peer knows that it leads to.
pub struct Channelled {
    outbound: Box<dyn Outbound>,
    common: Arc<Common>,
    told: AssignmentVersion,
}

impl Channelled {
    /// A channel to a peer that knows this version.
    pub fn new(outbound: Box<dyn Outbound>, common: Arc<Common>, told: AssignmentVersion) -> Self {
        Self { outbound, common, told }
    }

    /// Sends a parcel, behind the placement that it may rest on.
    async fn send(&mut self, parcel: Outgoing<'_>, rows: usize) -> Result<Sent, Lost> {
        if self.common.ask(|fence| fence.placement().version) > self.told {
            let placement = self.common.ask(|fence| fence.placement().clone());
            self.told = placement.version;
            self.common.counts.sent(0);
            self.outbound.send(Outgoing::Placement(&placement)).await?;
        }
        self.common.counts.sent(rows);
        let sent = self.outbound.send(parcel).await?;
        self.common.counts.sent_as(sent.parcels);
        Ok(sent)
    }
}

/// Carries batches for one lane there until the channel is lost or the inbox is left.
pub async fn carry_rows(mut channel: Channelled, lane: RemoteLane, inbox: Arc<Inbox<Batch>>) {
    let common = channel.common.clone();
    let component = usize::from(lane.component);
    let mut introduced = BTreeMap::new();
    let mut cost = RowCost::default();
    while !inbox.is_left() {
        inbox.wait(None, true).await;
        while let Some(batch) = inbox.take() {
            let (rows, bytes) = (batch.rows(), batch.bytes());
            let began = common.clock.now_ns();
            if introduced.insert((batch.input, batch.sender), ()).is_none() {
                let Some(introduction) = introduce(&common, component, &batch) else { return };
                if channel.send(Outgoing::Introduction(&introduction), 0).await.is_err() {
                    return;
                }
            }
            let Ok(sent) = channel.send(Outgoing::Rows(&batch), rows).await else { return };
            if !sent.left_out.is_empty() {
                common.leave_out(&batch, &sent.left_out);
            }
            if common.topology.closes_cycle(component, usize::from(batch.input)) {
                common.control.add_feedback(-i64::try_from(rows).unwrap_or(i64::MAX));
            }
            if let Some(ns) = cost.learn(common.clock.now_ns() - began, rows) {
                inbox.set_row_cost_ns(ns.max(channel.outbound.row_cost_ns()));
            }
            inbox.done(rows, bytes, batch);
        }
    }
}

/// What a row costs on the way to the lane, flow control included: so shuffles see how busy it is with others' rows, too.
#[derive(Default)]
struct RowCost(u64);

impl RowCost {
    /// A batch took so long. `None` without rows, and under simulated time.
    fn learn(&mut self, ns: u64, rows: usize) -> Option<u32> {
        if rows == 0 || ns == 0 {
            return None;
        }
        let now = (ns / rows as u64).max(1);
        self.0 = if self.0 == 0 { now } else { (7 * self.0 + now).div_ceil(8) };
        Some(u32::try_from(self.0).unwrap_or(u32::MAX))
    }
}

fn introduce(common: &Common, component: usize, batch: &Batch) -> Option<Introduction> {
    let source = common.topology.source(component, usize::from(batch.input)).component;
    let lane = LaneNumber(batch.sender);
    let tasks = common.lanes().get(lane)?.node_of(source)?.tasks.clone();
    Some(Introduction { input: batch.input, lane, tasks })
}

/// Carries acks and words until the channel is lost.
pub async fn carry_acks(mut channel: Channelled, waiting: Arc<ForSpouts>) {
    loop {
        while let Some(batch) = waiting.acks.take() {
            let (rows, bytes) = (batch.rows(), batch.bytes());
            if channel.send(Outgoing::Acks(&batch), 0).await.is_err() {
                return;
            }
            waiting.acks.done(rows, bytes, batch);
        }
        for left in waiting.take_words() {
            if channel.send(Outgoing::Left(&left), 0).await.is_err() {
                return;
            }
        }
        waiting.acks.wait(None, true).await;
    }
}
