//! What every daemon's configuration has.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::host::HostPort;

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

impl Tls {
    /// The certificate's files, if TLS is spoken.
    pub fn files(&self) -> Option<TlsFiles> {
        let Self { cert, key, ca } = self.clone();
        Some(TlsFiles { cert: cert?, key: key?, ca: ca? })
    }
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

/// What a daemon is called unless it is given: the host where others reach it, with the port if that isn't the usual one.
pub fn name_of(address: &HostPort, usual: u16) -> String {
    let host: String = address.host().chars().map(|char| if char == ':' { '-' } else { char }).collect();
    // A name starts with no hyphen: `::1`.
    let host = if host.starts_with(['-', '.']) { format!("host{host}") } else { host };
    let host = &host[..host.len().min(120)];
    if address.port() == usual { host.to_owned() } else { format!("{host}-{}", address.port()) }
}

#[cfg(test)]
mod tests {
    use squall_types::cluster::MasterName;

    use super::*;

    #[test]
    fn a_daemon_is_called_after_where_it_is_reached() {
        for (address, name) in [
            ("a:7400", "a"),
            ("master-1.example.org:7400", "master-1.example.org"),
            ("127.0.0.1:7500", "127.0.0.1-7500"),
            ("[::1]:7400", "host--1"),
            ("[2001:db8::1]:9", "2001-db8--1-9"),
        ] {
            assert_eq!(name_of(&address.parse().unwrap(), 7400), name);
        }
        let long: HostPort = format!("{}:9", "x".repeat(253)).parse().unwrap();
        assert_eq!(name_of(&long, 7400).len(), 122);
        assert!(MasterName::new(&name_of(&long, 7400)).is_ok());
    }
}
