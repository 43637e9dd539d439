//! Rows from a spout in one slot to a bolt in another, over one connection: as [`null`](crate::null), between two slots.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use squall::{
    Bolt, Bytes, Collector, Declarer, Delivery, Monitor, Next, Options, Program, Result, Spout, SpoutCollector,
    Timestamp,
};
use squall::{TopologyBuilder, Tuple};
use squall_runtime::transport::grpc::{GrpcTransport, Security, Settings, serve, services};
use squall_runtime::{Membership, Slot};
use squall_types::TaskId;
use squall_types::cluster::{AssignmentVersion, ClusterId, ExecutorId, Peer, Placement, SlotId, SlotIncarnation};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::bare_grpc;
use crate::carriage::{PAYLOAD, runtime};
use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::cpu_seconds;
use crate::rows::{Const, Null};
use crate::tally::Tally;

const WARM_UP: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// A row of a hundred bytes.
#[derive(Tuple)]
struct Load {
    bytes: Bytes,
}

struct Source {
    sends: Const,
    bytes: Bytes,
}

impl Spout for Source {
    type Id = u64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Load>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        self.sends.send(out, || Load { bytes: self.bytes.clone() })
    }
}

struct Sink(Null);

impl Bolt for Sink {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        black_box(tuple.read::<Load>()?.bytes.len());
        self.0.count();
        Ok(())
    }

    fn watermark(&mut self, to: Timestamp, out: &mut Collector<'_>) -> Result {
        self.0.watermark(to, out)
    }
}

fn program(delivery: Delivery, tally: &Tally) -> std::result::Result<Program, Error> {
    let (sends, takes) = (tally.clone(), tally.clone());
    let mut topology = TopologyBuilder::new("remote");
    topology.delivery(delivery);
    let source = move || Source { sends: Const::new(sends.clone()), bytes: vec![7; PAYLOAD].into() };
    topology.spout("const", source);
    topology.bolt("null", move || Sink(Null::new(takes.clone()))).global("const");
    Ok(topology.build()?)
}

/// One of the two slots: the spout's, or the bolt's.
fn slot(number: u16) -> std::result::Result<SlotId, Error> {
    let worker = "bench".parse().map_err(|_| Error::Shape("the worker's name isn't legal"))?;
    Ok(SlotId { worker, number })
}

/// Where each of the two slots listens, and that each runs one of the two tasks.
fn placement(listeners: &[TcpListener; 2]) -> std::result::Result<Placement, Error> {
    let mut slots = BTreeMap::new();
    for (number, listener) in (0_u16..).zip(listeners) {
        let task = TaskId::new(number + 1);
        let peer = Peer {
            executors: [ExecutorId { first: task, last: task }].into(),
            zone: String::new(),
            incarnation: Some(SlotIncarnation::new(1)),
            address: Some(listener.local_addr().map_err(Error::Thread)?.to_string()),
        };
        slots.insert(slot(number)?, peer);
    }
    Ok(Placement { version: AssignmentVersion::new(1), slots })
}

/// Runs a slot until it is told to end. Its figures can be read meanwhile.
async fn host(
    program: Program,
    membership: impl FnOnce() -> std::result::Result<Membership, Error>,
    listener: TcpListener,
    running: oneshot::Sender<Monitor>,
    stop: CancellationToken,
) -> std::result::Result<(), Error> {
    let slot = Slot::join(&program, &Options { cores: 1, ..Options::default() }, membership()?).await?;
    let acceptor = slot.acceptor().ok_or(Error::Shape("a slot among others lets nobody in"))?;
    listener.set_nonblocking(true).map_err(Error::Thread)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(Error::Thread)?;
    slot.activate();
    // Who waits for it has given up only if the bench has.
    let _ = running.send(slot.monitor());
    serve(listener, Security::Plain, Settings::DEFAULT, services(acceptor, Security::Plain), stop.cancelled()).await;
    slot.kill().await;
    Ok(())
}

type Hosting = JoinHandle<std::result::Result<(), Error>>;

/// Starts a slot on a thread of its own.
fn start(
    number: u16,
    program: Program,
    placement: Placement,
    listener: TcpListener,
    stop: CancellationToken,
) -> std::result::Result<(Hosting, oneshot::Receiver<Monitor>), Error> {
    let (own, runtime) = (slot(number)?, runtime()?);
    let (running, ran) = oneshot::channel();
    let membership = move || {
        Ok(Membership {
            cluster: ClusterId::new(1).ok_or(Error::Shape("no cluster has this id"))?,
            topology: "remote".parse().map_err(|_| Error::Shape("the topology's name isn't legal"))?,
            own,
            incarnation: SlotIncarnation::new(1),
            placement,
            transport: std::sync::Arc::new(GrpcTransport::new(Settings::DEFAULT, Security::Plain, Handle::current())),
        })
    };
    let work = move || runtime.block_on(host(program, membership, listener, running, stop));
    let thread = std::thread::Builder::new().name(format!("host-{number}")).spawn(work).map_err(Error::Thread)?;
    Ok((thread, ran))
}

/// Millions of rows a second that reach the other slot, and their payload's megabytes, against bare messages of 64 KiB.
///
/// # Errors
/// Not every row came.
pub fn run(delivery: Delivery, seconds: f64) -> std::result::Result<Figures, Error> {
    let (tally, stop) = (Tally::default(), CancellationToken::new());
    let bind = || TcpListener::bind("127.0.0.1:0").map_err(Error::Thread);
    let listeners = [bind()?, bind()?];
    let placement = placement(&listeners)?;
    let (mut hosts, mut monitors) = (Vec::new(), Vec::new());
    for (number, listener) in (0..).zip(listeners) {
        let program = program(delivery, &tally)?;
        let (thread, monitor) = start(number, program, placement.clone(), listener, stop.clone())?;
        hosts.push(thread);
        monitors.push(monitor.blocking_recv().map_err(|_| Error::Shape("a slot didn't start"))?);
    }
    let executed = || monitors[1].snapshot().component("null").map_or(0, |it| it.total.executed);
    std::thread::sleep(WARM_UP);
    let (before, cpu_s, begun) = (executed(), cpu_seconds()?, Instant::now());
    std::thread::sleep(Duration::from_secs_f64(seconds / 2.0));
    let (millions, cpu_s) = ((executed() - before) as f64 / 1e6, cpu_seconds()? - cpu_s);
    let rate = millions / begun.elapsed().as_secs_f64();
    tally.stop();
    let until = Instant::now() + PATIENCE;
    while tally.check("rows").is_err() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    stop.cancel();
    for host in hosts {
        host.join().expect("a host doesn't panic")?;
    }
    tally.check("rows")?;
    let bare = bare_grpc::run(seconds / 2.0)?;
    Ok(figures([
        ("mrows_s", rate),
        ("payload_mb_s", rate * PAYLOAD as f64),
        ("payload_mb_s_base", bare.rate / 1e6),
        ("cpu_s_per_m", cpu_s / millions),
    ]))
}
