//! The network between masters, which a test can break: a proxy in front of each master, and masters are told the proxies' addresses.
//!
//! Who connects is found out from the kernel's tables, so a line can be broken between two masters and stay whole for others and for
//! clients.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::sockets;

/// How the line from one master to another is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// Whole.
    #[default]
    Open,
    /// Everything takes so much longer, each way.
    Slow(Duration),
    /// Nothing comes through, either way, and nobody is told; what was sent arrives when the line is whole again.
    Cut,
    /// What the caller sends doesn't arrive; what it is sent does.
    CutForth,
    /// What the caller is sent doesn't arrive; what it sends does.
    CutBack,
    /// The called side sees the end of the connection, the caller doesn't.
    HalfOpen,
    /// Connections end, new ones too, at both sides.
    Refused,
}

/// All that proxies go by.
#[derive(Clone, Debug, Default)]
struct Rules {
    /// By caller and called. What isn't here is open.
    lines: BTreeMap<(usize, usize), Line>,
    /// Where each master listens while it runs.
    masters: BTreeMap<usize, Running>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    pid: u32,
    address: SocketAddr,
}

impl Rules {
    fn line(&self, way: Way) -> Line {
        way.from.and_then(|from| self.lines.get(&(from, way.to))).copied().unwrap_or_default()
    }
}

/// Who calls whom; a client isn't known.
#[derive(Clone, Copy, Debug)]
struct Way {
    from: Option<usize>,
    to: usize,
}

/// The proxies. They end when it is dropped.
#[derive(Debug)]
pub struct Network {
    rules: watch::Sender<Rules>,
    addresses: Vec<SocketAddr>,
    callers: Callers,
    proxies: JoinSet<()>,
}

impl Network {
    /// A proxy for each of so many masters, at ports from the kernel.
    ///
    /// # Errors
    /// If a port can't be had.
    pub async fn new(masters: usize) -> io::Result<Self> {
        let mut network = Self::without_proxies(Vec::new());
        for _ in 0..masters {
            network.add().await?;
        }
        Ok(network)
    }

    /// One more proxy, for one more master; returns its number.
    ///
    /// # Errors
    /// If a port can't be had.
    pub async fn add(&mut self) -> io::Result<usize> {
        let (to, listener) = (self.addresses.len(), TcpListener::bind("127.0.0.1:0").await?);
        self.addresses.push(listener.local_addr()?);
        self.proxies.spawn(accept(listener, to, self.rules.subscribe(), self.callers.clone()));
        Ok(to)
    }

    fn without_proxies(addresses: Vec<SocketAddr>) -> Self {
        let rules = watch::Sender::new(Rules::default());
        let callers = Callers::of(rules.subscribe());
        Self { rules, addresses, callers, proxies: JoinSet::new() }
    }

    /// Addresses for so many masters to listen at themselves: nothing can be broken, and nothing is in the way.
    ///
    /// # Errors
    /// If a port can't be had.
    pub async fn direct(masters: usize) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for _ in 0..masters {
            listeners.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        // All at once, so that no two are the same; they are free again when this returns.
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        Ok(Self::without_proxies(addresses))
    }

    /// Whether masters listen at their addresses themselves.
    pub fn is_direct(&self) -> bool {
        self.proxies.is_empty()
    }

    /// Where a master is reached.
    pub fn address(&self, master: usize) -> SocketAddr {
        self.addresses[master]
    }

    /// A master runs, as this process, and listens there.
    pub fn runs(&self, master: usize, pid: u32, address: SocketAddr) {
        self.rules.send_modify(|rules| {
            rules.masters.insert(master, Running { pid, address });
        });
    }

    /// A master has ended.
    pub fn ended(&self, master: usize) {
        self.rules.send_modify(|rules| {
            rules.masters.remove(&master);
        });
    }

    /// From now on the line from one master to another is like this.
    pub fn set(&self, from: usize, to: usize, line: Line) {
        self.rules.send_modify(|rules| {
            rules.lines.insert((from, to), line);
        });
    }

    /// From now on all lines between these masters and the others are like this, whoever calls.
    pub fn between(&self, some: &[usize], line: Line) {
        let others = || (0..self.addresses.len()).filter(|it| !some.contains(it));
        for (one, other) in some.iter().flat_map(|one| others().map(move |other| (*one, other))) {
            self.set(one, other, line);
            self.set(other, one, line);
        }
    }

    /// Every line is whole.
    pub fn heal(&self) {
        self.rules.send_modify(|rules| rules.lines.clear());
    }
}

async fn accept(listener: TcpListener, to: usize, rules: watch::Receiver<Rules>, callers: Callers) {
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (rules, callers) = (rules.clone(), callers.clone());
        connections.spawn(async move {
            let from = callers.who(peer).await;
            serve(stream, Way { from, to }, rules).await;
        });
    }
}

/// Finds out who connects. The kernel's tables are long, so they are read once for all that wait, and never twice at the same time.
#[derive(Clone, Debug)]
struct Callers(mpsc::UnboundedSender<(SocketAddr, oneshot::Sender<Option<usize>>)>);

impl Callers {
    fn of(rules: watch::Receiver<Rules>) -> Self {
        let (asked, mut waiting) = mpsc::unbounded_channel::<(SocketAddr, oneshot::Sender<Option<usize>>)>();
        // Ends with the last proxy.
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, usize::MAX).await > 0 {
                let masters = rules.borrow().masters.clone();
                let pids: Vec<_> = masters.values().map(|it| it.pid).collect();
                let Ok(owners) = tokio::task::spawn_blocking(move || sockets::owners(&pids)).await else { return };
                for (peer, answer) in batch.drain(..) {
                    let owner = owners.get(&peer.port());
                    let master = owner.and_then(|pid| masters.iter().find(|(_, it)| it.pid == *pid));
                    // Whose connection has ended meanwhile doesn't matter.
                    let _ = answer.send(master.map(|(master, _)| *master));
                }
            }
        });
        Self(asked)
    }

    /// The master that connects from there; none, if it is a client.
    async fn who(&self, peer: SocketAddr) -> Option<usize> {
        let (answer, answered) = oneshot::channel();
        self.0.send((peer, answer)).ok()?;
        answered.await.ok()?
    }
}

/// Carries one connection until either side ends it or the line does.
async fn serve(caller: TcpStream, way: Way, mut rules: watch::Receiver<Rules>) {
    let Some(called) = reach(way, &mut rules).await else { return };
    // Small messages are not to wait for more.
    let _ = (caller.set_nodelay(true), called.set_nodelay(true));
    let ((from_caller, to_caller), (from_called, to_called)) = (caller.into_split(), called.into_split());
    let forth = pump(from_caller, to_called, way, Direction::Forth, rules.clone());
    let back = pump(from_called, to_caller, way, Direction::Back, rules.clone());
    tokio::select! {
        _ = forth => {}
        _ = back => {}
        () = broken(way, &mut rules) => {}
    }
}

/// Connects to the called side once the line lets it. `None`: it can't be reached.
async fn reach(way: Way, rules: &mut watch::Receiver<Rules>) -> Option<TcpStream> {
    let seen =
        rules.wait_for(|rules| !matches!(rules.line(way), Line::Cut | Line::CutForth | Line::CutBack | Line::HalfOpen));
    let address = {
        let seen = seen.await.ok()?;
        if seen.line(way) == Line::Refused {
            return None;
        }
        seen.masters.get(&way.to)?.address
    };
    TcpStream::connect(address).await.ok()
}

/// Returns once the line refuses connections.
async fn broken(way: Way, rules: &mut watch::Receiver<Rules>) {
    // The sender is gone: the test is over.
    let _ = rules.wait_for(|rules| rules.line(way) == Line::Refused).await;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forth,
    Back,
}

impl Direction {
    /// Whether a line lets bytes through this way.
    fn passes(self, line: Line) -> bool {
        match line {
            Line::Open | Line::Slow(_) | Line::Refused => true,
            Line::Cut | Line::HalfOpen => false,
            Line::CutForth => self == Self::Back,
            Line::CutBack => self == Self::Forth,
        }
    }
}

/// Carries bytes one way until there are no more.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    direction: Direction,
    mut rules: watch::Receiver<Rules>,
) -> Option<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let taken = tokio::select! {
            taken = from.read(&mut buffer) => taken.ok()?,
            () = halved(way, direction, &mut rules) => {
                // The called side's halves go with this; the caller hears nothing until the line is another.
                drop(to);
                let _ = rules.wait_for(|rules| rules.line(way) != Line::HalfOpen).await;
                return None;
            }
        };
        if taken == 0 {
            // Nor does the caller hear of the called side's end while the line is half open.
            let _ = rules.wait_for(|rules| rules.line(way) != Line::HalfOpen).await;
            return None;
        }
        let line = rules.wait_for(|rules| direction.passes(rules.line(way))).await.ok()?.line(way);
        if let Line::Slow(by) = line {
            tokio::time::sleep(by).await;
        }
        to.write_all(&buffer[..taken]).await.ok()?;
    }
}

/// Returns once the line is half open; only the way that ends at the called side looks.
async fn halved(way: Way, direction: Direction, rules: &mut watch::Receiver<Rules>) {
    if direction == Direction::Back || rules.wait_for(|rules| rules.line(way) == Line::HalfOpen).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::until;

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(80);

    /// Two masters, both this process: 0 calls 1 through its proxy.
    struct Pair {
        network: Network,
        caller: TcpStream,
        called: TcpStream,
        listener: TcpListener,
    }

    async fn pair() -> Pair {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = Network::new(2).await.unwrap();
        let own = std::process::id();
        network.runs(0, own, "127.0.0.1:1".parse().unwrap());
        network.runs(1, 0, listener.local_addr().unwrap());
        let (caller, accepted) = tokio::join!(TcpStream::connect(network.address(1)), listener.accept());
        Pair { network, caller: caller.unwrap(), called: accepted.unwrap().0, listener }
    }

    async fn arrives(from: &mut TcpStream, to: &mut TcpStream, byte: u8) -> bool {
        from.write_all(&[byte]).await.unwrap();
        let mut got = [0];
        let read = tokio::time::timeout(SHORT, to.read_exact(&mut got)).await;
        read.is_ok_and(|read| read.is_ok()) && got == [byte]
    }

    #[tokio::test]
    async fn an_open_line_carries_bytes_both_ways_and_their_end() {
        let mut pair = pair().await;
        assert!(arrives(&mut pair.caller, &mut pair.called, 1).await);
        assert!(arrives(&mut pair.called, &mut pair.caller, 2).await);
        drop(pair.called);
        assert_eq!(tokio::time::timeout(LONG, pair.caller.read(&mut [0])).await.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_cut_line_carries_nothing_until_it_is_healed() {
        let mut pair = pair().await;
        pair.network.between(&[0], Line::Cut);
        assert!(!arrives(&mut pair.caller, &mut pair.called, 1).await);
        pair.network.heal();
        let mut got = [0];
        tokio::time::timeout(LONG, pair.called.read_exact(&mut got)).await.unwrap().unwrap();
        assert_eq!(got, [1]);
    }

    #[tokio::test]
    async fn a_line_can_be_cut_one_way() {
        let mut pair = pair().await;
        pair.network.set(0, 1, Line::CutForth);
        assert!(!arrives(&mut pair.caller, &mut pair.called, 1).await);
        assert!(arrives(&mut pair.called, &mut pair.caller, 2).await);
        pair.network.set(0, 1, Line::CutBack);
        assert!(!arrives(&mut pair.called, &mut pair.caller, 3).await);
    }

    #[tokio::test]
    async fn a_slow_line_takes_its_time() {
        let mut pair = pair().await;
        pair.network.set(0, 1, Line::Slow(Duration::from_millis(200)));
        let start = std::time::Instant::now();
        pair.caller.write_all(&[1]).await.unwrap();
        pair.called.read_exact(&mut [0]).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(200));
    }

    #[tokio::test]
    async fn a_half_open_line_ends_at_the_called_side_alone() {
        let mut pair = pair().await;
        pair.network.set(0, 1, Line::HalfOpen);
        assert_eq!(tokio::time::timeout(LONG, pair.called.read(&mut [0])).await.unwrap().unwrap(), 0);
        assert!(tokio::time::timeout(SHORT, pair.caller.read(&mut [0])).await.is_err());
    }

    #[tokio::test]
    async fn a_refused_line_ends_connections_and_takes_no_new_ones() {
        let mut pair = pair().await;
        pair.network.set(0, 1, Line::Refused);
        assert!(!matches!(tokio::time::timeout(LONG, pair.caller.read(&mut [0])).await.unwrap(), Ok(1..)));
        let mut again = TcpStream::connect(pair.network.address(1)).await.unwrap();
        assert!(!matches!(tokio::time::timeout(LONG, again.read(&mut [0])).await.unwrap(), Ok(1..)));
    }

    #[tokio::test]
    async fn clients_are_not_masters_and_their_lines_stay_whole() {
        let pair = pair().await;
        pair.network.ended(0);
        pair.network.between(&[0], Line::Cut);
        let address = pair.network.address(1);
        let met = || async { TcpStream::connect(address).await };
        let _client = until("a connection", LONG, met).await;
        tokio::time::timeout(LONG, pair.listener.accept()).await.unwrap().unwrap();
    }
}
