//! The configuration itself, typed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use squall_types::cluster::MasterName;

use super::host::HostPort;
use super::size::Size;

/// The port that masters listen on unless told otherwise.
pub const PORT: u16 = 7400;

/// All that a master is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterConfig {
    /// What it is called; unset, it is called after where it is reached.
    pub name: Option<MasterName>,
    /// Where it listens for gRPC.
    pub listen: SocketAddr,
    /// Where others reach it; unset, where it listens.
    pub advertise: Option<HostPort>,
    /// The masters that form the cluster, itself too; empty, it is a cluster of one.
    pub masters: Vec<HostPort>,
    /// Where it keeps what must survive it.
    pub data_dir: PathBuf,
    /// Whether it may be reached from other machines in plain text and without tokens.
    pub insecure: bool,
    /// For monitoring.
    pub http: Http,
    /// Its certificate.
    pub tls: Tls,
    /// Who may call it.
    pub tokens: Tokens,
    /// How it watches over workers.
    pub workers: Workers,
    /// What a client may ask for at most.
    pub limits: Limits,
    /// What it says, and how.
    pub log: Log,
}

/// What monitoring is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where `/metrics`, `/healthz` and `/readyz` are served; unset, nowhere.
    pub listen: Option<SocketAddr>,
}

/// The files of a certificate. All are set, or none is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificate in PEM, with those between it and the authority.
    pub cert: Option<PathBuf>,
    /// Its private key in PEM.
    pub key: Option<PathBuf>,
    /// The authority that signs for this cluster, in PEM.
    pub ca: Option<PathBuf>,
}

/// The files of a certificate, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate in PEM.
    pub cert: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
    /// The authority in PEM.
    pub ca: PathBuf,
}

/// Whether callers must show who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Unset: off loopback they must, unless `insecure` is set.
    pub required: Option<bool>,
}

/// How workers are watched over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// How often a worker beats, and is answered.
    pub heartbeat: Duration,
    /// How long a worker may be silent before it counts as dead.
    pub dead_after: Duration,
}

/// What one client may ask for, so that it harms only itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message.
    pub message: Size,
    /// The largest package.
    pub package: Size,
    /// The most calls open at once on one connection.
    pub streams: u32,
    /// The most requests under way at once, of all clients.
    pub in_flight: u32,
}

/// What is said on stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// The least severe that is said.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// How severe something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing is said.
    Off,
    /// What failed.
    Error,
    /// What needs attention.
    Warn,
    /// What happens.
    Info,
    /// What is done for it.
    Debug,
    /// All there is.
    Trace,
}

impl MasterConfig {
    /// The defaults, with this place for data.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            name: None,
            listen: SocketAddr::from(([127, 0, 0, 1], PORT)),
            advertise: None,
            masters: Vec::new(),
            data_dir: data_dir.into(),
            insecure: false,
            http: Http { listen: Some(SocketAddr::from(([127, 0, 0, 1], 7401))) },
            tls: Tls::default(),
            tokens: Tokens::default(),
            workers: Workers { heartbeat: Duration::from_millis(500), dead_after: Duration::from_secs(3) },
            limits: Limits { message: Size::mib(8), package: Size::mib(1_024), streams: 256, in_flight: 1_024 },
            log: Log { format: LogFormat::Text, level: LogLevel::Info },
        }
    }

    /// Where others reach it, given the address that it got when it bound [`MasterConfig::listen`].
    pub fn advertised(&self, bound: SocketAddr) -> HostPort {
        self.advertise.clone().unwrap_or_else(|| bound.into())
    }

    /// What it is called: unless it is given, the host where others reach it, with the port if that isn't the usual one.
    pub fn called(&self, bound: SocketAddr) -> MasterName {
        self.name.clone().unwrap_or_else(|| name_of(&self.advertised(bound)))
    }

    /// Whether callers must show a token or a certificate.
    pub fn wants_tokens(&self) -> bool {
        self.tokens.required.unwrap_or(!self.insecure && !self.is_loopback())
    }

    /// The certificate's files, if TLS is spoken.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        let Tls { cert, key, ca } = self.tls.clone();
        Some(TlsFiles { cert: cert?, key: key?, ca: ca? })
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback() && self.http.listen.is_none_or(|http| http.ip().is_loopback())
    }
}

fn name_of(address: &HostPort) -> MasterName {
    let host: String = address.host().chars().map(|char| if char == ':' { '-' } else { char }).collect();
    // A name starts with no hyphen: `::1`.
    let host = if host.starts_with(['-', '.']) { format!("host{host}") } else { host };
    let usual = address.port() == PORT;
    let host = &host[..host.len().min(120)];
    let name = if usual { host.to_owned() } else { format!("{host}-{}", address.port()) };
    MasterName::new(&name).expect("a host's letters are a name's, and it is short enough")
}

/// Where the data is, for what is kept there.
impl MasterConfig {
    /// The Raft log and the replicated state.
    pub fn log_file(&self) -> PathBuf {
        self.data_dir.join("raft.redb")
    }

    /// The packages.
    pub fn blobs_dir(&self) -> PathBuf {
        self.data_dir.join("blobs")
    }

    /// The folder itself.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_called_after_where_it_is_reached() {
        for (address, name) in [
            ("a:7400", "a"),
            ("master-1.example.org:7400", "master-1.example.org"),
            ("127.0.0.1:7500", "127.0.0.1-7500"),
            ("[::1]:7400", "host--1"),
            ("[2001:db8::1]:9", "2001-db8--1-9"),
        ] {
            assert_eq!(name_of(&address.parse().unwrap()).as_str(), name);
        }
        let long = format!("{}:9", "x".repeat(253)).parse().unwrap();
        assert_eq!(name_of(&long).as_str().len(), 122);
    }

    #[test]
    fn a_port_from_the_kernel_is_advertised_as_it_turned_out() {
        let mut config = MasterConfig::new("x");
        let bound = SocketAddr::from(([127, 0, 0, 1], 40_001));
        assert_eq!(config.advertised(bound).to_string(), "127.0.0.1:40001");
        assert_eq!(config.called(bound).as_str(), "127.0.0.1-40001");
        config.advertise = Some("a:7400".parse().unwrap());
        config.name = Some("first".parse().unwrap());
        assert_eq!(config.advertised(bound).to_string(), "a:7400");
        assert_eq!(config.called(bound).as_str(), "first");
    }

    #[test]
    fn tokens_are_wanted_off_loopback_unless_it_is_said_otherwise() {
        let mut config = MasterConfig::new("x");
        assert!(!config.wants_tokens());
        config.listen = "0.0.0.0:7400".parse().unwrap();
        assert!(config.wants_tokens());
        config.insecure = true;
        assert!(!config.wants_tokens());
        config.tokens.required = Some(true);
        assert!(config.wants_tokens());
    }
}
