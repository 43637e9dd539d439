//! Files that this process makes: never in the place of another, and whole or not at all.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// A new file; one that is there is never replaced. A secret one is its owner's alone.
///
/// # Errors
/// If it is there, or can't be made.
pub fn create(path: &Path, secret: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if secret { 0o600 } else { 0o644 });
    options.open(path)
}

/// A file that is written beside its place, and gets its name when it is whole. Dropped before, it leaves nothing.
pub struct Partial {
    file: File,
    beside: PathBuf,
    target: PathBuf,
    written: u64,
}

impl Partial {
    /// Begins a file. A secret one is its owner's alone.
    ///
    /// # Errors
    /// If it is there already, or can't be made.
    pub fn begin(target: &Path, secret: bool) -> io::Result<Self> {
        if target.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut name = OsString::from(".");
        name.push(target.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        name.push(format!(".{}.part", std::process::id()));
        let beside = target.with_file_name(name);
        Ok(Self { file: create(&beside, secret)?, beside, target: target.to_owned(), written: 0 })
    }

    /// How many bytes it has.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Adds to it.
    ///
    /// # Errors
    /// If the disk doesn't take it.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Empties it.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn start_over(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.written = 0;
        Ok(())
    }

    /// Gives it its name. How many bytes it has.
    ///
    /// # Errors
    /// If another file has come to have that name, or the disk refuses.
    pub fn keep(self) -> io::Result<u64> {
        self.file.sync_all()?;
        match std::fs::hard_link(&self.beside, &self.target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // Some file systems have no links. Nothing is there as of now.
            Err(_) if self.target.symlink_metadata().is_err() => std::fs::rename(&self.beside, &self.target)?,
            Err(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        }
        Ok(self.written)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = std::fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<OsString> {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_is_there_as_a_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("state.bin");
        let mut partial = Partial::begin(&target, true).unwrap();
        partial.write(b"wrong").unwrap();
        drop(partial);
        assert!(names(dir.path()).is_empty());

        let mut partial = Partial::begin(&target, true).unwrap();
        partial.write(b"wrong again").unwrap();
        partial.start_over().unwrap();
        partial.write(b"right").unwrap();
        assert!(!target.exists());
        assert_eq!(partial.keep().unwrap(), 5);
        assert_eq!((std::fs::read(&target).unwrap(), names(dir.path()).len()), (b"right".to_vec(), 1));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_is_there_is_never_replaced_not_even_one_that_came_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x");
        let mut partial = Partial::begin(&target, false).unwrap();
        partial.write(b"new").unwrap();
        std::fs::write(&target, "old").unwrap();
        assert_eq!(partial.keep().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(Partial::begin(&target, false).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((std::fs::read(&target).unwrap(), names(dir.path()).len()), (b"old".to_vec(), 1));
    }
}
