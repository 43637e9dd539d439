//! What joins a slot to the others of its topology: tuples, ack records and words between processes.
//!
//! A slot dials each slot that it sends to, once, and opens a channel for each lane there and one for acks. Channels are independent: a
//! full one holds up nobody else. What is sent on a channel arrives in order, once, or the channel is lost; nobody is told what has arrived.
//!
//! The runtime gives what it sends to an [`Outbound`] and takes what comes through an [`Inbound`]; a transport only carries. It is for the
//! runtime to decide who is let in ([`Acceptor`]).

pub mod grpc;
pub mod memory;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use squall_types::cluster::{AssignmentVersion, ClusterId, Placement, Refusal, SlotId, SlotIncarnation, TopologyName};
use squall_types::{Batch, TaskId};

use crate::AckBatch;
use crate::wire::Unsendable;

/// A lane of a slot, as others name it: unique as long as the slot's process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneNumber(pub u16);

/// A lane that takes tuples, as its slot tells it to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteLane {
    /// Its number.
    pub number: LaneNumber,
    /// The component that takes what comes there, as an index into the topology's.
    pub component: u16,
    /// That component's tasks there, ascending. A [`Route`](squall_types::Route) names one by its place here.
    pub tasks: Vec<TaskId>,
}

/// Who dials whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The cluster.
    pub cluster: ClusterId,
    /// The topology.
    pub topology: TopologyName,
    /// The newest assignment that the dialling slot knows.
    pub version: AssignmentVersion,
    /// Who dials.
    pub from: SlotId,
    /// Its life.
    pub incarnation: SlotIncarnation,
    /// Who is dialled. Whoever else answers at that address refuses.
    pub to: SlotId,
}

/// The answer to a [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The life of the slot that answers.
    pub incarnation: SlotIncarnation,
    /// The newest assignment that it knows.
    pub version: AssignmentVersion,
    /// Its lanes that take tuples.
    pub lanes: Vec<RemoteLane>,
}

/// What a stream of parcels is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Tuples for one lane.
    Lane(LaneNumber),
    /// Ack records for the slot's spouts, and words about lost slots.
    Acks,
}

/// Says who sends the batches whose `input` and `sender` are these. Comes on a channel before the first such batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Which of the receiving component's inputs.
    pub input: u16,
    /// The sending lane: the `sender` of its batches.
    pub lane: LaneNumber,
    /// The tasks there of the component that the input takes from, ascending: a batch's routes name them by their places here.
    pub tasks: Vec<TaskId>,
}

/// The word of a slot that it sends another one nothing any more, as that one was lost to it. Comes on the ack channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The slot that is lost.
    pub slot: SlotId,
    /// Its life.
    pub incarnation: SlotIncarnation,
    /// The components, as indices into the topology's, for whose tasks the sender has sent there.
    pub components: Vec<u16>,
}

/// What a slot sends.
#[derive(Clone, Copy, Debug)]
pub enum Outgoing<'a> {
    /// On any channel, before what may rest on it: the placement that the sender knows by now.
    Placement(&'a Placement),
    /// On a lane's channel.
    Introduction(&'a Introduction),
    /// On a lane's channel. Its `sent_ns` is of the sender's clock and means nothing elsewhere.
    Rows(&'a Batch),
    /// On the ack channel.
    Acks(&'a AckBatch),
    /// On the ack channel.
    Left(&'a Left),
}

/// What a slot is sent.
#[derive(Debug)]
pub enum Incoming {
    /// On any channel.
    Placement(Placement),
    /// On a lane's channel.
    Introduction(Introduction),
    /// On a lane's channel. Columns are as the frame says; the receiver checks that they fit its lane.
    Rows(Batch),
    /// On the ack channel.
    Acks(AckBatch),
    /// On the ack channel.
    Left(Left),
}

/// What came of a parcel that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// As how many parcels it comes: a large batch may be taken apart.
    pub parcels: u32,
    /// Rows of the batch, by number, that were left out, as they are too much for the transport: their roots are to be failed.
    pub left_out: Vec<(usize, Unsendable)>,
}

impl Sent {
    /// It comes as it was.
    pub const WHOLE: Self = Self { parcels: 1, left_out: Vec::new() };
}

/// The peer, or the way to it, is lost. What was on its way may have arrived or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer is lost")]
pub struct Lost;

/// Why a peer can't be dialled.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It doesn't answer.
    #[error("the peer doesn't answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answers that it won't.
    #[error("the peer refuses")]
    Refused(#[source] Refusal),
}

/// A peer that has let us in, and what it said.
pub type Dialled = (Arc<dyn Connection>, Welcome);

/// Reaches other slots.
pub trait Transport: Send + Sync + 'static {
    /// Dials a peer at its address. It must answer in a time that the transport bounds.
    ///
    /// # Errors
    /// The peer doesn't answer, or refuses.
    fn connect<'a>(&'a self, address: &'a str, hello: &'a Hello) -> BoxFuture<'a, Result<Dialled, ConnectError>>;
}

/// A peer that has let us in. Dropping it with all its channels ends it.
pub trait Connection: Send + Sync + 'static {
    /// Says hello again, as a newer assignment is known: the peer may have other lanes by now. Channels that are open go on.
    ///
    /// # Errors
    /// The peer doesn't answer, or refuses.
    fn greet<'a>(&'a self, hello: &'a Hello) -> BoxFuture<'a, Result<Welcome, ConnectError>>;

    /// Opens a channel. A lane's channel may be opened once, the ack channel too.
    ///
    /// # Errors
    /// The peer doesn't answer, or refuses.
    fn open(&self, channel: Channel) -> BoxFuture<'_, Result<Box<dyn Outbound>, ConnectError>>;

    /// Returns once the connection is lost: also when the peer says nothing any more, though nothing is sent.
    fn lost(&self) -> BoxFuture<'_, ()>;
}

/// The sending end of a channel. Dropping it ends the channel, behind what was sent.
pub trait Outbound: Send + 'static {
    /// Sends a parcel. Returns once flow control has taken it.
    ///
    /// # Errors
    /// The channel is lost, or the peer has refused what came on it.
    fn send<'a>(&'a mut self, parcel: Outgoing<'a>) -> BoxFuture<'a, Result<Sent, Lost>>;

    /// What a row costs the lane there, in nanoseconds, as [`Inbound::row_cost_ns`] said last; 0 while that is unknown. Shuffles deal a busy
    /// receiver less by it.
    fn row_cost_ns(&self) -> u32;
}

/// Decides who is let in. The runtime's; transports call it.
pub trait Acceptor: Send + Sync + 'static {
    /// A slot says hello, for the first time or again.
    ///
    /// # Errors
    /// It isn't let in.
    fn greet(&self, hello: &Hello) -> Result<Welcome, Refusal>;

    /// A slot that was let in opens a channel.
    ///
    /// # Errors
    /// It isn't let in any more, or there is no such lane.
    fn accept(&self, from: &Hello, channel: Channel) -> Result<Box<dyn Inbound>, Refusal>;
}

/// The receiving end of a channel. The transport drops it once the channel has ended or is lost.
pub trait Inbound: Send + 'static {
    /// An empty batch to fill, with buffers that have been used before.
    fn spare(&mut self) -> Batch;

    /// Takes a parcel. Returns once there was room for it: until then the transport reads nothing more of this channel.
    ///
    /// # Errors
    /// The parcel is refused, and the channel with it: the transport ends it.
    fn deliver(&mut self, parcel: Incoming) -> BoxFuture<'_, Result<(), Refusal>>;

    /// What a row costs the lane, in nanoseconds; 0 while that is unknown. To be told to the sender when it has changed by much.
    fn row_cost_ns(&self) -> u32;
}
