//! Where something listens: a host and a port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A host, as a name or an address, and a port. IPv6 addresses stand in brackets: `[::1]:7400`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is certain that only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The text names no host and port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no HOST:PORT; write as in master-1:7400, 10.0.0.1:7400 or [::1]:7400")]
pub struct NotAHostPort(String);

impl FromStr for HostPort {
    type Err = NotAHostPort;

    fn from_str(text: &str) -> Result<Self, NotAHostPort> {
        let malformed = || NotAHostPort(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
        // `+7400` is a number to Rust.
        let port =
            Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())).and_then(|port| port.parse().ok());
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().map(|_| inner).map_err(|_| malformed())?,
            None => Some(host).filter(|host| is_name(host)).ok_or_else(malformed)?,
        };
        Ok(Self { host: host.to_owned(), port: port.ok_or_else(malformed)? })
    }
}

fn is_name(host: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_addresses_are_read_and_written_alike() {
        for text in ["a:1", "master-1.example.org:7400", "10.0.0.1:7400", "[::1]:7400", "[2001:db8::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_host_and_port_is_refused() {
        for text in ["", "a", "a:", ":7400", "a:65536", "a:+1", "::1:7400", "[a]:1", "a b:1", "http://a:1", "a/b:1"] {
            assert_eq!(text.parse::<HostPort>(), Err(NotAHostPort(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn only_what_is_surely_this_machine_is_loopback() {
        for (text, loopback) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("localhost:1", true),
            ("0.0.0.0:1", false),
            ("a:1", false),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_the_reader_and_what_is_read_is_written_alike(text in "\\PC{0,40}|[a-z0-9.:\\[\\]]{1,30}") {
            if let Ok(host) = text.parse::<HostPort>() {
                let again: HostPort = host.to_string().parse().unwrap();
                prop_assert_eq!(again, host);
            }
        }
    }
}
