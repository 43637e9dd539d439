//! A lane's inbox: bounded in rows and bytes, with parcels' buffers going back to their senders.
//!
//! Invariants:
//! - a parcel holds its credit until the receiver comes back for the next one, so what is being worked on counts as queued;
//! - a sender that has no parcel here may put one in whatever the bound, so that a rare one is never starved by a busy one;
//! - a parcel over the bound passes alone; parcels sent with [`Inbox::push`] have no bound and are served first;
//! - what an inbox can't take stays with its sender: only one whose receiver has ended swallows parcels;
//! - no lock is held across an await or while a waker is called;
//! - senders that wait are woken together once half of the bound is free, so they don't take turns batch by batch.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, sleep_until};

/// What an inbox carries.
pub trait Parcel: Default {
    /// Rows, for the bound.
    fn rows(&self) -> usize;
    /// Bytes, for the bound.
    fn bytes(&self) -> usize;
    /// Who sends it: the receiver's input, and the sender's number there.
    fn sender(&self) -> (u16, u16);
    /// Empties it; its buffers are used again.
    fn recycle(&mut self);
}

/// What the bound needs to know of a parcel.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    rows: usize,
    bytes: usize,
    sender: (u16, u16),
}

impl Size {
    /// Of this parcel.
    pub fn of(parcel: &impl Parcel) -> Self {
        Self { rows: parcel.rows(), bytes: parcel.bytes(), sender: parcel.sender() }
    }
}

/// How much an inbox takes before its senders wait.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Rows, while rows are cheap: fewer if that many take more than `work_ns`.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
    /// Nanoseconds of work to keep queued at the most, but never less than one batch.
    pub work_ns: u64,
}

impl Bound {
    /// The least that the bound in rows shrinks to.
    const MIN_ROWS: usize = 64;
    /// Recycled parcels kept: as many as full batches fit the default bound, or a sender that runs ahead would allocate.
    const SPARE: usize = 20;
    /// 4,096 rows, 8 MiB, 2 ms of work.
    pub const DEFAULT: Self = Self { rows: 4_096, bytes: 8 << 20, work_ns: 2_000_000 };

    fn rows_at(&self, row_cost_ns: u32) -> usize {
        match u64::from(row_cost_ns) {
            0 => self.rows,
            cost => usize::try_from(self.work_ns / cost).unwrap_or(usize::MAX).clamp(Self::MIN_ROWS, self.rows),
        }
    }
}

/// What an inbox does with what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Takes it, if there is room.
    Open,
    /// Takes nothing; senders wait.
    Held,
    /// Takes nothing; senders are let go, to send elsewhere.
    Left,
    /// Swallows it: the receiver has ended.
    Closed,
}

struct State<T> {
    queue: VecDeque<T>,
    urgent: VecDeque<T>,
    spare: Vec<T>,
    /// Rows and bytes queued or being worked on.
    rows: usize,
    bytes: usize,
    /// Parcels queued or being worked on, by input and sender.
    by_sender: Vec<Vec<u32>>,
    /// Parcels ever put in.
    pushed: u64,
    receiver: Option<Waker>,
    waiting: Vec<Waker>,
    notified: bool,
    /// The receiver has nothing to do and has sent all that it had.
    idle: bool,
    gate: Gate,
}

impl<T> State<T> {
    fn has_parcel_of(&self, (input, sender): (u16, u16)) -> bool {
        let senders = self.by_sender.get(usize::from(input));
        senders.and_then(|senders| senders.get(usize::from(sender))).is_some_and(|parcels| *parcels > 0)
    }

    fn parcels_of(&mut self, (input, sender): (u16, u16)) -> &mut u32 {
        let (input, sender) = (usize::from(input), usize::from(sender));
        if self.by_sender.len() <= input {
            self.by_sender.resize_with(input + 1, Vec::new);
        }
        let senders = &mut self.by_sender[input];
        if senders.len() <= sender {
            senders.resize(sender + 1, 0);
        }
        &mut senders[sender]
    }
}

/// A queue with one receiver and any number of senders.
pub struct Inbox<T> {
    state: Mutex<State<T>>,
    bound: Bound,
    /// Rows queued or being worked on, for senders that choose by load.
    queued_rows: AtomicU32,
    row_cost_ns: AtomicU32,
    blocked_ns: AtomicU64,
}

/// What the coordinator sees of an inbox: whether its receiver rests, and how many parcels it was ever sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Nothing queued, nothing under way, everything sent.
    pub idle: bool,
    /// Parcels ever put in.
    pub pushed: u64,
}

impl<T: Parcel> Inbox<T> {
    /// An empty inbox.
    pub fn new(bound: Bound) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                urgent: VecDeque::new(),
                spare: Vec::new(),
                rows: 0,
                bytes: 0,
                by_sender: Vec::new(),
                pushed: 0,
                receiver: None,
                waiting: Vec::new(),
                notified: false,
                idle: false,
                gate: Gate::Open,
            }),
            bound,
            queued_rows: AtomicU32::new(0),
            row_cost_ns: AtomicU32::new(0),
            blocked_ns: AtomicU64::new(0),
        }
    }

    /// An inbox that takes nothing: its senders wait until they are [let go](Self::leave).
    pub fn held() -> Self {
        let inbox = Self::new(Bound::DEFAULT);
        let mut state = inbox.lock();
        (state.gate, state.idle) = (Gate::Held, true);
        drop(state);
        inbox
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic can't happen while the lock is held: nothing of the user's runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fits(&self, state: &State<T>, parcel: Size) -> bool {
        match state.gate {
            Gate::Open => {
                let most = self.bound.rows_at(self.row_cost_ns.load(Relaxed));
                let within = state.rows + parcel.rows <= most && state.bytes + parcel.bytes <= self.bound.bytes;
                within || state.rows == 0 || !state.has_parcel_of(parcel.sender)
            }
            Gate::Closed => true,
            Gate::Held | Gate::Left => false,
        }
    }

    /// Puts a parcel in if there is room, and takes an empty one in exchange.
    ///
    /// # Errors
    /// There is no room: the parcel comes back.
    pub fn try_send(&self, parcel: T) -> Result<T, T> {
        let state = self.lock();
        if !self.fits(&state, Size::of(&parcel)) {
            return Err(parcel);
        }
        Ok(self.put(state, parcel, false))
    }

    /// Puts a parcel in, whatever the bound; it is served before bounded ones. Returns an empty one in exchange.
    ///
    /// # Errors
    /// The inbox takes nothing: the parcel comes back.
    pub fn push(&self, parcel: T) -> Result<T, T> {
        let state = self.lock();
        match state.gate {
            Gate::Open | Gate::Closed => Ok(self.put(state, parcel, true)),
            Gate::Held | Gate::Left => Err(parcel),
        }
    }

    fn put(&self, mut state: MutexGuard<'_, State<T>>, parcel: T, urgent: bool) -> T {
        let spare = state.spare.pop().unwrap_or_default();
        if state.gate == Gate::Closed {
            return spare;
        }
        state.rows += parcel.rows();
        state.bytes += parcel.bytes();
        *state.parcels_of(parcel.sender()) += 1;
        state.pushed += 1;
        state.idle = false;
        self.queued_rows.store(u32::try_from(state.rows).unwrap_or(u32::MAX), Relaxed);
        if urgent {
            state.urgent.push_back(parcel);
        } else {
            state.queue.push_back(parcel);
        }
        let receiver = state.receiver.take();
        drop(state);
        if let Some(waker) = receiver {
            waker.wake();
        }
        spare
    }

    /// Waits until there may be room for such a parcel, or senders are let go.
    pub async fn room_for(&self, parcel: Size) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.gate == Gate::Left || self.fits(&state, parcel) {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Gives back the credit of a parcel that is done, with its buffers.
    pub fn done(&self, rows: usize, bytes: usize, mut parcel: T) {
        let sender = parcel.sender();
        parcel.recycle();
        let mut state = self.lock();
        *state.parcels_of(sender) -= 1;
        state.rows -= rows;
        state.bytes -= bytes;
        self.queued_rows.store(u32::try_from(state.rows).unwrap_or(u32::MAX), Relaxed);
        if state.spare.len() < Bound::SPARE {
            state.spare.push(parcel);
        }
        let half = self.bound.rows_at(self.row_cost_ns.load(Relaxed)) / 2;
        if !state.waiting.is_empty() && (state.rows <= half && state.bytes <= self.bound.bytes / 2) {
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// The next parcel, if there is one.
    pub fn take(&self) -> Option<T> {
        let mut state = self.lock();
        state.urgent.pop_front().or_else(|| state.queue.pop_front())
    }

    /// Waits until there is a parcel, someone calls [`notify`](Self::notify), or the deadline passes. `resting` says that the
    /// receiver has nothing under way.
    pub async fn wait(&self, deadline: Option<Instant>, resting: bool) {
        let ready = poll_fn(|cx| self.poll_ready(cx, resting));
        match deadline {
            None => ready.await,
            Some(deadline) => tokio::select! {
                biased;
                () = ready => {}
                () = sleep_until(deadline) => {}
            },
        }
    }

    /// Ready when there is a parcel or a notification; otherwise wakes the task then.
    pub fn poll_ready(&self, cx: &mut Context<'_>, resting: bool) -> Poll<()> {
        let mut state = self.lock();
        if std::mem::take(&mut state.notified) || !state.queue.is_empty() || !state.urgent.is_empty() {
            state.idle = false;
            return Poll::Ready(());
        }
        if state.gate == Gate::Left {
            return Poll::Ready(());
        }
        state.idle = resting;
        match &mut state.receiver {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Wakes the receiver without a parcel.
    pub fn notify(&self) {
        let mut state = self.lock();
        state.notified = true;
        let receiver = state.receiver.take();
        drop(state);
        if let Some(waker) = receiver {
            waker.wake();
        }
    }

    /// Lets every sender pass and drops what it sends: the receiver is gone.
    pub fn close(&self) {
        self.end(Gate::Closed);
    }

    /// Takes nothing any more, and lets those go that wait for room, to send elsewhere. Returns how many queued rows are dropped.
    pub fn leave(&self) -> usize {
        self.end(Gate::Left)
    }

    fn end(&self, gate: Gate) -> usize {
        let mut state = self.lock();
        if state.gate == Gate::Closed {
            return 0;
        }
        state.gate = gate;
        state.idle = true;
        let dropped = state.queue.drain(..).map(|parcel| parcel.rows()).sum::<usize>()
            + state.urgent.drain(..).map(|parcel| parcel.rows()).sum::<usize>();
        let waiting = std::mem::take(&mut state.waiting);
        let receiver = state.receiver.take();
        drop(state);
        waiting.into_iter().chain(receiver).for_each(Waker::wake);
        dropped
    }

    /// Whether senders were let go.
    pub fn is_left(&self) -> bool {
        self.lock().gate == Gate::Left
    }

    /// Whether the receiver rests.
    pub fn rest(&self) -> Rest {
        let state = self.lock();
        Rest {
            idle: state.idle && !state.notified && state.queue.is_empty() && state.urgent.is_empty(),
            pushed: state.pushed,
        }
    }

    /// Rows queued or being worked on.
    pub fn queued_rows(&self) -> u32 {
        self.queued_rows.load(Relaxed)
    }

    /// The bound in rows, as it is now.
    pub fn bound_rows(&self) -> u32 {
        u32::try_from(self.bound.rows_at(self.row_cost_ns.load(Relaxed))).unwrap_or(u32::MAX)
    }

    /// What a row costs the receiver, in nanoseconds; 0 while unknown.
    pub fn row_cost_ns(&self) -> u32 {
        self.row_cost_ns.load(Relaxed)
    }

    /// Says what a row costs.
    pub fn set_row_cost_ns(&self, ns: u32) {
        self.row_cost_ns.store(ns, Relaxed);
    }

    /// Adds to the time that senders have waited for this inbox.
    pub fn add_blocked_ns(&self, ns: u64) {
        self.blocked_ns.fetch_add(ns, Relaxed);
    }

    /// How long senders have waited for this inbox, in nanoseconds, all of them added up.
    pub fn blocked_ns(&self) -> u64 {
        self.blocked_ns.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Rows {
        rows: usize,
        sender: (u16, u16),
    }

    impl Parcel for Rows {
        fn rows(&self) -> usize {
            self.rows
        }
        fn bytes(&self) -> usize {
            0
        }
        fn sender(&self) -> (u16, u16) {
            self.sender
        }
        fn recycle(&mut self) {
            self.rows = 0;
        }
    }

    fn inbox() -> Inbox<Rows> {
        Inbox::new(Bound { rows: 100, bytes: 1_000, work_ns: 1_000_000 })
    }

    fn of(sender: (u16, u16), rows: usize) -> Rows {
        Rows { rows, sender }
    }

    fn done(inbox: &Inbox<Rows>) -> (u16, u16) {
        let parcel = inbox.take().unwrap();
        let (rows, sender) = (parcel.rows, parcel.sender);
        inbox.done(rows, 0, parcel);
        sender
    }

    #[test]
    fn a_sender_with_nothing_here_passes_a_full_inbox_once() {
        let (inbox, busy) = (inbox(), (0, 0));
        while inbox.try_send(of(busy, 50)).is_ok() {}
        for rare in [(0, 1), (1, 0), (7, 3)] {
            assert!(inbox.try_send(of(rare, 1)).is_ok(), "{rare:?}");
            assert_eq!(inbox.try_send(of(rare, 1)), Err(of(rare, 1)));
        }
        assert_eq!([0; 2].map(|_| done(&inbox)), [busy; 2]);
        assert_eq!(done(&inbox), (0, 1));
        while inbox.try_send(of(busy, 49)).is_ok() {}
        assert!(inbox.try_send(of((0, 1), 1)).is_ok(), "its credit came back");
        assert!(inbox.try_send(of((1, 0), 1)).is_err(), "the others' didn't");
    }

    #[test]
    fn what_is_being_worked_on_holds_its_credit_until_it_is_done() {
        let inbox = inbox();
        assert!(inbox.try_send(of((0, 0), 100)).is_ok());
        let parcel = inbox.take().unwrap();
        assert!(inbox.try_send(of((0, 0), 1)).is_err());
        inbox.done(100, 0, parcel);
        assert!(inbox.try_send(of((0, 0), 1)).is_ok());
    }

    #[test]
    fn a_parcel_over_the_bound_passes_alone() {
        let inbox = inbox();
        assert!(inbox.try_send(of((0, 0), 5_000)).is_ok());
        assert!(inbox.try_send(of((0, 0), 1)).is_err());
    }

    #[test]
    fn an_inbox_that_is_held_or_left_gives_back_what_it_is_sent() {
        let inbox = Inbox::<Rows>::held();
        let (waker, parcel) = (Waker::noop(), of((0, 0), 1));
        let mut waiting = Box::pin(inbox.room_for(Size::of(&parcel)));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        assert_eq!(inbox.try_send(of((0, 0), 1)), Err(of((0, 0), 1)));
        assert_eq!(inbox.push(of((0, 0), 1)), Err(of((0, 0), 1)));
        assert_eq!(inbox.leave(), 0);
        assert!(waiting.as_mut().poll(&mut Context::from_waker(waker)).is_ready(), "senders go elsewhere");
        assert_eq!(inbox.try_send(of((0, 0), 1)), Err(of((0, 0), 1)));
        assert!(inbox.rest().idle);
    }

    #[test]
    fn what_was_queued_in_an_inbox_that_is_left_is_counted() {
        let inbox = inbox();
        for rows in [1, 50, 7] {
            assert!(inbox.try_send(of((0, 0), rows)).is_ok());
        }
        let parcel = inbox.take().unwrap();
        assert_eq!(inbox.leave(), 57);
        inbox.done(1, 0, parcel);
        assert!(inbox.is_left() && inbox.take().is_none());
        assert_eq!(inbox.leave(), 0);
    }

    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn senders_that_wait_are_woken_together_once_half_of_the_bound_is_free() {
        let (inbox, calls) = (inbox(), Arc::new(Calls::default()));
        for _ in 0..4 {
            assert!(inbox.try_send(of((0, 0), 25)).is_ok());
        }
        let waker = Waker::from(calls.clone());
        let mut waiting = Box::pin(inbox.room_for(Size::of(&of((0, 0), 25))));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        done(&inbox);
        assert_eq!(calls.0.load(Relaxed), 0);
        done(&inbox);
        assert_eq!(calls.0.load(Relaxed), 1);
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn as_many_buffers_come_back_as_full_batches_fit_the_bound() {
        let inbox = Inbox::new(Bound::DEFAULT);
        let full = Bound::DEFAULT.rows / 256;
        for _ in 0..full {
            assert_eq!(inbox.try_send(of((0, 9), 256)), Ok(Rows::default()), "new");
        }
        for _ in 0..full {
            done(&inbox);
        }
        for _ in 0..full {
            assert_eq!(inbox.try_send(of((0, 1), 256)), Ok(of((0, 9), 0)), "used before");
        }
    }
}
