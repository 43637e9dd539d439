//! Every setting there is.

use super::model::MasterConfig;
use super::raw::Raw;
use super::take::{NotTaken, Take};

/// One thing that can be set.
pub struct Setting {
    /// Its key, with its table before a dot, as in `log.format`.
    pub key: &'static str,
    /// What it takes, in words.
    pub kind: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// What could stand there, for a setting that is unset unless given.
    pub example: Option<&'static str>,
    pub(super) set: fn(&mut MasterConfig, &Raw) -> Result<(), NotTaken>,
    pub(super) show: fn(&MasterConfig) -> Option<String>,
}

impl Setting {
    /// The one with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// Its variable in the environment, as `SQUALL_LOG_FORMAT`.
    pub fn variable(&self) -> String {
        super::variable(self.key)
    }

    /// Its flag without the hyphens in front, as `log-format`.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }
}

fn kind_of<T: Take>(_: fn(&MasterConfig) -> &T) -> &'static str {
    T::KIND
}

macro_rules! settings {
    ($($key:literal, $($field:ident).+, $example:expr, $help:literal;)*) => {
        /// All settings of a master, in the order in which they are written down.
        pub static SETTINGS: std::sync::LazyLock<Vec<Setting>> = std::sync::LazyLock::new(|| vec![$(Setting {
            key: $key,
            kind: kind_of(|config| &config.$($field).+),
            help: $help,
            example: $example,
            set: |config, raw| {
                config.$($field).+ = Take::take(raw)?;
                Ok(())
            },
            show: |config| config.$($field).+.show(),
        },)*]);
    };
}

settings! {
    "name", name, Some("\"master-1\""),
        "What this master is called. Unset: the host where others reach it, with the port if that isn't 7400.";
    "listen", listen, None,
        "Where it listens for gRPC: an address of this machine. Port 0 lets the system choose.";
    "advertise", advertise, Some("\"master-1.example.org:7400\""),
        "Where other masters, workers and clients reach it. Unset: where it listens.";
    "masters", masters, None,
        "All masters that form the cluster, this one too; the same list on each, in the same order. Empty: a cluster of one. It counts \
         only while the disk is empty: later members come by `squall masters add`.";
    "data_dir", data_dir, Some("\"/var/lib/squall/master\""),
        "Where it keeps what must survive it. Unset: under the service's state directory, `/var/lib/squall` for root, the user's data \
         directory for others.";
    "insecure", insecure, None,
        "Lets it be reached from other machines in plain text and without tokens: whoever reaches the port owns the cluster. It is said \
         at each start.";
    "http.listen", http.listen, None,
        "Where `/metrics`, `/healthz` and `/readyz` are served. An empty text: nowhere.";
    "tls.cert", tls.cert, Some("\"/etc/squall/master.crt\""),
        "This master's certificate (`squall certs issue`), in PEM.";
    "tls.key", tls.key, Some("\"/etc/squall/master.key\""),
        "Its private key, in PEM.";
    "tls.ca", tls.ca, Some("\"/etc/squall/ca.crt\""),
        "The authority that signs for this cluster, in PEM. Peers whose certificate it hasn't signed are refused.";
    "tokens.required", tokens.required, Some("true"),
        "Whether callers must show a token or a certificate. Unset: off loopback they must, unless `insecure` is set.";
    "workers.heartbeat", workers.heartbeat, None,
        "How often a worker beats, and is answered.";
    "workers.dead_after", workers.dead_after, None,
        "How long a worker may be silent before it is declared dead, once its neighbours can't reach it either.";
    "limits.message", limits.message, None,
        "The longest message that is taken.";
    "limits.package", limits.package, None,
        "The largest package that is taken.";
    "limits.streams", limits.streams, None,
        "The most calls open at once on one connection.";
    "limits.in_flight", limits.in_flight, None,
        "The most requests under way at once, of all clients together. More are refused, and may be tried again.";
    "log.format", log.format, None,
        "How lines of the log on stderr look: for people, or a JSON object each.";
    "log.level", log.level, None,
        "The least severe messages that are logged.";
}
