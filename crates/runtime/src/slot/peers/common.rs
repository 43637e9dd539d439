//! What a slot's lanes, links and door share about the other slots of its topology.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use squall_engine::fencing::Fence;
use squall_engine::ledger::FailureKind;
use squall_engine::losses::Word;
use squall_engine::reach::Reach;
use squall_types::Batch;
use squall_types::cluster::{AssignmentVersion, Placement, Refusal, SlotId, SlotIncarnation};
use squall_types::topology::{Checked, Delivery};
use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::inbox::Bound;
use crate::lane::{AckOut, Control, Signpost};
use crate::slot::lanes::Lanes;
use crate::slot::registry::AnyInbox;
use crate::wire::Unsendable;

/// Exact counts of what has crossed to other slots, and come from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Rows that flow control has taken.
    pub rows_sent: u64,
    /// Rows that have come and were put into their lanes' inboxes.
    pub rows_received: u64,
    /// Rows that waited for a slot when it was lost, those under way to it that flow control hadn't taken, and those that were left out as
    /// no frame can hold them.
    pub rows_lost: u64,
    /// Parcels of any kind that flow control has taken.
    pub parcels_sent: u64,
    /// Parcels of any kind that have come and were put where they belong.
    pub parcels_received: u64,
    /// Slots and streams that weren't let in, or not any more.
    pub refused: u64,
    /// Times that a slot, or the way to it, was lost.
    pub slots_lost: u64,
}

/// [`Traffic`] as it is counted.
#[derive(Debug, Default)]
pub struct Counts {
    rows_sent: AtomicU64,
    rows_received: AtomicU64,
    rows_lost: AtomicU64,
    parcels_sent: AtomicU64,
    parcels_received: AtomicU64,
    refused: AtomicU64,
    slots_lost: AtomicU64,
}

impl Counts {
    pub fn sent(&self, rows: usize) {
        self.rows_sent.fetch_add(rows as u64, Ordering::Relaxed);
        self.parcels_sent.fetch_add(1, Ordering::AcqRel);
    }

    /// What was counted as one parcel comes as so many.
    pub fn sent_as(&self, parcels: u32) {
        self.parcels_sent.fetch_add(u64::from(parcels).wrapping_sub(1), Ordering::AcqRel);
    }

    pub fn received(&self, rows: usize) {
        self.rows_received.fetch_add(rows as u64, Ordering::Relaxed);
        self.parcels_received.fetch_add(1, Ordering::AcqRel);
    }

    /// Rows that were counted as sent were not.
    pub fn left_out(&self, rows: usize) {
        self.rows_sent.fetch_sub(rows as u64, Ordering::Relaxed);
        self.rows_lost(rows);
    }

    pub fn rows_lost(&self, rows: usize) {
        self.rows_lost.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub fn slot_lost(&self) {
        self.slots_lost.fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) -> Traffic {
        // Received before sent: what is read as received was read as sent too, wherever that was.
        let parcels_received = self.parcels_received.load(Ordering::Acquire);
        Traffic {
            rows_sent: self.rows_sent.load(Ordering::Relaxed),
            rows_received: self.rows_received.load(Ordering::Relaxed),
            rows_lost: self.rows_lost.load(Ordering::Relaxed),
            parcels_sent: self.parcels_sent.load(Ordering::Acquire),
            parcels_received,
            refused: self.refused.load(Ordering::Relaxed),
            slots_lost: self.slots_lost.load(Ordering::Relaxed),
        }
    }
}

/// What came in for the task that watches over the peers.
#[derive(Debug, Default)]
pub struct Mail {
    /// Words about lost slots.
    pub words: Vec<Word>,
    /// Lives that were seen.
    pub seen: BTreeSet<(SlotId, SlotIncarnation)>,
    /// The placement is another.
    pub placement: bool,
}

/// Shared by all that deals with peers.
pub struct Common {
    pub topology: Arc<Checked>,
    pub reach: Reach,
    pub bound: Bound,
    pub clock: Clock,
    pub control: Arc<Control>,
    pub signpost: Arc<Signpost>,
    lanes: RwLock<Lanes>,
    pub counts: Counts,
    fence: Mutex<Fence>,
    /// Changes with what the fence knows.
    fence_version: AtomicU64,
    fence_changed: Notify,
    mail: Mutex<Mail>,
    /// There is mail.
    pub rung: Notify,
    /// The version whose ways lanes have been shown.
    turned: watch::Sender<AssignmentVersion>,
    /// Slots whose ack channel has been open.
    acked_before: Mutex<BTreeSet<SlotId>>,
    /// What waits to leave.
    outlets: Mutex<Vec<Arc<dyn AnyInbox>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is done under these locks can't panic halfway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Common {
    /// What is shared from the start.
    pub fn new(
        topology: Arc<Checked>,
        bound: Bound,
        clock: Clock,
        (control, signpost): (Arc<Control>, Arc<Signpost>),
        lanes: Lanes,
        fence: Fence,
    ) -> Self {
        Self {
            reach: Reach::new(&topology),
            topology,
            bound,
            clock,
            control,
            signpost,
            lanes: RwLock::new(lanes),
            counts: Counts::default(),
            fence: Mutex::new(fence),
            fence_version: AtomicU64::new(0),
            fence_changed: Notify::new(),
            mail: Mutex::default(),
            rung: Notify::new(),
            turned: watch::channel(AssignmentVersion::ZERO).0,
            acked_before: Mutex::default(),
            outlets: Mutex::default(),
        }
    }

    /// The lanes as they are now.
    pub fn lanes(&self) -> Lanes {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These are the lanes from now on.
    pub fn set_lanes(&self, lanes: Lanes) {
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = lanes;
    }

    /// Whether roots are tracked.
    /// Rows of a batch that was sent were left out: their roots fail.
    pub fn leave_out(&self, batch: &Batch, rows: &[(usize, Unsendable)]) {
        self.counts.left_out(rows.len());
        let mut acks = AckOut::new(self.signpost.now().acks.clone());
        for (row, _) in rows {
            let more = batch.more_anchors.iter().filter(|(of, _)| *of as usize == *row).map(|(_, anchor)| anchor.root);
            let roots = more.chain([batch.anchor(*row).root]);
            roots.for_each(|root| acks.fail(root, FailureKind::Failed));
        }
        acks.flush(self.clock.now_ns(), true, 0);
    }

    pub fn tracked(&self) -> bool {
        self.topology.topology().delivery == Delivery::AtLeastOnce
    }

    /// Asks the fence.
    pub fn ask<T>(&self, question: impl FnOnce(&Fence) -> T) -> T {
        question(&lock(&self.fence))
    }

    /// Teaches the fence something; who was let in is asked again.
    pub fn teach<T>(&self, lesson: impl FnOnce(&mut Fence) -> T) -> T {
        let taught = lesson(&mut lock(&self.fence));
        self.fence_version.fetch_add(1, Ordering::AcqRel);
        self.fence_changed.notify_waiters();
        taught
    }

    /// Changes whenever the fence was taught.
    pub fn fence_version(&self) -> u64 {
        self.fence_version.load(Ordering::Acquire)
    }

    /// Returns once the fence knows other things than at this version.
    pub async fn fence_after(&self, version: u64) {
        loop {
            let changed = self.fence_changed.notified();
            if self.fence_version() != version {
                return;
            }
            changed.await;
        }
    }

    /// Counts a refusal and gives it back. Who is asked to come again isn't refused.
    pub fn refuse(&self, refusal: Refusal) -> Refusal {
        if !refusal.may_pass_later() {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        refusal
    }

    /// A peer says which placement it knows. What it sends next may come from where only that one says; so lanes are shown the ways first.
    pub async fn hear(&self, placement: Placement) {
        let version = placement.version;
        if version > self.ask(|fence| fence.placement().version) {
            self.teach(|fence| fence.learn(placement));
            self.post(|mail| mail.placement = true);
        }
        self.shown(version).await;
    }

    /// Returns once lanes have been shown the ways of this version, or a newer one.
    pub async fn shown(&self, version: AssignmentVersion) {
        let mut turned = self.turned.subscribe();
        // The sender is this one's.
        let _ = turned.wait_for(|turned| *turned >= version).await;
    }

    /// Lanes have been shown the ways of this version.
    pub fn show(&self, version: AssignmentVersion) {
        self.turned.send_replace(version);
    }

    /// Leaves a word for the task that watches over the peers.
    pub fn post(&self, mail: impl FnOnce(&mut Mail)) {
        mail(&mut lock(&self.mail));
        self.rung.notify_one();
    }

    /// Takes the mail.
    pub fn take_mail(&self) -> Mail {
        std::mem::take(&mut lock(&self.mail))
    }

    /// A slot opens its ack channel. Says whether it had one before.
    pub fn ack_channel_opens(&self, slot: &SlotId) -> bool {
        !lock(&self.acked_before).insert(slot.clone())
    }

    /// The components that a slot runs, as indices, by what is known now.
    pub fn components_of(&self, slot: &SlotId) -> BTreeSet<usize> {
        self.ask(|fence| {
            let peer = fence.placement().slots.get(slot);
            let firsts = peer.into_iter().flat_map(|peer| peer.executors.iter().map(|executor| executor.first));
            firsts.filter_map(|task| self.topology.component_of(task)).collect()
        })
    }

    /// What waits to leave, from now on.
    pub fn set_outlets(&self, outlets: Vec<Arc<dyn AnyInbox>>) {
        *lock(&self.outlets) = outlets;
    }

    /// Whether nothing waits to leave, and a number that changes with everything that did or came in.
    pub fn rest(&self) -> Option<u64> {
        let mut moved = 0u64;
        for outlet in &*lock(&self.outlets) {
            let rest = outlet.rest();
            if !rest.idle {
                return None;
            }
            moved = moved.wrapping_add(rest.pushed);
        }
        let traffic = self.counts.read();
        Some(moved.wrapping_add(traffic.parcels_sent).wrapping_add(traffic.parcels_received))
    }

    /// Lets all go that wait for a slot: this one ends.
    pub fn close(&self) {
        lock(&self.outlets).iter().for_each(|outlet| outlet.close());
        self.signpost.now().nowhere.close();
        self.fence_version.fetch_add(1, Ordering::AcqRel);
        self.fence_changed.notify_waiters();
    }
}
