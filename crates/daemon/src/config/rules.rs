//! What settings must keep together, and what is said at each start.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use squall_types::{Code, codes, duration};

use super::parts::Tls;

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
    /// Slots of workers speak plain text among each other.
    #[error(
        "listen = \"{listen}\" can be reached from other machines, and slots speak plain text among each other, also where daemons have TLS"
    )]
    PlainSlots {
        /// Where the worker and its slots listen.
        listen: SocketAddr,
    },
    /// Nobody could tell a worker what to run.
    #[error("masters is empty")]
    NoMasters,
    /// More slots than masters take.
    #[error("slots.count is {count}, and a worker has at most {most} slots")]
    TooManySlots {
        /// How many were asked for.
        count: u32,
        /// How many there may be.
        most: u32,
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
            Self::OffLoopbackPlain { .. } | Self::OffLoopbackTokenless { .. } | Self::PlainSlots { .. } => {
                codes::OFF_LOOPBACK
            }
            Self::PartialTls { .. }
            | Self::NotAdvertised { .. }
            | Self::TooImpatient { .. }
            | Self::NoPause
            | Self::MessageTooShort
            | Self::RepeatedMaster { .. }
            | Self::NoMasters
            | Self::TooManySlots { .. }
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
            Self::PlainSlots { .. } => {
                "where nobody else can reach the ports of this machine, set insecure = true; TLS between the daemons stays"
            }
            Self::NoMasters => "name a master of the cluster, as in masters = [\"127.0.0.1:7400\"]",
            Self::TooManySlots { .. } => "lower slots.count; a slot runs as many executors as fit",
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
    /// Whoever reaches a slot's port may give it tuples.
    #[error("insecure = true: whoever can reach the ports of slots on {0} can read their tuples, and give them others")]
    PlainSlots(IpAddr),
}

/// What decides whether a daemon may be reached from other machines.
#[derive(Clone, Copy, Debug)]
pub struct Exposure<'a> {
    /// Whether it may be in plain text and unasked.
    pub insecure: bool,
    /// Its certificate.
    pub tls: &'a Tls,
    /// Whether it was said that callers needn't show who they are.
    pub tokenless: bool,
}

impl Exposure<'_> {
    /// The rule that it breaks to listen there.
    pub fn at(self, key: &'static str, address: SocketAddr) -> Option<Broken> {
        if address.ip().is_loopback() || self.insecure {
            return None;
        }
        if *self.tls == Tls::default() {
            return Some(Broken::OffLoopbackPlain { key, address });
        }
        self.tokenless.then_some(Broken::OffLoopbackTokenless { key, address })
    }
}

/// What is missing of a certificate that is there in parts.
pub fn partial(tls: &Tls) -> Option<Broken> {
    let parts = [("tls.cert", &tls.cert), ("tls.key", &tls.key), ("tls.ca", &tls.ca)];
    let missing = parts.iter().find(|(_, part)| part.is_none()).map(|(key, _)| *key);
    missing.filter(|_| parts.iter().any(|(_, part)| part.is_some())).map(|missing| Broken::PartialTls { missing })
}
