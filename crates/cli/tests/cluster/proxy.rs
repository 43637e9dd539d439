//! A connection that breaks once.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Where a connection breaks: after so many bytes that way.
#[derive(Clone, Copy)]
pub enum Breaks {
    Up(u64),
    Down(u64),
    /// And every one after it too.
    UpForGood(u64),
}

/// Passes connections on to `target`. The first that has carried enough is broken; those after it aren't.
pub fn breaking(target: &str, breaks: Breaks) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (up, down) = match breaks {
        Breaks::Up(after) | Breaks::UpForGood(after) => (after, u64::MAX),
        Breaks::Down(after) => (u64::MAX, after),
    };
    let again = !matches!(breaks, Breaks::UpForGood(_));
    let (up, down, target) = (Arc::new(AtomicU64::new(up)), Arc::new(AtomicU64::new(down)), target.to_owned());
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&target) else { continue };
            let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (up, down) = (up.clone(), down.clone());
            thread::spawn(move || carry(client, server, &up, again));
            thread::spawn(move || carry(ends.1, ends.0, &down, again));
        }
    });
    address
}

/// Carries bytes until as many as are left have come, over all connections; after that, if it is to, without an end.
fn carry(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, again: bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let before = left.load(Ordering::SeqCst);
        let after = before.saturating_sub(read as u64);
        if before != u64::MAX {
            left.store(if after == 0 && again { u64::MAX } else { after }, Ordering::SeqCst);
        }
        if after == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
