//! Who is at the other end: certificates, and the connections that they protect.
//!
//! One authority signs for one cluster. Each certificate says in its subject alternative names what it is for ([`Identity`]): a master, a
//! worker, or a person with a role. A connection is only handed on once it is known which it is.
//!
//! Invariants: a certificate of one kind is never taken for another; time comes in as an argument or a [`TimeProvider`]; what fails is a
//! [`TlsFault`] with a code at both ends, plain text on a TLS port and TLS on a plain port too.

mod accept;
mod authority;
mod connect;
mod fault;
mod identity;
mod material;
mod prefixed;
#[cfg(test)]
mod tests;
mod verify;

pub use accept::{Accepted, HANDSHAKE_TIMEOUT, Peer, Server};
pub use authority::{Authority, CertError, DAY, Issued, Request};
pub use connect::{Client, Secured};
pub use fault::{End, TlsFault};
pub use identity::{Identity, NotAnIdentity, Shown};
pub use material::{Material, MaterialError};
pub use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
