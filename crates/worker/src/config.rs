//! A worker's configuration: its settings, their defaults and its rules, over what all daemons share.

use std::net::SocketAddr;
use std::path::PathBuf;

use squall_daemon::config::{
    Broken, Configured, Exposure, HostPort, Http, Log, LogFormat, LogLevel, Setting, Size, Tls, TlsFiles, Warning,
    name_of, partial,
};
use squall_types::cluster::WorkerName;

/// The port that workers listen on unless told otherwise.
pub const PORT: u16 = 7500;

/// All that a worker is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// What it is called; unset, it is called after where it is reached.
    pub name: Option<WorkerName>,
    /// Masters, to find the cluster by; any will do.
    pub masters: Vec<HostPort>,
    /// Where it listens; its slots listen on the same address of this machine, each on a port of its own.
    pub listen: SocketAddr,
    /// Where others reach it; unset, where it listens.
    pub advertise: Option<HostPort>,
    /// Where it keeps what must survive it.
    pub data_dir: PathBuf,
    /// What fails together with it.
    pub zone: String,
    /// What components can ask for.
    pub tags: Vec<String>,
    /// Whether it may be reached from other machines in plain text.
    pub insecure: bool,
    /// Its slots.
    pub slots: Slots,
    /// What it has.
    pub capacity: Capacity,
    /// For monitoring.
    pub http: Http,
    /// Its certificate.
    pub tls: Tls,
    /// What it says, and how.
    pub log: Log,
}

/// A worker's slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// How many.
    pub count: u32,
    /// Variables of the worker's environment that its slots get too.
    pub environment: Vec<String>,
    /// How large a slot's files of stdout and stderr may become.
    pub log_size: Size,
    /// How many earlier ones are kept of each.
    pub log_files: u32,
}

/// What a worker has; unset, what the machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Hundredths of a core.
    pub cpu_percent: Option<u32>,
    /// Memory.
    pub memory: Option<Size>,
}

impl WorkerConfig {
    /// The defaults, with this place for data.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let master = SocketAddr::from(([127, 0, 0, 1], 7400));
        Self {
            name: None,
            masters: vec![master.into()],
            listen: SocketAddr::from(([127, 0, 0, 1], PORT)),
            advertise: None,
            data_dir: data_dir.into(),
            zone: String::new(),
            tags: Vec::new(),
            insecure: false,
            slots: Slots { count: 4, environment: Vec::new(), log_size: Size::mib(16), log_files: 4 },
            capacity: Capacity::default(),
            http: Http { listen: Some(SocketAddr::from(([127, 0, 0, 1], 7501))) },
            tls: Tls::default(),
            log: Log { format: LogFormat::Text, level: LogLevel::Info },
        }
    }

    /// Where others reach it, given the address that it got when it bound [`WorkerConfig::listen`].
    pub fn advertised(&self, bound: SocketAddr) -> HostPort {
        self.advertise.clone().unwrap_or_else(|| bound.into())
    }

    /// What it is called: unless it is given, the host where others reach it, with the port if that isn't the usual one.
    pub fn called(&self, bound: SocketAddr) -> WorkerName {
        self.name.clone().unwrap_or_else(|| {
            let name = name_of(&self.advertised(bound), PORT);
            WorkerName::new(&name).expect("a host's letters are a name's, and it is short enough")
        })
    }

    /// The certificate's files, if TLS is spoken.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        self.tls.files()
    }
}

impl Configured for WorkerConfig {
    const ROLE: &'static str = "worker";

    fn defaults(data_dir: PathBuf) -> Self {
        Self::new(data_dir)
    }

    fn settings() -> &'static [Setting<Self>] {
        &SETTINGS
    }

    fn broken(&self) -> Vec<Broken> {
        let exposure = Exposure { insecure: self.insecure, tls: &self.tls, tokenless: false };
        let http = self.http.listen.and_then(|address| exposure.at("http.listen", address));
        let mut broken: Vec<_> = exposure.at("listen", self.listen).into_iter().chain(http).collect();
        if broken.is_empty() && !self.listen.ip().is_loopback() && !self.insecure {
            broken.push(Broken::PlainSlots { listen: self.listen });
        }
        broken.extend(partial(&self.tls));
        if self.listen.ip().is_unspecified() && self.advertise.is_none() {
            broken.push(Broken::NotAdvertised { listen: self.listen });
        }
        if self.masters.is_empty() {
            broken.push(Broken::NoMasters);
        }
        if self.slots.count > MOST_SLOTS {
            broken.push(Broken::TooManySlots { count: self.slots.count, most: MOST_SLOTS });
        }
        broken
    }

    fn warnings(&self) -> Vec<Warning> {
        let open = self.insecure && !self.listen.ip().is_loopback();
        if open { vec![Warning::PlainSlots(self.listen.ip())] } else { Vec::new() }
    }
}

/// What masters take.
const MOST_SLOTS: u32 = 1_024;

squall_daemon::settings! {
    WorkerConfig;
    "name", name, Some("\"worker-1\""),
        "What this worker is called. Unset: the host where others reach it, with the port if that isn't 7500.";
    "masters", masters, None,
        "Masters, to find the cluster by. Any will do: it tells the worker of the others.";
    "listen", listen, None,
        "Where it listens, to be seen to live: an address of this machine. Port 0 lets the system choose. Its slots listen on the same \
         address, each on a port of the system's choice that it keeps.";
    "advertise", advertise, Some("\"worker-1.example.org:7500\""),
        "Where masters and other workers reach it. Unset: where it listens.";
    "data_dir", data_dir, Some("\"/var/lib/squall/worker\""),
        "Where it keeps what must survive it: what it was told to run, packages, its slots' folders. Unset: under the service's state \
         directory, `/var/lib/squall` for root, the user's data directory for others.";
    "zone", zone, None,
        "What fails together with it, as a rack or a data centre. Executors of a topology are spread over zones.";
    "tags", tags, None,
        "What components can ask for, as `gpu`.";
    "insecure", insecure, None,
        "Lets its slots be reached from other machines. They speak plain text among each other, also where daemons have TLS: whoever \
         reaches their ports can read their tuples and give them others. It is said at each start.";
    "slots.count", slots.count, None,
        "How many processes of topologies it runs at most, each of one topology.";
    "slots.environment", slots.environment, None,
        "Variables of its own environment that slots get too, as `[\"PATH\", \"TZ\"]`. All others are kept from them.";
    "slots.log_size", slots.log_size, None,
        "How large a slot's file of stdout, and that of stderr, may become before a new one is begun.";
    "slots.log_files", slots.log_files, None,
        "How many earlier files are kept of each.";
    "capacity.cpu_percent", capacity.cpu_percent, Some("400"),
        "How much CPU its slots may be given, in hundredths of a core. Unset: all cores of the machine.";
    "capacity.memory", capacity.memory, Some("\"8GiB\""),
        "How much memory its slots may be given. Unset: all of the machine's.";
    "http.listen", http.listen, None,
        "Where `/metrics`, `/healthz` and `/readyz` are served. An empty text: nowhere.";
    "tls.cert", tls.cert, Some("\"/etc/squall/worker.crt\""),
        "This worker's certificate (`squall certs issue worker`), in PEM. Masters let it be the worker of that name, and no other.";
    "tls.key", tls.key, Some("\"/etc/squall/worker.key\""),
        "Its private key, in PEM.";
    "tls.ca", tls.ca, Some("\"/etc/squall/ca.crt\""),
        "The authority that signs for this cluster, in PEM.";
    "log.format", log.format, None,
        "How lines of the log on stderr look: for people, or a JSON object each.";
    "log.level", log.level, None,
        "The least severe messages that are logged.";
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use squall_daemon::config::{Layers, load, sample, section};

    use super::*;

    fn held(path: &str, text: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        if std::env::var_os("SQUALL_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, text, "{} is not what the code says; write it with SQUALL_WRITE_GOLDEN=1", path.display());
    }

    #[test]
    fn the_commented_file_is_the_defaults() {
        let text = sample::<WorkerConfig>();
        held("config/worker.toml", &text);
        let layers = Layers { file: Some(("w.toml".into(), text)), ..Layers::default() };
        assert_eq!(load::<WorkerConfig>(&layers, Some("/data".into())).unwrap().config, WorkerConfig::new("/data"));
    }

    #[test]
    fn the_page_is_what_the_code_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, _) = page.split_once("## Settings of a worker\n").unwrap();
        held("docs/configuration.md", &format!("{before}{}", section::<WorkerConfig>()));
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        for (file, hint) in [
            ("masters = []\n", "masters is empty"),
            ("listen = \"0.0.0.0:1\"\n", "there is no TLS"),
            ("listen = \"0.0.0.0:1\"\ninsecure = true\n", "every address of this machine"),
            ("listen = \"10.0.0.1:1\"\n[tls]\ncert = \"c\"\nkey = \"k\"\nca = \"a\"\n", "slots speak plain text"),
            ("[slots]\ncount = 5000\n", "slots.count is 5000"),
            ("[tls]\ncert = \"c\"\n", "is missing"),
        ] {
            let layers = Layers { file: Some(("w.toml".into(), file.to_owned())), ..Layers::default() };
            let errors = load::<WorkerConfig>(&layers, Some("/data".into())).unwrap_err();
            assert!(errors.iter().any(|error| error.to_string().contains(hint)), "{file}: {errors:?}");
        }
        let open = "listen = \"0.0.0.0:1\"\nadvertise = \"a:1\"\ninsecure = true\n".to_owned();
        let layers = Layers { file: Some(("w.toml".into(), open)), ..Layers::default() };
        assert_eq!(load::<WorkerConfig>(&layers, Some("/d".into())).unwrap().config.warnings().len(), 1);
    }
}
