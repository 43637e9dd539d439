//! Between hosts: a stream of messages to each peer, a call for each snapshot.

mod peers;
mod service;

use tonic::transport::Channel;

pub(crate) use self::peers::Peers;
pub use self::service::RaftService;

/// How a peer is reached.
pub trait Dial: Send + Sync + 'static {
    /// A channel to this `host:port`. It connects when it is used, and again when that is needed.
    fn channel(&self, address: &str) -> Channel;
}

/// The longest message, in bytes: the largest command, with room for what is around it.
pub(crate) const LONGEST: usize = 24 << 20;
