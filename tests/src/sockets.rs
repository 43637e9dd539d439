//! Whose socket is it: what the kernel's tables say of processes and their TCP connections.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The state of a socket that listens, as `/proc/net/tcp` writes it.
const LISTENING: &str = "0A";

/// The ports on which a process listens.
pub fn listening(pid: u32) -> Vec<u16> {
    let own = inodes(pid);
    let sockets = table().into_iter().filter(|it| it.state == LISTENING && own.contains(&it.inode));
    sockets.map(|it| it.port).collect()
}

/// Which of these processes holds the connected socket at each local port.
pub fn owners(among: &[u32]) -> BTreeMap<u16, u32> {
    let inodes: BTreeMap<_, _> =
        among.iter().flat_map(|pid| inodes(*pid).into_iter().map(|inode| (inode, *pid))).collect();
    let connected = table().into_iter().filter(|it| it.state != LISTENING);
    connected.filter_map(|it| Some((it.port, *inodes.get(&it.inode)?))).collect()
}

struct Socket {
    port: u16,
    state: String,
    inode: u64,
}

/// The IPv4 sockets of this machine.
fn table() -> Vec<Socket> {
    let text = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    text.lines().skip(1).filter_map(socket).collect()
}

/// A line as `0: 0100007F:1CE8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 30123 1 …`.
fn socket(line: &str) -> Option<Socket> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
    Some(Socket { port, state: (*fields.get(3)?).to_owned(), inode: fields.get(9)?.parse().ok()? })
}

fn inodes(pid: u32) -> BTreeSet<u64> {
    let Ok(entries) = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else {
        return BTreeSet::new();
    };
    let targets = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let inode = |target: std::path::PathBuf| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    targets.filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_process_is_found_by_what_it_listens_on_and_by_its_connections() {
        let own = std::process::id();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(listening(own).contains(&address.port()));
        let stream = TcpStream::connect(address).unwrap();
        let (_accepted, peer) = listener.accept().unwrap();
        assert_eq!(peer, stream.local_addr().unwrap());
        assert_eq!(owners(&[1, own]).get(&peer.port()), Some(&own));
        assert_eq!(owners(&[]), BTreeMap::new());
    }
}
