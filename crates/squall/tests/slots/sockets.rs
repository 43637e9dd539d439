//! Slots that reach each other over gRPC, on loopback: the promises hold over real connections too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall::{Next, Program, Slot, SpoutCollector, TopologyBuilder, Value};
use squall_runtime::transport::grpc::{GrpcTransport, Security, Settings, serve, services};
use squall_runtime::{Look, Membership};
use squall_types::cluster::{ClusterId, Placement, SlotIncarnation, TopologyName};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::cluster::*;
use crate::common::*;
use crate::replays::*;

struct Member {
    slot: Slot,
    serving: JoinHandle<()>,
}

struct Sockets {
    program: Program,
    placement: Placement,
    members: BTreeMap<usize, Member>,
}

impl Sockets {
    async fn start(topology: TopologyBuilder, slots: usize, place: &Place) -> Self {
        let program = topology.build().expect("the topology is valid");
        let mut placement = place_all(&program, 1, place);
        let mut listeners = Vec::new();
        for number in 0..slots {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
            let peer = placement.slots.get_mut(&slot_id(number)).expect("all slots are placed");
            peer.address = Some(listener.local_addr().expect("it listens").to_string());
            listeners.push(listener);
        }
        let mut sockets = Self { program, placement, members: BTreeMap::new() };
        for (number, listener) in listeners.into_iter().enumerate() {
            sockets.start_slot(number, 1, listener).await;
        }
        sockets
    }

    async fn start_slot(&mut self, number: usize, incarnation: u64, listener: TcpListener) {
        let (own, incarnation) = (slot_id(number), SlotIncarnation::new(incarnation));
        self.placement.slots.get_mut(&own).expect("all slots are placed").incarnation = Some(incarnation);
        let membership = Membership {
            cluster: ClusterId::new(7).expect("not 0"),
            topology: TopologyName::new("t").expect("legal"),
            own,
            incarnation,
            placement: self.placement.clone(),
            transport: Arc::new(GrpcTransport::new(Settings::DEFAULT, Security::Plain, Handle::current())),
        };
        let slot = Slot::join(&self.program, &two_cores(), membership).await.expect("the slot starts");
        let routes = services(slot.acceptor().expect("it has peers"), Security::Plain);
        let never = std::future::pending();
        let serving = tokio::spawn(serve(listener, Security::Plain, Settings::DEFAULT, routes, never));
        self.members.insert(number, Member { slot, serving });
    }

    /// Ends a slot as if its process were killed. Its port can be listened on again.
    async fn kill(&mut self, number: usize) {
        let member = self.members.remove(&number).expect("it runs");
        member.serving.abort();
        assert!(member.serving.await.is_err(), "it was under way");
        member.slot.kill().await;
    }

    fn slot(&self, number: usize) -> &Slot {
        &self.members[&number].slot
    }

    async fn at_rest(&self) {
        let looks = || self.members.values().map(|member| member.slot.look()).collect::<Vec<_>>();
        let mut before = looks();
        until("it comes to rest", || {
            let now = looks();
            let rests = Look::at_rest(&before, &now);
            before = now;
            rests
        })
        .await;
    }
}

#[tokio::test]
async fn every_tuple_crosses_sockets_once_and_every_root_is_acked() {
    const ROWS: i64 = 30_000;
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, ROWS)).parallelism(3);
    topology.bolt("pass", || Pass).parallelism(3).shuffle("s");
    topology.bolt("end", sink(&log)).parallelism(3).fields("pass", ["n"]);
    let sockets = Sockets::start(topology, 3, &spread(3)).await;
    until("all is acked", || fates.acked.len() == 3 * ROWS as usize).await;
    sockets.at_rest().await;
    assert!((0..3).all(|number| sockets.slot(number).traffic().rows_sent > 0));
    assert!(takers(&log).values().all(|tasks| tasks.len() == 3 && tasks.windows(2).all(|pair| pair[0] == pair[1])));
    assert_eq!(log.len(), 3 * ROWS as usize);
    for member in sockets.members.into_values() {
        let books = member.slot.drain(LONG).await;
        assert_eq!((books.acked, books.failed, books.lost, books.left), (ROWS as u64, 0, 0, 0), "{books:?}");
    }
}

#[tokio::test]
async fn what_was_lost_with_a_killed_slot_fails_at_once_and_its_next_life_makes_it_good() {
    const ROWS: usize = 20_000;
    let (told, log) = (Arc::<Told>::default(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.message_timeout(Duration::from_secs(600)).max_spout_pending(500);
    topology.spout("s", replays(&told, ROWS as i64));
    topology.bolt("pass", || Pass).fields("s", ["n"]);
    topology.bolt("end", sink(&log)).fields("pass", ["n"]);
    let mut sockets = Sockets::start(topology, 3, &by_component(&[("s", 0), ("pass", 1), ("end", 2)])).await;
    let began = Instant::now();
    for life in 2..5 {
        let (acked, victim) = (told.acked.len(), 1 + life as usize % 2);
        until("rows flow", || told.acked.len() > acked + 2_000).await;
        let address = sockets.placement.slots[&slot_id(victim)].address.clone().expect("it listened");
        sockets.kill(victim).await;
        let listener = TcpListener::bind(&address).await.expect("nobody else has the port");
        sockets.start_slot(victim, life, listener).await;
    }
    until("all is made good", || told.acked.len() >= ROWS && told.done() == ROWS).await;
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(sockets.slot(0).books().timed_out, 0);
    let arrived = numbers(&log);
    assert!(told.acked.all().iter().all(|n| arrived.binary_search(n).is_ok()), "what was acked has arrived");
}

/// A list in a list, and so on.
fn nested(levels: i64) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner].into()))
}

#[tokio::test]
async fn large_tuples_cross_in_parts_and_what_no_frame_can_hold_fails_at_once() {
    const ROWS: i64 = 40;
    let (fates, log) = (Fates::new(), Log::new());
    let mut n = 0;
    // Each tenth nests too deep; the others are of 100 kB.
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        if n == ROWS {
            return Ok(Next::Done);
        }
        n += 1;
        let load = if n % 10 == 0 { nested(70) } else { Value::Bytes(vec![7; 100_000].into()) };
        out.emit_with(n, (n, load));
        Ok(Next::More)
    };
    let mut topology = TopologyBuilder::new("t");
    topology.message_timeout(Duration::from_secs(600));
    topology.spout("s", from(&fates, &[("default", &["n", "load"], false)], next));
    topology.bolt("end", sink(&log)).shuffle("s");
    let sockets = Sockets::start(topology, 2, &by_component(&[("s", 0), ("end", 1)])).await;
    until("all is told", || fates.acked.len() + fates.failed.len() == ROWS as usize).await;
    assert_eq!(fates.failed_ids(), [10, 20, 30, 40]);
    sockets.at_rest().await;
    let traffic = sockets.slot(0).traffic();
    assert_eq!((traffic.rows_sent, traffic.rows_lost), (36, 4));
    assert_eq!(numbers(&log).len(), 36);
}
