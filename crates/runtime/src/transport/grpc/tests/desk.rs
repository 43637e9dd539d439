//! A slot for tests: takes what comes, as slowly as it is told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use squall_types::cluster::{AssignmentVersion, ClusterId, Refusal, SlotId, SlotIncarnation};
use squall_types::{Batch, TaskId, Value};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::soon;
use crate::transport::grpc::{GrpcTransport, Security, Settings, serve, services};
use crate::transport::{
    Acceptor, Channel, ConnectError, Connection, Dialled, Hello, Inbound, Incoming, LaneNumber, Outbound, Outgoing,
    RemoteLane, Transport as _, Welcome,
};

/// What came, or that the receiving end of a channel was dropped.
#[derive(Debug)]
pub enum Event {
    Came(Channel, Incoming),
    Dropped(Channel),
}

/// A slot that takes what comes. Lanes 0 and 1 exist.
pub struct Desk {
    events: mpsc::UnboundedSender<Event>,
    /// How many parcels each lane may take.
    pub gates: [Arc<Semaphore>; 2],
    /// Bytes of rows that each lane has taken.
    pub taken: [Arc<AtomicUsize>; 2],
    /// What a row costs.
    pub row_cost_ns: Arc<AtomicU32>,
    /// What hellos are answered, instead of welcome.
    pub closed: Mutex<Option<Refusal>>,
    /// What parcels are answered.
    pub picky: Mutex<Option<Refusal>>,
}

pub const LANES: [Channel; 2] = [Channel::Lane(LaneNumber(0)), Channel::Lane(LaneNumber(1))];

pub fn slot(number: u16) -> SlotId {
    SlotId { worker: "node-1".parse().unwrap(), number }
}

pub fn hello() -> Hello {
    Hello {
        cluster: ClusterId::new(7).unwrap(),
        topology: "words".parse().unwrap(),
        version: AssignmentVersion::new(1),
        from: slot(0),
        incarnation: SlotIncarnation::new(1),
        to: slot(1),
    }
}

pub fn welcome() -> Welcome {
    let lane = |number| RemoteLane { number: LaneNumber(number), component: 1, tasks: vec![TaskId::new(number + 2)] };
    Welcome { incarnation: SlotIncarnation::new(5), version: AssignmentVersion::new(2), lanes: vec![lane(0), lane(1)] }
}

impl Acceptor for Desk {
    fn greet(&self, _: &Hello) -> Result<Welcome, Refusal> {
        self.closed.lock().unwrap().clone().map_or_else(|| Ok(welcome()), Err)
    }

    fn accept(&self, _: &Hello, channel: Channel) -> Result<Box<dyn Inbound>, Refusal> {
        let at = match channel {
            Channel::Lane(LaneNumber(number)) if number < 2 => Some(usize::from(number)),
            Channel::Lane(_) => return Err(Refusal::NoSuchLane),
            Channel::Acks => None,
        };
        Ok(Box::new(Taker {
            channel,
            events: self.events.clone(),
            gate: at.map(|at| self.gates[at].clone()),
            taken: at.map(|at| self.taken[at].clone()),
            row_cost_ns: self.row_cost_ns.clone(),
            picky: self.picky.lock().unwrap().clone(),
        }))
    }
}

struct Taker {
    channel: Channel,
    events: mpsc::UnboundedSender<Event>,
    gate: Option<Arc<Semaphore>>,
    taken: Option<Arc<AtomicUsize>>,
    row_cost_ns: Arc<AtomicU32>,
    picky: Option<Refusal>,
}

impl Inbound for Taker {
    fn spare(&mut self) -> Batch {
        Batch::default()
    }

    fn deliver(&mut self, parcel: Incoming) -> BoxFuture<'_, Result<(), Refusal>> {
        async {
            if let Some(refusal) = &self.picky {
                return Err(refusal.clone());
            }
            if let Some(gate) = &self.gate {
                gate.acquire().await.unwrap().forget();
            }
            if let (Some(taken), Incoming::Rows(batch)) = (&self.taken, &parcel) {
                taken.fetch_add(batch.heap_bytes, Relaxed);
            }
            // A test that has ended hears nothing.
            let _ = self.events.send(Event::Came(self.channel, parcel));
            Ok(())
        }
        .boxed()
    }

    fn row_cost_ns(&self) -> u32 {
        self.row_cost_ns.load(Relaxed)
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Dropped(self.channel));
    }
}

/// A slot that is served, and what it says has happened.
pub struct Slot {
    pub desk: Arc<Desk>,
    pub address: SocketAddr,
    events: mpsc::UnboundedReceiver<Event>,
    serving: tokio::task::JoinHandle<()>,
}

pub const QUICK: Settings = Settings {
    silence: std::time::Duration::from_millis(100),
    patience: std::time::Duration::from_millis(300),
    ..Settings::DEFAULT
};

impl Slot {
    /// Takes whatever comes at once.
    pub async fn start() -> Self {
        Self::with(Security::Plain, Settings::DEFAULT).await
    }

    pub async fn with(security: Security, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, security, settings)
    }

    pub fn on(listener: TcpListener, security: Security, settings: Settings) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            events: sender,
            gates: [(); 2].map(|()| Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))),
            taken: Default::default(),
            row_cost_ns: Arc::default(),
            closed: Mutex::new(None),
            picky: Mutex::new(None),
        });
        let address = listener.local_addr().unwrap();
        let routes = services(desk.clone(), security.clone());
        let serving = tokio::spawn(serve(listener, security, settings, routes, std::future::pending()));
        Self { desk, address, events, serving }
    }

    /// The next that happens.
    pub async fn event(&mut self) -> Event {
        soon(self.events.recv()).await.unwrap()
    }

    /// The next that comes on this channel, which nothing else may precede.
    pub async fn comes(&mut self, channel: Channel) -> Incoming {
        match self.event().await {
            Event::Came(on, parcel) if on == channel => parcel,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the channel's receiving end is dropped, whatever comes before.
    pub async fn dropped(&mut self, channel: Channel) {
        while !matches!(self.event().await, Event::Dropped(it) if it == channel) {}
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub fn transport() -> GrpcTransport {
    GrpcTransport::new(Settings::DEFAULT, Security::Plain, Handle::current())
}

pub async fn connect(address: SocketAddr) -> Arc<dyn Connection> {
    try_connect(&transport(), address).await.unwrap().0
}

pub async fn try_connect(transport: &GrpcTransport, address: SocketAddr) -> Result<Dialled, ConnectError> {
    soon(transport.connect(&address.to_string(), &hello())).await
}

pub async fn open(connection: &Arc<dyn Connection>, channel: Channel) -> Box<dyn Outbound> {
    soon(connection.open(channel)).await.unwrap()
}

/// Rows of one value of so many bytes each.
pub fn rows(count: u32, bytes: usize) -> Batch {
    let payload: squall_types::Bytes = vec![7; bytes].into();
    let values = vec![Value::Bytes(payload); count as usize];
    Batch { width: 1, rows: count, values, heap_bytes: bytes * count as usize, ..Batch::default() }
}

pub async fn send(outbound: &mut Box<dyn Outbound>, batch: &Batch) {
    soon(outbound.send(Outgoing::Rows(batch))).await.unwrap();
}
