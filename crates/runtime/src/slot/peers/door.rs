//! Lets other slots in: who may say hello, and on which channels.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall_engine::fencing::Identity;
use squall_engine::losses::Word;
use squall_types::cluster::Refusal;

use super::acks_in::AcksIn;
use super::common::Common;
use super::rows_in::RowsIn;
use crate::lane::Phase;
use crate::slot::lanes::Inlet;
use crate::transport::{Acceptor, Channel, Hello, Inbound, RemoteLane, Welcome};

/// A slot's door.
pub struct Door(pub Arc<Common>);

impl Door {
    fn open(&self) -> Result<(), Refusal> {
        if self.0.control.phase() == Phase::Stopping { Err(Refusal::Stopping) } else { Ok(()) }
    }

    fn let_in(&self, hello: &Hello) -> Result<Welcome, Refusal> {
        self.open()?;
        let from = Identity {
            cluster: hello.cluster,
            topology: hello.topology.clone(),
            slot: hello.from.clone(),
            incarnation: hello.incarnation,
        };
        let before = self.0.ask(|fence| fence.latest(&hello.from));
        let (incarnation, version) = if before == Some(hello.incarnation) {
            // Nothing new: nobody needs to be asked again.
            self.0.ask(|fence| {
                fence.clone().greet(&from, &hello.to, hello.version)?;
                Ok((fence.own().incarnation, fence.placement().version))
            })?
        } else {
            let answer = self.0.teach(|fence| {
                fence.greet(&from, &hello.to, hello.version)?;
                Ok::<_, Refusal>((fence.own().incarnation, fence.placement().version))
            })?;
            self.0.post(|mail| _ = mail.seen.insert((hello.from.clone(), hello.incarnation)));
            answer
        };
        let lanes = self.0.lanes();
        let takes_tuples = lanes.iter().filter(|lane| matches!(lane.inlet, Inlet::Batches(_)));
        let lanes = takes_tuples.map(|lane| RemoteLane {
            number: lane.number,
            component: u16::try_from(lane.head().component).expect("components are fewer than tasks"),
            tasks: lane.head().tasks.clone(),
        });
        Ok(Welcome { incarnation, version, lanes: lanes.collect() })
    }

    fn channel(&self, from: &Hello, channel: Channel) -> Result<Box<dyn Inbound>, Refusal> {
        self.open()?;
        self.0.ask(|fence| fence.admit(&from.from, from.incarnation, from.version, []))?;
        match channel {
            Channel::Lane(number) => {
                let lane = self.0.lanes().get(number).cloned().ok_or(Refusal::NoSuchLane)?;
                RowsIn::new(self.0.clone(), from.clone(), lane).map(|rows| Box::new(rows) as Box<dyn Inbound>)
            }
            Channel::Acks => {
                if self.0.ack_channel_opens(&from.from) {
                    // What was on the one before may never have come.
                    lost_acks(&self.0, from);
                }
                Ok(Box::new(AcksIn::new(self.0.clone(), from.clone())))
            }
        }
    }
}

impl Acceptor for Door {
    fn greet(&self, hello: &Hello) -> Result<Welcome, Refusal> {
        self.let_in(hello).map_err(|refusal| self.0.refuse(refusal))
    }

    fn accept(&self, from: &Hello, channel: Channel) -> Result<Box<dyn Inbound>, Refusal> {
        self.channel(from, channel).map_err(|refusal| self.0.refuse(refusal))
    }
}

/// Acks of a slot may not have come: whatever it was sent may stay pending.
pub fn lost_acks(common: &Common, from: &Hello) {
    if common.control.phase() >= Phase::Stopping {
        return;
    }
    let own = common.ask(|fence| fence.own().slot.clone());
    let components: BTreeSet<usize> = common.components_of(&from.from);
    let word = Word { from: own, lost: from.from.clone(), incarnation: from.incarnation, components };
    common.post(|mail| mail.words.push(word));
}
