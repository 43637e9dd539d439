//! Watches over a slot's peers: dials them, leaves those that are lost, and tells lanes where tasks are to be found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use squall_engine::losses::{Losses, Word};
use squall_engine::nearness::Nearness;
use squall_engine::plan::local_edges;
use squall_types::Batch;
use squall_types::cluster::{Peer, SlotId, SlotIncarnation};
use squall_types::topology::Kind;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::common::{Common, Mail};
use super::link::{self, Channelled, Errand, ForSpouts, Reached};
use crate::inbox::Inbox;
use crate::lane::{Phase, Way};
use crate::slot::registry::AnyInbox;
use crate::transport::{ConnectError, Connection, Hello, Left, RemoteLane, Transport};

/// A peer that didn't answer, or lacks lanes, is asked again after 10 ms, and then ever later, up to 160 ms.
fn retry_after(failures: u32) -> Duration {
    Duration::from_millis(10 << failures.min(4))
}

/// A peer that is there.
struct Link {
    epoch: u64,
    incarnation: SlotIncarnation,
    address: String,
    connection: Arc<dyn Connection>,
    lanes: Vec<(RemoteLane, Arc<Inbox<Batch>>)>,
    /// It has an ack channel.
    acks: bool,
    tasks: Vec<AbortHandle>,
}

/// Another slot of the topology.
struct Neighbour {
    spouts: Arc<ForSpouts>,
    link: Option<Link>,
    /// An errand to it is under way.
    dialling: bool,
    retry_at: Option<Instant>,
    failures: u32,
    /// It was there, and is lost.
    lost: bool,
}

/// The task that watches over the peers.
pub struct Hub {
    common: Arc<Common>,
    transport: Arc<dyn Transport>,
    neighbours: BTreeMap<SlotId, Neighbour>,
    errands: JoinSet<(SlotId, Result<Reached, ConnectError>)>,
    carriers: JoinSet<(SlotId, u64)>,
    losses: Losses,
    epoch: u64,
}

impl Hub {
    /// Of a slot that has just been made.
    pub fn new(common: Arc<Common>, transport: Arc<dyn Transport>) -> Self {
        Self {
            common,
            transport,
            neighbours: BTreeMap::new(),
            errands: JoinSet::new(),
            carriers: JoinSet::new(),
            losses: Losses::default(),
            epoch: 0,
        }
    }

    /// Works for as long as the slot does.
    pub async fn run(mut self) {
        self.meet_neighbours();
        loop {
            self.heed();
            self.set_out();
            let deadline = self.next_deadline();
            tokio::select! {
                biased;
                Some(ended) = self.carriers.join_next() => if let Ok((slot, epoch)) = ended {
                    self.lose_link(&slot, epoch);
                },
                Some(back) = self.errands.join_next() => if let Ok((slot, reached)) = back {
                    self.come_back(&slot, reached);
                },
                () = self.common.rung.notified() => {}
                () = until(deadline) => {}
            }
        }
    }

    /// The placement is another, or another slot's life or address is known: who is there now, and what lanes they ought to have.
    fn meet_neighbours(&mut self) {
        let (own, placement) = self.common.ask(|fence| (fence.own().slot.clone(), fence.placement().clone()));
        let gone: Vec<SlotId> =
            self.neighbours.keys().filter(|slot| !placement.slots.contains_key(*slot)).cloned().collect();
        let mut retired = Vec::new();
        for slot in gone {
            self.leave(&slot);
            retired.extend(self.neighbours.remove(&slot));
        }
        for (slot, peer) in placement.slots.iter().filter(|(slot, _)| **slot != own) {
            let common = &self.common;
            let neighbour = self.neighbours.entry(slot.clone()).or_insert_with(|| Neighbour {
                spouts: Arc::new(ForSpouts::new(common)),
                link: None,
                dialling: false,
                retry_at: None,
                failures: 0,
                lost: false,
            });
            neighbour.retry_at = Some(Instant::now());
            let moved = neighbour.link.as_ref().is_some_and(|link| {
                peer.incarnation.is_some_and(|incarnation| incarnation > link.incarnation)
                    || peer.address.as_ref().is_some_and(|address| *address != link.address)
            });
            if moved {
                self.leave(slot);
            }
        }
        self.turn_signpost();
        // Lanes that have still to see the new ways keep what they have for these until they do.
        retired.iter().for_each(|neighbour| _ = neighbour.spouts.acks.leave());
        self.common.show(placement.version);
    }

    /// Takes the mail, and gives up what is due.
    fn heed(&mut self) {
        let Mail { words, seen, placement } = self.common.take_mail();
        if placement {
            self.meet_neighbours();
        }
        for (slot, incarnation) in seen {
            let outlived = |link: &Link| link.incarnation < incarnation;
            if self.neighbours.get(&slot).and_then(|neighbour| neighbour.link.as_ref()).is_some_and(outlived) {
                self.leave(&slot);
            }
        }
        words.into_iter().for_each(|word| self.word(word));
        if let Some(components) = self.losses.due(self.common.clock.now_ns()) {
            self.give_up(&components);
        }
    }

    fn word(&mut self, word: Word) {
        let expected = self.senders_to(&word.lost, &word.components);
        if let Some(components) = self.losses.word(word, &expected, self.common.clock.now_ns()) {
            self.give_up(&components);
        }
    }

    /// The slots that send to a lost one, and haven't been lost themselves.
    fn senders_to(&self, lost: &SlotId, components: &BTreeSet<usize>) -> BTreeSet<SlotId> {
        let placement = self.common.ask(|fence| fence.placement().clone());
        let speaks = |slot: &SlotId| slot != lost && !self.neighbours.get(slot).is_some_and(|peer| peer.lost);
        let slots = placement.slots.keys().filter(|slot| speaks(slot));
        slots.filter(|slot| self.feeds(&self.common.components_of(slot), components)).cloned().collect()
    }

    fn feeds(&self, from: &BTreeSet<usize>, to: &BTreeSet<usize>) -> bool {
        let ways = self.common.signpost.now();
        from.iter().any(|from| to.iter().any(|to| !ways.is_local(*to) && self.common.reach.feeds(*from, *to)))
    }

    /// Has the ledgers here give up the roots that reach one of these components.
    fn give_up(&self, components: &BTreeSet<usize>) {
        let topology = &self.common.topology;
        let reaches = |spout: usize| components.iter().any(|to| self.common.reach.reaches(spout, *to));
        let spouts = topology.components().iter().enumerate().filter(|(_, component)| component.kind == Kind::Spout);
        let lost = spouts.filter(|(index, _)| reaches(*index)).map(|(_, component)| component.id.clone());
        self.common.control.lose(lost.collect());
    }

    /// Sends for all peers that ought to be reached and aren't, as far as it is time.
    fn set_out(&mut self) {
        if self.common.control.phase() == Phase::Stopping {
            return;
        }
        let now = Instant::now();
        let (own, placement) = self.common.ask(|fence| (fence.own().clone(), fence.placement().clone()));
        let here = self.common.components_of(&own.slot);
        for (slot, neighbour) in &mut self.neighbours {
            let Some(peer) = placement.slots.get(slot) else { continue };
            if neighbour.dialling || neighbour.retry_at.is_none_or(|at| at > now) {
                continue;
            }
            let ways = self.common.signpost.now();
            let wanted = wanted_of(&self.common, &here, peer, &|component| ways.is_local(component));
            let acks = !here.is_empty() && self.common.tracked() && has_spouts(&self.common, peer);
            let address = neighbour.link.as_ref().map(|link| &link.address).or(peer.address.as_ref());
            neighbour.retry_at = None;
            let (Some(address), false) = (address, wanted.is_empty() && !acks) else { continue };
            if neighbour.link.as_ref().is_some_and(|link| covers(link, peer, &wanted, &self.common)) {
                continue;
            }
            let hello = Hello {
                cluster: own.cluster,
                topology: own.topology.clone(),
                version: placement.version,
                from: own.slot.clone(),
                incarnation: own.incarnation,
                to: slot.clone(),
            };
            let link = neighbour.link.as_ref();
            let errand = Errand {
                slot: slot.clone(),
                address: address.clone(),
                hello,
                components: wanted,
                acks,
                connection: link.map(|link| link.connection.clone()),
                open: link.into_iter().flat_map(|link| link.lanes.iter().map(|(lane, _)| lane.number)).collect(),
            };
            neighbour.dialling = true;
            self.errands.spawn(link::run(errand, self.transport.clone()));
        }
    }

    /// An errand is back.
    fn come_back(&mut self, slot: &SlotId, reached: Result<Reached, ConnectError>) {
        let Some(neighbour) = self.neighbours.get_mut(slot) else { return };
        neighbour.dialling = false;
        let seen = self.common.ask(|fence| fence.latest(slot));
        match reached {
            Ok(reached) if seen.is_none_or(|seen| seen <= reached.incarnation) => {
                let same = |link: &Link| Arc::ptr_eq(&link.connection, &reached.connection);
                // One that was left while it was greeted again is dialled anew.
                if reached.fresh || neighbour.link.as_ref().is_some_and(same) {
                    neighbour.failures = if reached.lanes.is_empty() { neighbour.failures + 1 } else { 0 };
                    self.link_up(slot, reached);
                }
            }
            Ok(_) | Err(_) => neighbour.failures += 1,
        }
        if let Some(neighbour) = self.neighbours.get_mut(slot) {
            neighbour.retry_at = Some(Instant::now() + retry_after(neighbour.failures));
        }
    }

    fn link_up(&mut self, slot: &SlotId, reached: Reached) {
        if self.common.ask(|fence| fence.latest(slot)) != Some(reached.incarnation) {
            self.common.teach(|fence| fence.see(slot, reached.incarnation));
        }
        let Some(neighbour) = self.neighbours.get_mut(slot) else { return };
        let link = neighbour.link.get_or_insert_with(|| {
            self.epoch += 1;
            Link {
                epoch: self.epoch,
                incarnation: reached.incarnation,
                address: reached.address,
                connection: reached.connection.clone(),
                lanes: Vec::new(),
                acks: false,
                tasks: Vec::new(),
            }
        });
        if link.tasks.is_empty() {
            let (connection, slot, epoch) = (reached.connection, slot.clone(), link.epoch);
            link.tasks.push(self.carriers.spawn(async move {
                connection.lost().await;
                (slot, epoch)
            }));
        }
        if let Some(outbound) = reached.acks {
            link.acks = true;
            let channel = Channelled::new(outbound, self.common.clone(), reached.version);
            let (carrying, slot) = (link::carry_acks(channel, neighbour.spouts.clone()), slot.clone());
            let epoch = link.epoch;
            link.tasks.push(self.carriers.spawn(async move {
                carrying.await;
                (slot, epoch)
            }));
        }
        for (lane, outbound) in reached.lanes {
            let inbox = Arc::new(Inbox::new(self.common.bound));
            let channel = Channelled::new(outbound, self.common.clone(), reached.version);
            let carrying = link::carry_rows(channel, lane.clone(), inbox.clone());
            let (slot, epoch) = (slot.clone(), link.epoch);
            link.tasks.push(self.carriers.spawn(async move {
                carrying.await;
                (slot, epoch)
            }));
            link.lanes.push((lane, inbox));
        }
        neighbour.lost = false;
        self.turn_signpost();
    }

    /// A task of a link has ended: so has the link, unless it was left already.
    fn lose_link(&mut self, slot: &SlotId, epoch: u64) {
        let current = self.neighbours.get(slot).and_then(|neighbour| neighbour.link.as_ref());
        if current.is_some_and(|link| link.epoch == epoch) {
            self.leave(slot);
        }
    }

    /// Sends a peer nothing any more: its lanes are found elsewhere or nowhere, what waits for it is lost, and all ledgers are told.
    fn leave(&mut self, slot: &SlotId) {
        let Some(neighbour) = self.neighbours.get_mut(slot) else { return };
        let Some(link) = neighbour.link.take() else { return };
        neighbour.lost = true;
        neighbour.retry_at = Some(Instant::now());
        link.tasks.iter().for_each(AbortHandle::abort);
        // First the ways, then the inboxes: who is let go finds other ways.
        self.turn_signpost();
        let mut components = BTreeSet::new();
        for (lane, inbox) in &link.lanes {
            components.insert(lane.component);
            self.common.counts.rows_lost(inbox.leave());
        }
        self.common.counts.slot_lost();
        if !self.common.tracked() || components.is_empty() || self.common.control.phase() == Phase::Stopping {
            return;
        }
        let left =
            Left { slot: slot.clone(), incarnation: link.incarnation, components: components.into_iter().collect() };
        for (other, neighbour) in &self.neighbours {
            let has_spouts = |peer: &Peer| has_spouts(&self.common, peer);
            if other != slot && self.common.ask(|fence| fence.placement().slots.get(other).is_some_and(has_spouts)) {
                neighbour.spouts.say(left.clone());
            }
        }
        let components = left.components.iter().map(|component| usize::from(*component)).collect();
        let from = self.common.ask(|fence| fence.own().slot.clone());
        self.word(Word { from, lost: left.slot, incarnation: left.incarnation, components });
    }

    /// Tells lanes where tasks are to be found now.
    fn turn_signpost(&self) {
        let common = &self.common;
        let (own, placement) = common.ask(|fence| (fence.own().slot.clone(), fence.placement().clone()));
        let lanes = common.lanes();
        let mut ledgers = lanes.ledgers();
        for (slot, neighbour) in &self.neighbours {
            let spout = |task: &squall_types::TaskId| {
                let component = common.topology.component_of(*task);
                component.is_some_and(|index| common.topology.component(index).kind == Kind::Spout)
            };
            let tasks = placement.slots.get(slot).into_iter().flat_map(Peer::tasks).filter(spout);
            let tasks: Vec<u16> = tasks.map(squall_types::TaskId::get).collect();
            if !tasks.is_empty() {
                ledgers.push((neighbour.spouts.acks.clone(), tasks));
            }
        }
        let local = local_edges(&common.topology, Some(&placement)).into();
        let mut ways = lanes.ways(&common.topology, local, ledgers);
        let mut outlets: Vec<Arc<dyn AnyInbox>> = Vec::new();
        for (slot, neighbour) in &self.neighbours {
            // What waits for spouts that aren't there is pending there.
            if neighbour.link.as_ref().is_some_and(|link| link.acks) {
                outlets.push(neighbour.spouts.acks.clone());
            }
            let nearness = Nearness::between(&placement, &own, slot);
            for (lane, inbox) in neighbour.link.iter().flat_map(|link| &link.lanes) {
                outlets.push(inbox.clone());
                for (at, task) in (0..).zip(&lane.tasks) {
                    if ways.to(*task).is_none() && placement.owns(slot, [*task]) {
                        let shared = lane.tasks.len() > 1;
                        ways.set(*task, Way { inbox: inbox.clone(), at, shared, nearness, senders: None });
                    }
                }
            }
        }
        common.set_outlets(outlets);
        common.signpost.turn(ways);
        common.control.wake_all();
        // The slot may have ended meanwhile, and let those go that waited by the ways before.
        if common.control.phase() == Phase::Stopping {
            common.close();
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let retries = self.neighbours.values().filter(|peer| !peer.dialling).filter_map(|peer| peer.retry_at);
        let losses = self.losses.next_deadline().map(|ns| self.common.clock.instant(ns));
        retries.chain(losses).min()
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The components of a peer whose tasks are sent to from here.
fn wanted_of(
    common: &Common,
    here: &BTreeSet<usize>,
    peer: &Peer,
    is_local: &dyn Fn(usize) -> bool,
) -> BTreeSet<usize> {
    let there = peer.executors.iter().filter_map(|executor| common.topology.component_of(executor.first));
    there.filter(|to| !is_local(*to) && here.iter().any(|from| common.reach.feeds(*from, *to))).collect()
}

fn has_spouts(common: &Common, peer: &Peer) -> bool {
    let mut components = peer.executors.iter().filter_map(|executor| common.topology.component_of(executor.first));
    components.any(|component| common.topology.component(component).kind == Kind::Spout)
}

/// Whether a link leads to all tasks of a peer that are wanted.
fn covers(link: &Link, peer: &Peer, wanted: &BTreeSet<usize>, common: &Common) -> bool {
    let is_wanted = |task: &squall_types::TaskId| {
        common.topology.component_of(*task).is_some_and(|component| wanted.contains(&component))
    };
    let has = |task: squall_types::TaskId| link.lanes.iter().any(|(lane, _)| lane.tasks.contains(&task));
    peer.tasks().filter(is_wanted).all(has)
}
