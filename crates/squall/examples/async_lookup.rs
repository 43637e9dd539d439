//! A bolt that awaits: each user's country is asked of a server, over TCP, with up to 200 questions under way at a time.
//!
//! The server is part of the example; it takes 5 ms for an answer. 2,000 questions one after another would take ten seconds.
//!
//! `cargo run --example async_lookup`

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use squall::{
    AsyncBolt, AsyncCollector, Bolt, Collector, Declarer, Next, OwnedTuple, Result, Spout, SpoutCollector, Timestamp,
    TopologyBuilder, Tuple,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

#[derive(Tuple)]
struct Visit {
    user: i64,
}

#[derive(Tuple)]
struct Located<'a> {
    user: i64,
    country: &'a str,
}

/// Emits 2,000 visits.
#[derive(Default)]
struct Visits {
    user: i64,
}

impl Spout for Visits {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Visit>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        for _ in 0..out.room() {
            if self.user == 2_000 {
                return Ok(Next::Done);
            }
            self.user += 1;
            out.emit_with(self.user, Visit { user: self.user });
        }
        Ok(Next::More)
    }
}

/// Asks the server for each visit. Many calls are under way at a time, so connections that are free are kept for the next call.
struct Locate {
    server: SocketAddr,
    free: Mutex<Vec<BufStream<TcpStream>>>,
}

impl Locate {
    fn new(server: SocketAddr) -> Self {
        Self { server, free: Mutex::default() }
    }

    async fn ask(&self, user: i64) -> std::io::Result<String> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match free {
            Some(connection) => connection,
            None => BufStream::new(TcpStream::connect(self.server).await?),
        };
        connection.write_all(format!("{user}\n").as_bytes()).await?;
        connection.flush().await?;
        let mut country = String::new();
        connection.read_line(&mut country).await?;
        // A connection that failed was dropped on the way here.
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(country.trim_end().to_owned())
    }
}

impl AsyncBolt for Locate {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Located>();
    }

    async fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> Result {
        let visit: Visit = tuple.view().read()?;
        let country = self.ask(visit.user).await?;
        out.emit(Located { user: visit.user, country: &country });
        Ok(())
    }
}

/// Counts visits by country, and prints the counts at the end.
#[derive(Default)]
struct Countries {
    visits: BTreeMap<String, u64>,
}

impl Bolt for Countries {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        let row: Located = tuple.read()?;
        *self.visits.entry(row.country.to_owned()).or_default() += 1;
        Ok(())
    }

    fn watermark(&mut self, watermark: Timestamp, _: &mut Collector<'_>) -> Result {
        if watermark == Timestamp::MAX {
            for (country, visits) in &self.visits {
                println!("{country}: {visits} visits");
            }
        }
        Ok(())
    }
}

/// A server that says where a user is, on a thread of its own.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || runtime.block_on(serve(listener, stopped)));
        Ok(Self { address, stop, thread })
    }

    fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            eprintln!("the server panicked");
        }
    }
}

async fn serve(listener: TcpListener, mut stopped: oneshot::Receiver<()>) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(clients.spawn(answer(client))),
                Err(error) => return eprintln!("the server takes no more clients: {error}"),
            },
        }
    }
}

/// Answers a line for a line, until the client has gone.
async fn answer(client: TcpStream) -> std::io::Result<()> {
    const COUNTRIES: [&str; 3] = ["Chile", "Kenya", "Norway"];
    let mut client = BufStream::new(client);
    let mut line = String::new();
    while client.read_line(&mut line).await? > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let user: usize = line.trim_end().parse().unwrap_or(0);
        client.write_all(format!("{}\n", COUNTRIES[user % COUNTRIES.len()]).as_bytes()).await?;
        client.flush().await?;
        line.clear();
    }
    Ok(())
}

fn main() -> ExitCode {
    let server = match Server::start() {
        Ok(server) => server,
        Err(error) => {
            eprintln!("the example's server can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let address = server.address;
    let mut topology = TopologyBuilder::new("lookup");
    topology.spout("visits", Visits::default);
    topology.async_bolt("locate", move || Locate::new(address)).in_flight(200).shuffle("visits");
    topology.bolt("countries", Countries::default).global("locate");
    let code = squall::main(topology);
    server.stop();
    code
}
