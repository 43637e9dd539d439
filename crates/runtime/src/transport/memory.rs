//! Slots in one process, joined without a network: for tests and for the simulation.
//!
//! Parcels are copied, as a network would, and each channel has a window: what the receiver hasn't taken stops the sender, and it alone.
//! Lines can be cut, and slots can vanish.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use squall_types::cluster::Refusal;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{
    Acceptor, Channel, ConnectError, Connection, Dialled, Hello, Inbound, Incoming, Lost, Outbound, Outgoing, Sent,
    Transport, Welcome,
};

/// Parcels under way on a channel, at the most.
const WINDOW: usize = 2;

/// Nobody listens there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody can be reached at {0}")]
struct Nobody(String);

/// A line between two addresses; it is whole as long as this is `true`.
type Whole = watch::Sender<bool>;

#[derive(Default)]
struct State {
    acceptors: BTreeMap<String, Arc<dyn Acceptor>>,
    /// Who dialled whom.
    lines: Vec<(String, String, Arc<Whole>)>,
    /// Pairs that can't reach each other, smaller first.
    cut: BTreeSet<(String, String)>,
    carriers: JoinSet<()>,
}

/// The addresses that slots listen at, and the lines between them.
#[derive(Clone, Default)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

impl Network {
    /// Nobody listens.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others dial this address.
    pub fn listen(&self, address: &str, acceptor: Arc<dyn Acceptor>) {
        self.lock().acceptors.insert(address.to_owned(), acceptor);
    }

    /// What whoever listens at this address reaches others with.
    pub fn transport(&self, from: &str) -> Arc<dyn Transport> {
        Arc::new(Here { network: self.clone(), address: from.to_owned() })
    }

    /// Nobody listens there any more, and all its lines are lost: a process is gone.
    pub fn vanish(&self, address: &str) {
        let mut state = self.lock();
        state.acceptors.remove(address);
        state.lose_lines(|from, to| from == address || to == address);
    }

    /// Two addresses can't reach each other, and what was between them is lost.
    pub fn cut(&self, one: &str, other: &str) {
        let mut state = self.lock();
        state.cut.insert(pair(one, other));
        state.lose_lines(|from, to| pair(from, to) == pair(one, other));
    }

    /// Two addresses can reach each other again.
    pub fn mend(&self, one: &str, other: &str) {
        self.lock().cut.remove(&pair(one, other));
    }

    /// The lines that one dialled to another are lost; new ones may be dialled.
    pub fn break_line(&self, from: &str, to: &str) {
        self.lock().lose_lines(|dialled, answered| dialled == from && answered == to);
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.min(other).to_owned(), one.max(other).to_owned())
}

impl State {
    fn lose_lines(&mut self, lost: impl Fn(&str, &str) -> bool) {
        for (_, _, whole) in self.lines.extract_if(.., |(from, to, _)| lost(from, to)) {
            whole.send_replace(false);
        }
    }
}

/// The network as seen from an address.
struct Here {
    network: Network,
    address: String,
}

impl Here {
    fn dial(&self, address: &str, hello: &Hello) -> Result<Dialled, ConnectError> {
        let mut state = self.network.lock();
        let acceptor = match state.acceptors.get(address) {
            Some(acceptor) if !state.cut.contains(&pair(&self.address, address)) => acceptor.clone(),
            _ => return Err(ConnectError::Unreachable(Box::new(Nobody(address.to_owned())))),
        };
        let whole = Arc::new(watch::channel(true).0);
        state.lines.retain(|(_, _, whole)| Arc::strong_count(whole) > 1);
        state.lines.push((self.address.clone(), address.to_owned(), whole.clone()));
        drop(state);
        let welcome = acceptor.greet(hello).map_err(ConnectError::Refused)?;
        let line = Line { network: self.network.clone(), acceptor, hello: hello.clone(), whole };
        Ok((Arc::new(line), welcome))
    }
}

impl Transport for Here {
    fn connect<'a>(&'a self, address: &'a str, hello: &'a Hello) -> BoxFuture<'a, Result<Dialled, ConnectError>> {
        async move { self.dial(address, hello) }.boxed()
    }
}

/// A line that was dialled.
struct Line {
    network: Network,
    acceptor: Arc<dyn Acceptor>,
    hello: Hello,
    whole: Arc<Whole>,
}

impl Line {
    fn is_whole(&self) -> Result<(), ConnectError> {
        let lost = || ConnectError::Unreachable(Box::new(Nobody(self.hello.to.to_string())));
        if *self.whole.borrow() { Ok(()) } else { Err(lost()) }
    }

    fn open_now(&self, channel: Channel) -> Result<Box<dyn Outbound>, ConnectError> {
        self.is_whole()?;
        let inbound = self.acceptor.accept(&self.hello, channel).map_err(ConnectError::Refused)?;
        let (parcels, coming) = mpsc::channel(WINDOW);
        let mut state = self.network.lock();
        while state.carriers.try_join_next().is_some() {}
        let row_cost = Arc::new(AtomicU32::new(0));
        state.carriers.spawn(carry(coming, inbound, self.whole.subscribe(), row_cost.clone()));
        Ok(Box::new(Sending { parcels, whole: self.whole.clone(), row_cost }))
    }
}

impl Connection for Line {
    fn greet<'a>(&'a self, hello: &'a Hello) -> BoxFuture<'a, Result<Welcome, ConnectError>> {
        async move {
            self.is_whole()?;
            self.acceptor.greet(hello).map_err(ConnectError::Refused)
        }
        .boxed()
    }

    fn open(&self, channel: Channel) -> BoxFuture<'_, Result<Box<dyn Outbound>, ConnectError>> {
        async move { self.open_now(channel) }.boxed()
    }

    fn lost(&self) -> BoxFuture<'_, ()> {
        let whole = self.whole.subscribe();
        async move { lost(whole).await }.boxed()
    }
}

async fn lost(mut whole: watch::Receiver<bool>) {
    // An error says that the line is gone with both ends.
    let _ = whole.wait_for(|whole| !whole).await;
}

async fn carry(
    mut coming: mpsc::Receiver<Incoming>,
    mut inbound: Box<dyn Inbound>,
    whole: watch::Receiver<bool>,
    row_cost: Arc<AtomicU32>,
) {
    let carrying = async {
        while let Some(parcel) = coming.recv().await {
            let taken: Result<(), Refusal> = inbound.deliver(parcel).await;
            if taken.is_err() {
                return;
            }
            row_cost.store(inbound.row_cost_ns(), Relaxed);
        }
    };
    tokio::select! {
        biased;
        () = lost(whole) => {}
        () = carrying => {}
    }
}

/// The sending end of a channel.
struct Sending {
    parcels: mpsc::Sender<Incoming>,
    whole: Arc<Whole>,
    row_cost: Arc<AtomicU32>,
}

impl Outbound for Sending {
    fn row_cost_ns(&self) -> u32 {
        self.row_cost.load(Relaxed)
    }

    fn send<'a>(&'a mut self, parcel: Outgoing<'a>) -> BoxFuture<'a, Result<Sent, Lost>> {
        let parcel = match parcel {
            Outgoing::Placement(placement) => Incoming::Placement(placement.clone()),
            Outgoing::Introduction(introduction) => Incoming::Introduction(introduction.clone()),
            Outgoing::Rows(batch) => Incoming::Rows(batch.clone()),
            Outgoing::Acks(batch) => Incoming::Acks(batch.clone()),
            Outgoing::Left(left) => Incoming::Left(left.clone()),
        };
        let whole = self.whole.subscribe();
        async move {
            tokio::select! {
                biased;
                () = lost(whole) => Err(Lost),
                sent = self.parcels.send(parcel) => sent.map(|()| Sent::WHOLE).map_err(|_| Lost),
            }
        }
        .boxed()
    }
}
