//! The configuration itself, typed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use squall_types::cluster::MasterName;

use super::{HostPort, Http, Log, LogFormat, LogLevel, Size, Tls, TlsFiles, name_of};

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
        self.name.clone().unwrap_or_else(|| {
            let name = name_of(&self.advertised(bound), PORT);
            MasterName::new(&name).expect("a host's letters are a name's, and it is short enough")
        })
    }

    /// Whether callers must show a token or a certificate.
    pub fn wants_tokens(&self) -> bool {
        self.tokens.required.unwrap_or(!self.insecure && !self.is_loopback())
    }

    /// The certificate's files, if TLS is spoken.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        self.tls.files()
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback() && self.http.listen.is_none_or(|http| http.ip().is_loopback())
    }
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
