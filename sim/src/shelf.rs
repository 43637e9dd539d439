//! The folder of a master's packages: it outlives the master's processes. What was written and has no name yet may be lost, or half lost.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use squall_master::blobs::{BlobDisk, DiskFuture};
use squall_tests::Rng;

/// The folder. Its clones are the same.
#[derive(Clone)]
pub struct Shelf(Arc<Mutex<Files>>);

struct Files {
    files: BTreeMap<String, File>,
    dice: Rng,
}

struct File {
    data: Vec<u8>,
    synced: bool,
}

impl Shelf {
    /// An empty one. `dice` decide what a crash leaves.
    pub fn new(dice: Rng) -> Self {
        Self(Arc::new(Mutex::new(Files { files: BTreeMap::new(), dice })))
    }

    /// Whether a file of this name would be there after a crash.
    pub fn keeps(&self, name: &str) -> bool {
        self.lock().files.get(name).is_some_and(|file| file.synced)
    }

    /// The power goes: of what was not synced some is lost, and some may be anything.
    pub fn crash(&self) {
        let mut files = self.lock();
        let Files { files, dice } = &mut *files;
        for file in files.values_mut().filter(|file| !file.synced) {
            let left = dice.below(file.data.len() + 1);
            file.data.truncate(left);
            let whole = dice.below(left + 1);
            file.data[whole..].fill(0);
        }
    }

    /// The disk is lost, and an empty one takes its place.
    pub fn wipe(&self) {
        self.lock().files.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, File>) -> io::Result<T>,
    ) -> DiskFuture<'_, T> {
        let done = work(&mut self.lock().files);
        Box::pin(std::future::ready(done))
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl BlobDisk for Shelf {
    fn list(&self) -> DiskFuture<'_, Vec<(String, u64)>> {
        self.done(|files| Ok(files.iter().map(|(name, file)| (name.clone(), file.data.len() as u64)).collect()))
    }

    fn write(&self, name: String, offset: u64, data: Bytes) -> DiskFuture<'_, ()> {
        self.done(|files| {
            let file = files.entry(name).or_insert(File { data: Vec::new(), synced: false });
            file.synced = false;
            file.data.resize(usize::try_from(offset).map_err(io::Error::other)?, 0);
            file.data.extend_from_slice(&data);
            Ok(())
        })
    }

    fn read(&self, name: String, offset: u64, length: usize) -> DiskFuture<'_, Bytes> {
        self.done(|files| {
            let data = &files.get(&name).ok_or_else(missing)?.data;
            let from = usize::try_from(offset).map_err(io::Error::other)?.min(data.len());
            Ok(Bytes::copy_from_slice(&data[from..data.len().min(from.saturating_add(length))]))
        })
    }

    fn publish(&self, from: String, to: String) -> DiskFuture<'_, ()> {
        self.done(|files| {
            let file = files.remove(&from).ok_or_else(missing)?;
            files.insert(to, File { synced: true, ..file });
            Ok(())
        })
    }

    fn remove(&self, name: String) -> DiskFuture<'_, ()> {
        self.done(|files| {
            files.remove(&name);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_file_is_sure_to_be_there_after_a_crash_once_it_has_its_name() {
        let shelf = Shelf::new(Rng::new(3));
        let write = |name: &str| {
            shelf.write(name.to_owned(), 0, Bytes::from_static(&[7; 100])).now_or_never().unwrap().unwrap();
        };
        write("a.part");
        write("b.part");
        shelf.publish("b.part".to_owned(), "b".to_owned()).now_or_never().unwrap().unwrap();
        shelf.crash();
        let read = |name: &str| shelf.read(name.to_owned(), 0, 1_000).now_or_never().unwrap().unwrap();
        assert_eq!(read("b"), [7; 100][..]);
        assert!(read("a.part").len() <= 100 && read("a.part") != [7; 100][..]);
        assert!(shelf.keeps("b") && !shelf.keeps("a.part"));
    }
}
