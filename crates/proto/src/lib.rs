//! The wire: types and services generated from `proto/` (by `protox`, so no protoc is needed), and their conversions to and from the
//! vocabulary of [`squall_types`].
//!
//! Invariant: no generated type passes beyond the edges. Who takes one from the network turns it into a type of the vocabulary first, which
//! checks it.

mod failure;
pub mod slot;

#[allow(missing_docs, reason = "generated; the protos have the comments")]
#[allow(clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction, reason = "generated")]
mod generated {
    pub mod v1 {
        tonic::include_proto!("squall.v1");
    }
    pub mod internal {
        tonic::include_proto!("squall.internal.v1");
    }
}

pub use failure::Failure;
pub use generated::{internal, v1};

/// What masters answer, of `proto/`, as an encoded `FileDescriptorSet`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/squall.bin"));
