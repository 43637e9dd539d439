//! A folder of the real file system.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::disk::{BlobDisk, DiskFuture};

/// Files under one folder. Each call runs on tokio's threads for blocking work.
#[derive(Clone, Debug)]
pub struct FileDisk {
    folder: PathBuf,
}

impl FileDisk {
    /// The files in this folder, which is made if it isn't there.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> DiskFuture<'static, T> {
        let folder = self.folder.clone();
        Box::pin(async move { tokio::task::spawn_blocking(move || work(&folder)).await.map_err(io::Error::other)? })
    }
}

impl BlobDisk for FileDisk {
    fn list(&self) -> DiskFuture<'_, Vec<(String, u64)>> {
        self.run(|folder| {
            let mut files = Vec::new();
            for entry in std::fs::read_dir(folder)? {
                let (entry, name) = entry.map(|entry| (entry.metadata(), entry.file_name()))?;
                let (meta, name) = (entry?, name.into_string());
                if let (true, Ok(name)) = (meta.is_file(), name) {
                    files.push((name, meta.len()));
                }
            }
            Ok(files)
        })
    }

    fn write(&self, name: String, offset: u64, data: Bytes) -> DiskFuture<'_, ()> {
        self.run(move |folder| {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(name))?;
            file.set_len(offset)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&data)
        })
    }

    fn read(&self, name: String, offset: u64, length: usize) -> DiskFuture<'_, Bytes> {
        self.run(move |folder| {
            let mut file = File::open(folder.join(name))?;
            file.seek(SeekFrom::Start(offset))?;
            let mut data = Vec::with_capacity(length.min(1 << 20));
            file.take(length as u64).read_to_end(&mut data)?;
            Ok(data.into())
        })
    }

    fn publish(&self, from: String, to: String) -> DiskFuture<'_, ()> {
        self.run(move |folder| {
            let from = folder.join(from);
            File::open(&from)?.sync_all()?;
            std::fs::rename(from, folder.join(to))?;
            File::open(folder)?.sync_all()
        })
    }

    fn remove(&self, name: String) -> DiskFuture<'_, ()> {
        self.run(move |folder| match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => File::open(folder)?.sync_all(),
        })
    }
}
