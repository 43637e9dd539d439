//! Every setting of a master.

use std::path::PathBuf;

use super::{Broken, Configured, MasterConfig, Setting, Warning};

impl Configured for MasterConfig {
    const ROLE: &'static str = "master";

    fn defaults(data_dir: PathBuf) -> Self {
        Self::new(data_dir)
    }

    fn settings() -> &'static [Setting<Self>] {
        &SETTINGS
    }

    fn broken(&self) -> Vec<Broken> {
        self.breaks()
    }

    fn warnings(&self) -> Vec<Warning> {
        let open = self.insecure && (self.tls_files().is_none() || !self.wants_tokens());
        if open { vec![Warning::Insecure(self.listen)] } else { Vec::new() }
    }
}

squall_daemon::settings! {
    MasterConfig;
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
