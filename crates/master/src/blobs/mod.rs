//! The packages' bytes on this master's disk, each under the SHA-256 of its content.
//!
//! An upload goes into `ID.part`; only when all of it is there, hashed and on the disk does it get its name. What the disk held when the
//! master started is hashed once more before it is first given out.
//!
//! Invariants: under a blob's name there are its bytes or nothing; one upload of a blob at a time; a broken upload can go on where it
//! stopped; a full disk costs the upload that filled it, and nothing else.

mod disk;
mod error;
mod files;
mod store;
#[cfg(test)]
mod tests;
mod transfer;

pub use disk::{BlobDisk, DiskFuture};
pub use error::BlobError;
pub use files::FileDisk;
pub use store::{BlobStore, Kept};
pub use transfer::{Download, Upload};
