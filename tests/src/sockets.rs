//! Whose socket is it: what the kernel's tables say of processes and their TCP connections.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// The state of a socket that listens, as `/proc/net/tcp` writes it.
const LISTENING: &str = "0A";

/// The ports on which a process listens.
pub fn listening(pid: u32) -> Vec<u16> {
    let own = inodes(pid);
    let sockets = table().into_iter().filter(|it| it.state == LISTENING && own.contains(&it.inode));
    sockets.map(|it| it.port).collect()
}

/// Which of these processes holds the connected socket at this local address.
pub fn owner(of: SocketAddr, among: &[u32]) -> Option<u32> {
    let socket = table().into_iter().find(|it| it.state != LISTENING && it.port == of.port() && it.inode != 0)?;
    among.iter().copied().find(|pid| inodes(*pid).contains(&socket.inode))
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
        assert_eq!(owner(peer, &[1, own]), Some(own));
        assert_eq!(owner(peer, &[]), None);
    }
}
