//! The slot's files of stdout and stderr: rotated by the slot itself, for no daemon need be there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use squall_proto::slot;

/// The two files of a slot.
#[derive(Clone, Debug)]
pub(super) struct Logs {
    folder: PathBuf,
    /// How large each may become.
    pub bytes: u64,
    /// How many earlier ones are kept of each.
    pub files: u32,
}

impl Logs {
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), bytes: 0, files: 0 }
    }

    /// Begins new files in place of those that have become too large.
    pub(super) fn look(&self) {
        self.rotate(slot::STDOUT, |file| rustix::stdio::dup2_stdout(file));
        self.rotate(slot::STDERR, |file| rustix::stdio::dup2_stderr(file));
    }

    fn rotate(&self, name: &str, take: impl FnOnce(&File) -> rustix::io::Result<()>) {
        let path = self.folder.join(name);
        let large = self.bytes > 0 && std::fs::metadata(&path).is_ok_and(|it| it.len() > self.bytes);
        if large && let Err(error) = begin_anew(&path, self.files).and_then(|file| Ok(take(&file)?)) {
            tracing::warn!(error = error.to_string(), "{name} can't be rotated");
        }
    }
}

/// Moves a file to `NAME.1`, the one there to `NAME.2` and so on; the last is gone. Opens a new one in its place.
fn begin_anew(path: &Path, kept: u32) -> io::Result<File> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..kept).rev() {
        match std::fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    if kept == 0 {
        std::fs::remove_file(path)?;
    } else {
        std::fs::rename(path, numbered(1))?;
    }
    File::options().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_files_move_up_and_the_last_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for round in 0..5 {
            std::fs::write(&path, format!("{round}")).unwrap();
            begin_anew(&path, 2).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).ok();
        assert_eq!(
            (read("log").unwrap(), read("log.1").unwrap(), read("log.2").unwrap()),
            (String::new(), "4".to_owned(), "3".to_owned())
        );
        assert_eq!(read("log.3"), None);
        std::fs::write(&path, "x").unwrap();
        begin_anew(&path, 0).unwrap();
        assert_eq!(read("log").unwrap(), "");
    }

    #[test]
    fn a_file_is_taken_into_use_once_it_is_too_large_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs { bytes: 4, files: 1, ..Logs::of(dir.path()) };
        std::fs::write(dir.path().join("x"), "1234").unwrap();
        logs.rotate("x", |_| panic!("it is not too large"));
        std::fs::write(dir.path().join("x"), "12345").unwrap();
        let mut taken = false;
        logs.rotate("x", |_| {
            taken = true;
            Ok(())
        });
        assert!(taken && dir.path().join("x.1").exists());
    }
}
