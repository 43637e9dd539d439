//! Tuples over one connection between two slots' transports, against bare gRPC messages of 64 KiB.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use squall_runtime::transport::grpc::{GrpcTransport, Security, Settings, serve, services};
use squall_runtime::transport::{
    Acceptor, Channel, Hello, Inbound, Incoming, LaneNumber, Outgoing, RemoteLane, Transport as _, Welcome,
};
use squall_types::cluster::{AssignmentVersion, ClusterId, Refusal, SlotId, SlotIncarnation};
use squall_types::{Batch, TaskId, Value};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::bare_grpc;
use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::cpu_seconds;

/// Rows of a batch, as a lane sends them.
const ROWS: u32 = 512;
/// Bytes of a row's one value.
pub const PAYLOAD: usize = 100;
const WARM_UP: Duration = Duration::from_millis(500);
const LANE: LaneNumber = LaneNumber(0);

/// What a counter gained, a second, between two moments.
pub struct Window {
    /// By the second.
    pub rate: f64,
    /// CPU seconds for each.
    pub cost: f64,
}

/// Lets it warm up, and looks at a counter twice.
///
/// # Errors
/// CPU time can't be read.
pub fn watch(counter: &AtomicU64, seconds: f64) -> Result<Window, Error> {
    std::thread::sleep(WARM_UP);
    let (before, cpu_s, begun) = (counter.load(Relaxed), cpu_seconds()?, Instant::now());
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let (count, cpu_s) = ((counter.load(Relaxed) - before) as f64, cpu_seconds()? - cpu_s);
    Ok(Window { rate: count / begun.elapsed().as_secs_f64(), cost: cpu_s / count })
}

/// A runtime of one thread, as each end has.
///
/// # Errors
/// There is none.
pub fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(Error::Thread)
}

/// Counts rows and uses their buffers again.
struct Count {
    rows: Arc<AtomicU64>,
    spare: Batch,
}

impl Inbound for Count {
    fn spare(&mut self) -> Batch {
        std::mem::take(&mut self.spare)
    }

    fn deliver(&mut self, parcel: Incoming) -> BoxFuture<'_, Result<(), Refusal>> {
        if let Incoming::Rows(mut batch) = parcel {
            self.rows.fetch_add(batch.rows.into(), Relaxed);
            batch.clear();
            self.spare = batch;
        }
        std::future::ready(Ok(())).boxed()
    }

    fn row_cost_ns(&self) -> u32 {
        0
    }
}

struct Null(Arc<AtomicU64>);

impl Acceptor for Null {
    fn greet(&self, hello: &Hello) -> Result<Welcome, Refusal> {
        let lanes = vec![RemoteLane { number: LANE, component: 1, tasks: vec![TaskId::new(2)] }];
        Ok(Welcome { incarnation: hello.incarnation, version: hello.version, lanes })
    }

    fn accept(&self, _: &Hello, _: Channel) -> Result<Box<dyn Inbound>, Refusal> {
        Ok(Box::new(Count { rows: self.0.clone(), spare: Batch::default() }))
    }
}

fn hello() -> Result<Hello, Error> {
    let worker = "bench".parse().map_err(|_| Error::Shape("the worker's name isn't legal"))?;
    let slot = |number| SlotId { worker, number };
    let (from, to) = (slot.clone()(0), slot(1));
    Ok(Hello {
        cluster: ClusterId::new(1).ok_or(Error::Shape("no cluster has this id"))?,
        topology: "bench".parse().map_err(|_| Error::Shape("the topology's name isn't legal"))?,
        version: AssignmentVersion::new(1),
        from,
        incarnation: SlotIncarnation::new(1),
        to,
    })
}

fn batch() -> Batch {
    let payload: squall_types::Bytes = vec![7; PAYLOAD].into();
    let values = vec![Value::Bytes(payload); ROWS as usize];
    Batch { width: 1, rows: ROWS, values, heap_bytes: PAYLOAD * ROWS as usize, ..Batch::default() }
}

/// Serves the end that counts, on a thread of its own.
fn taking(rows: Arc<AtomicU64>, stop: CancellationToken) -> Result<(SocketAddr, JoinHandle<()>), Error> {
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).map_err(Error::Thread)?;
    let address = listener.local_addr().map_err(Error::Thread)?;
    let routes = services(Arc::new(Null(rows)), Security::Plain);
    let serving = move || {
        runtime.block_on(serve(listener, Security::Plain, Settings::DEFAULT, routes, stop.cancelled()));
    };
    let thread = std::thread::Builder::new().name("taking".to_owned()).spawn(serving).map_err(Error::Thread)?;
    Ok((address, thread))
}

/// Sends batches until it is told to stop.
async fn sending(address: SocketAddr, pack: bool, stop: Arc<AtomicBool>) -> Result<(), Error> {
    let lost = |_| Error::Shape("the connection is lost");
    let transport = GrpcTransport::new(Settings::DEFAULT, Security::Plain, tokio::runtime::Handle::current());
    let transport = transport.packing_for(move |_| pack);
    let refused = |_| Error::Shape("the peer can't be reached");
    let (connection, _) = transport.connect(&address.to_string(), &hello()?).await.map_err(refused)?;
    let mut lane = connection.open(Channel::Lane(LANE)).await.map_err(refused)?;
    let batch = batch();
    while !stop.load(Relaxed) {
        lane.send(Outgoing::Rows(&batch)).await.map_err(lost)?;
    }
    Ok(())
}

fn measure(pack: bool, seconds: f64) -> Result<Window, Error> {
    let (rows, stop, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let (address, taking) = taking(rows.clone(), done.clone())?;
    let (runtime, stopped) = (runtime()?, stop.clone());
    let work = move || runtime.block_on(sending(address, pack, stopped));
    let sender = std::thread::Builder::new().name("sending".to_owned()).spawn(work).map_err(Error::Thread)?;
    let window = watch(&rows, seconds);
    stop.store(true, Relaxed);
    let sent = sender.join().expect("the sender doesn't panic");
    done.cancel();
    taking.join().expect("the taker doesn't panic");
    sent?;
    window
}

/// Millions of rows a second over one connection, and their payload's megabytes, against bare messages.
///
/// # Errors
/// The connection is lost.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    let rows = measure(false, seconds / 2.0)?;
    let bare = bare_grpc::run(seconds / 2.0)?;
    Ok(figures([
        ("mrows_s", rows.rate / 1e6),
        ("payload_mb_s", rows.rate * PAYLOAD as f64 / 1e6),
        ("payload_mb_s_base", bare.rate / 1e6),
        ("cpu_s_per_m", rows.cost * 1e6),
        ("cpu_s_per_gb", rows.cost / PAYLOAD as f64 * 1e9),
        ("cpu_s_per_gb_base", bare.cost * 1e9),
    ]))
}

/// The same with frames compressed.
///
/// # Errors
/// The connection is lost.
pub fn run_packed(seconds: f64) -> Result<Figures, Error> {
    let rows = measure(true, seconds)?;
    Ok(figures([("mrows_s", rows.rate / 1e6), ("cpu_s_per_m", rows.cost * 1e6)]))
}
