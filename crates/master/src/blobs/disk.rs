//! What the store needs of a disk.

use std::future::Future;
use std::io;
use std::pin::Pin;

use bytes::Bytes;

/// What a disk answers in time.
pub type DiskFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// One folder of files. A simulation has its own, which forgets what wasn't synced.
pub trait BlobDisk: Send + Sync + 'static {
    /// All files with their lengths.
    fn list(&self) -> DiskFuture<'_, Vec<(String, u64)>>;

    /// Writes at `offset`, cutting off what was there from it on. A file that isn't there is made.
    fn write(&self, name: String, offset: u64, data: Bytes) -> DiskFuture<'_, ()>;

    /// At most `length` bytes from `offset`; fewer only at the end.
    fn read(&self, name: String, offset: u64, length: usize) -> DiskFuture<'_, Bytes>;

    /// Gives a file another name, in a way that survives a crash: its bytes are on the disk before the name is, and the name before this
    /// returns.
    fn publish(&self, from: String, to: String) -> DiskFuture<'_, ()>;

    /// Removes a file, if it is there.
    fn remove(&self, name: String) -> DiskFuture<'_, ()>;
}
