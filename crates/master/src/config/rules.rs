//! What settings must keep together, and what is said at each start.

use std::net::SocketAddr;
use std::time::Duration;

use squall_types::{Code, codes, duration};

use super::model::{MasterConfig, Tls};

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Reachable from other machines, and anyone could do anything.
    #[error("{key} = \"{address}\" can be reached from other machines, but there is no TLS")]
    OffLoopbackPlain {
        /// The setting that leads off loopback.
        key: &'static str,
        /// What it says.
        address: SocketAddr,
    },
    /// Reachable from other machines, with TLS, but who calls isn't asked.
    #[error("{key} = \"{address}\" can be reached from other machines, but tokens.required = false")]
    OffLoopbackTokenless {
        /// The setting that leads off loopback.
        key: &'static str,
        /// What it says.
        address: SocketAddr,
    },
    /// A certificate in parts.
    #[error("TLS takes tls.cert, tls.key and tls.ca together; {missing} is missing")]
    PartialTls {
        /// What isn't set.
        missing: &'static str,
    },
    /// It listens everywhere, which is nowhere in particular.
    #[error("listen = \"{listen}\" is every address of this machine, and none that others could be told")]
    NotAdvertised {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// A worker would be dead before two heartbeats are missed.
    #[error("workers.dead_after ({}) is less than 3 × workers.heartbeat ({})", duration::format(*dead_after), duration::format(*heartbeat))]
    TooImpatient {
        /// How often they beat.
        heartbeat: Duration,
        /// When they count as dead.
        dead_after: Duration,
    },
    /// Heartbeats without a pause.
    #[error("workers.heartbeat is less than 10ms")]
    NoPause,
    /// Chunks of 1 MiB wouldn't fit into a message.
    #[error("limits.message is less than 2MiB, and packages come in messages of 1 MiB and a little")]
    MessageTooShort,
    /// A master twice.
    #[error("masters has {address} twice")]
    RepeatedMaster {
        /// Where that master is.
        address: String,
    },
    /// It forms a cluster that it isn't in.
    #[error("masters doesn't have this master's own address, {own}")]
    NotListed {
        /// Where it is reached.
        own: String,
    },
}

impl Broken {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::OffLoopbackPlain { .. } | Self::OffLoopbackTokenless { .. } => codes::OFF_LOOPBACK,
            Self::PartialTls { .. }
            | Self::NotAdvertised { .. }
            | Self::TooImpatient { .. }
            | Self::NoPause
            | Self::MessageTooShort
            | Self::RepeatedMaster { .. }
            | Self::NotListed { .. } => codes::CONFIG_BROKEN,
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::OffLoopbackPlain { .. } => {
                "make certificates with `squall certs init` and `squall certs issue`, and set tls.cert, tls.key and tls.ca; or, where \
                 nobody else can reach the port, set insecure = true"
            }
            Self::OffLoopbackTokenless { .. } => {
                "remove tokens.required; or, where nobody else can reach the port, set insecure = true"
            }
            Self::PartialTls { .. } => "set all three, or none",
            Self::NotAdvertised { .. } => "set advertise to the host and port by which others reach this machine",
            Self::TooImpatient { .. } => "raise workers.dead_after, or lower workers.heartbeat",
            Self::NoPause => "raise workers.heartbeat; 500ms is the default",
            Self::MessageTooShort => "raise limits.message; 8MiB is the default",
            Self::RepeatedMaster { .. } => "name each master once",
            Self::NotListed { .. } => {
                "add it to masters, the same list on each master; or set advertise as the list has it"
            }
        }
    }
}

/// Said at each start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Whoever reaches the port may do anything.
    #[error("insecure = true: whoever can reach {0} can read and change everything in this cluster")]
    Insecure(SocketAddr),
}

impl MasterConfig {
    /// What has to be said at each start.
    pub fn warnings(&self) -> Vec<Warning> {
        let open = self.insecure && (self.tls_files().is_none() || !self.wants_tokens());
        if open { vec![Warning::Insecure(self.listen)] } else { Vec::new() }
    }

    /// All rules that it breaks.
    pub fn broken(&self) -> Vec<Broken> {
        let http = self.http.listen.and_then(|address| self.exposed("http.listen", address));
        let mut broken: Vec<_> = self.exposed("listen", self.listen).into_iter().chain(http).collect();
        broken.extend(partial(&self.tls).map(|missing| Broken::PartialTls { missing }));
        if self.listen.ip().is_unspecified() && self.advertise.is_none() {
            broken.push(Broken::NotAdvertised { listen: self.listen });
        }
        let (heartbeat, dead_after) = (self.workers.heartbeat, self.workers.dead_after);
        if heartbeat < Duration::from_millis(10) {
            broken.push(Broken::NoPause);
        }
        if dead_after < heartbeat.saturating_mul(3) {
            broken.push(Broken::TooImpatient { heartbeat, dead_after });
        }
        if self.limits.message.get() < 2 << 20 {
            broken.push(Broken::MessageTooShort);
        }
        broken.extend(self.list());
        broken
    }

    fn exposed(&self, key: &'static str, address: SocketAddr) -> Option<Broken> {
        if address.ip().is_loopback() || self.insecure {
            return None;
        }
        if self.tls_files().is_none() && self.tls == Tls::default() {
            return Some(Broken::OffLoopbackPlain { key, address });
        }
        (self.tokens.required == Some(false)).then_some(Broken::OffLoopbackTokenless { key, address })
    }

    fn list(&self) -> Option<Broken> {
        let repeated = (1..self.masters.len()).find(|&at| self.masters[..at].contains(&self.masters[at]));
        if let Some(at) = repeated {
            return Some(Broken::RepeatedMaster { address: self.masters[at].to_string() });
        }
        // Which port the system will choose isn't known yet.
        let own = self.advertised(self.listen);
        let known = self.advertise.is_some() || (self.listen.port() != 0 && !self.listen.ip().is_unspecified());
        let listed = self.masters.is_empty() || self.masters.contains(&own);
        (known && !listed).then(|| Broken::NotListed { own: own.to_string() })
    }
}

fn partial(tls: &Tls) -> Option<&'static str> {
    let parts = [("tls.cert", &tls.cert), ("tls.key", &tls.key), ("tls.ca", &tls.ca)];
    let missing = parts.iter().find(|(_, part)| part.is_none()).map(|(key, _)| *key);
    missing.filter(|_| parts.iter().any(|(_, part)| part.is_some()))
}
