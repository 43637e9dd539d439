//! Masters as real processes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::{Master, MasterRole, MastersRequest, MastersResponse};
use squall_types::cluster::UnixMillis;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::client::{Client, Refused};
use crate::{Daemon, Network, Rng, binary, sockets, until};

/// How long anything may take that a cluster does by itself.
pub const SOON: Duration = Duration::from_secs(30);
/// How much of each master's log is shown when a test fails.
const SHOWN: usize = 40;

/// Masters, and the network between them. All are killed when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    network: Network,
    running: Vec<Option<Daemon>>,
    /// Those of the list that each is given; later ones are added.
    founders: usize,
    dir: TempDir,
    binary: PathBuf,
}

impl Cluster {
    /// So many masters that have formed a cluster, behind proxies.
    ///
    /// # Panics
    /// If they don't.
    pub async fn start(masters: usize) -> Self {
        Self::start_with(binary::squall(), masters).await
    }

    /// The same of this program.
    ///
    /// # Panics
    /// If they don't form a cluster.
    pub async fn start_with(binary: PathBuf, masters: usize) -> Self {
        let network = Network::new(masters).await.expect("loopback has free ports");
        let dir = tempfile::tempdir().expect("there is room for a folder");
        Self::form(binary, network, dir, masters).await
    }

    /// The same of this program, with nothing between them and their data in this folder: to be measured.
    ///
    /// # Panics
    /// If they don't form a cluster.
    pub async fn start_direct(binary: PathBuf, dir: TempDir, masters: usize) -> Self {
        let network = Network::direct(masters).await.expect("loopback has free ports");
        Self::form(binary, network, dir, masters).await
    }

    async fn form(binary: PathBuf, network: Network, dir: TempDir, masters: usize) -> Self {
        let running = (0..masters).map(|_| None).collect();
        let mut cluster = Self { network, running, founders: masters, dir, binary };
        for master in 0..masters {
            cluster.launch(master);
        }
        for master in 0..masters {
            cluster.listens(master).await;
        }
        cluster.formed().await;
        cluster
    }

    /// Starts one more master, on an empty disk, and returns its number. It is in nobody's list but its own.
    ///
    /// # Panics
    /// If it doesn't listen.
    pub async fn grow(&mut self) -> usize {
        let master = self.network.add().await.expect("loopback has free ports");
        self.running.push(None);
        self.run(master).await;
        master
    }

    /// The network between them.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How many masters there are.
    pub fn size(&self) -> usize {
        self.running.len()
    }

    /// What a master is called.
    pub fn name(master: usize) -> String {
        format!("m-{master}")
    }

    /// Where a master keeps its data.
    pub fn data_dir(&self, master: usize) -> PathBuf {
        self.dir.path().join(Self::name(master))
    }

    /// A channel to a master; it connects again by itself.
    pub fn channel(&self, master: usize) -> Channel {
        channel(self.network.address(master))
    }

    /// Channels to all masters.
    pub fn channels(&self) -> Vec<Channel> {
        (0..self.size()).map(|master| self.channel(master)).collect()
    }

    /// A client of all masters, that gives up after `patience`.
    pub fn client(&self, seed: u64, patience: Duration) -> Client {
        Client::new(self.channels(), Rng::new(seed), patience, now)
    }

    /// A master's process.
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn pid(&self, master: usize) -> u32 {
        self.daemon(master).pid()
    }

    /// Starts a master's process, and returns without waiting for anything.
    ///
    /// # Panics
    /// If it runs, or can't be started.
    pub fn launch(&mut self, master: usize) {
        assert!(self.running[master].is_none(), "master {master} runs");
        let log = self.log(master);
        let mut command = self.command(master);
        self.running[master] = Some(Daemon::start(&mut command, &log).expect("the program starts"));
    }

    /// Starts a master and waits until it listens.
    ///
    /// # Panics
    /// If it doesn't.
    pub async fn run(&mut self, master: usize) {
        self.launch(master);
        self.listens(master).await;
    }

    /// Kills a master (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn kill(&mut self, master: usize) {
        self.network.ended(master);
        let daemon = self.running[master].take().expect("it runs");
        daemon.kill().expect("a child can be waited for");
    }

    /// Stops a master's process where it is (SIGSTOP).
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn pause(&self, master: usize) {
        self.daemon(master).signal(Signal::STOP).expect("it runs");
    }

    /// Lets a paused master go on (SIGCONT).
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn resume(&self, master: usize) {
        self.daemon(master).signal(Signal::CONT).expect("it runs");
    }

    /// Asks a master to stop (SIGTERM).
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn terminate(&self, master: usize) {
        self.daemon(master).signal(Signal::TERM).expect("it runs");
    }

    /// Waits until a master has ended by itself, and says how.
    ///
    /// # Panics
    /// If it doesn't end.
    pub async fn ended(&mut self, master: usize, limit: Duration) -> ExitStatus {
        let daemon = self.running[master].as_mut().expect("it was started");
        let status = until("a master's end", limit, || {
            let ended = daemon.ended();
            async move { ended?.ok_or_else(|| io::Error::other("it runs")) }
        });
        let status = status.await;
        self.network.ended(master);
        self.running[master] = None;
        status
    }

    /// Takes a master's disk away. It must not run.
    ///
    /// # Panics
    /// If it runs or the disk can't be emptied.
    pub fn wipe(&self, master: usize) {
        assert!(self.running[master].is_none(), "master {master} runs");
        fs::remove_dir_all(self.data_dir(master)).expect("it has data");
    }

    /// The end of what a master has said, over all its lives.
    pub fn said(&self, master: usize) -> String {
        crate::daemon::tail(&self.log(master), 400)
    }

    /// How often a master has said that it is up, over all its lives.
    pub fn times_up(&self, master: usize) -> usize {
        crate::daemon::tail(&self.log(master), usize::MAX).matches("squall is up: ").count()
    }

    /// Who the masters are, as one of them answers.
    ///
    /// # Errors
    /// If it doesn't.
    pub async fn masters(&self, asked: usize) -> Result<MastersResponse, Refused> {
        let answer = ClusterClient::new(self.channel(asked)).masters(MastersRequest {}).await?;
        Ok(answer.into_inner())
    }

    /// Waits until one of these leads, as all of them say, and returns it.
    ///
    /// # Panics
    /// If they come to no agreement.
    pub async fn leader_of(&self, some: &[usize]) -> usize {
        until("one leader that all know", SOON, || self.agreed(some)).await
    }

    async fn agreed(&self, some: &[usize]) -> Result<usize, String> {
        let mut leaders = Vec::new();
        for master in some {
            let answer = self.masters(*master).await.map_err(|error| error.to_string())?;
            let leader = answer.masters.iter().find(|it| it.role() == MasterRole::Leader);
            if answer.stale {
                return Err(format!("master {master} has no quorum"));
            }
            leaders.push(leader.map(|it| it.name.clone()).ok_or("no leader is known")?);
        }
        let place = (0..self.size()).find(|it| Self::name(*it) == leaders[0]).ok_or("a stranger leads")?;
        if leaders.iter().all(|it| *it == leaders[0]) && some.contains(&place) {
            Ok(place)
        } else {
            Err(format!("leaders: {leaders:?}"))
        }
    }

    /// Waits until all masters run in one cluster and have applied the same.
    ///
    /// # Panics
    /// If they don't.
    pub async fn formed(&self) {
        let all: Vec<_> = (0..self.size()).collect();
        self.formed_of(&all).await;
    }

    /// Waits until these masters and no others are the cluster, all with a vote, and have applied the same.
    ///
    /// # Panics
    /// If they don't.
    pub async fn formed_of(&self, members: &[usize]) {
        until("all masters in one cluster, caught up", SOON, || self.level(members)).await;
    }

    async fn level(&self, members: &[usize]) -> Result<(), String> {
        let leader = self.agreed(members).await?;
        let answer = self.masters(leader).await.map_err(|error| error.to_string())?;
        let lagging = |it: &Master| !it.alive || it.lag > 0 || it.role() == MasterRole::Learner;
        let names: BTreeSet<_> = answer.masters.iter().map(|it| it.name.clone()).collect();
        match answer.masters.iter().find(|it| lagging(it)) {
            _ if names != members.iter().map(|it| Self::name(*it)).collect() => {
                Err(format!("the members are {names:?}"))
            }
            Some(lagging) => Err(format!("{} is behind: {lagging:?}", lagging.name)),
            None => Ok(()),
        }
    }

    fn daemon(&self, master: usize) -> &Daemon {
        self.running[master].as_ref().expect("it runs")
    }

    fn log(&self, master: usize) -> PathBuf {
        self.dir.path().join(Self::name(master)).with_extension("log")
    }

    fn command(&self, master: usize) -> Command {
        let later = Some(master).filter(|it| *it >= self.founders);
        let listed = (0..self.founders).chain(later).map(|it| self.network.address(it).to_string());
        let listen = if self.network.is_direct() { self.network.address(master) } else { ([127, 0, 0, 1], 0).into() };
        let mut command = Command::new(&self.binary);
        command.arg("master").current_dir(self.dir.path());
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SQUALL_")) {
            command.env_remove(variable);
        }
        command.env("SQUALL_NAME", Self::name(master));
        command.env("SQUALL_LISTEN", listen.to_string());
        command.env("SQUALL_ADVERTISE", self.network.address(master).to_string());
        command.env("SQUALL_MASTERS", listed.collect::<Vec<_>>().join(","));
        command.env("SQUALL_DATA_DIR", self.data_dir(master));
        command.env("SQUALL_HTTP_LISTEN", "");
        command
    }

    /// Waits until a master listens, and tells the network where.
    ///
    /// # Panics
    /// If it doesn't.
    pub async fn listens(&mut self, master: usize) {
        let pid = self.pid(master);
        let port = || async { sockets::listening(pid).first().copied().ok_or("it doesn't listen") };
        let port = until("a master that listens", SOON, port).await;
        self.network.runs(master, pid, SocketAddr::from(([127, 0, 0, 1], port)));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for master in 0..self.size() {
            let state = if self.running[master].is_some() { "runs" } else { "doesn't run" };
            let said = crate::daemon::tail(&self.log(master), SHOWN);
            eprintln!("---- {} {state}; it has said\n{said}", Self::name(master));
        }
    }
}

/// A channel to this address that connects when it is needed, again and again.
pub fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address is a URI's authority");
    endpoint.connect_timeout(Duration::from_secs(1)).connect_lazy()
}

/// The wall time.
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Changes one byte of a file.
///
/// # Errors
/// If the file is shorter, or can't be changed.
pub fn flip(file: &Path, at: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = fs::File::options().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 0x10], at)
}
