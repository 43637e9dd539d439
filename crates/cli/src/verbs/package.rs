//! A topology's program as a package: what it describes, what it hashes to, its bytes on their way.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use squall_types::cluster::BlobId;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::client::Pace;
use crate::error::CliError;

/// How much goes into a message.
const CHUNK: usize = 512 << 10;

/// A file that is to be a package.
#[derive(Clone, Debug)]
pub struct Package {
    path: PathBuf,
    /// The SHA-256 of its content.
    pub id: BlobId,
    /// How many bytes.
    pub size: u64,
}

impl Package {
    /// Reads the file once, to know what it is called.
    pub fn of(path: &Path) -> Result<Self, CliError> {
        let unreadable = |source| CliError::File { what: "read", path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let (mut hash, mut size, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
        loop {
            let read = file.read(&mut chunk).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            hash.update(&chunk[..read]);
            size += read as u64;
        }
        Ok(Self { path: path.to_owned(), id: BlobId::from_bytes(hash.finalize().into()), size })
    }

    /// Its bytes from `offset` in messages, each made by `message`, after the one that comes `first`. A file that can't be read any more ends
    /// them early: the master sees that bytes are missing.
    pub fn stream<T: Send + 'static>(
        &self,
        offset: u64,
        first: T,
        message: impl Fn(Bytes) -> T + Send + 'static,
        pace: Pace,
    ) -> ReceiverStream<T> {
        let (sender, receiver) = mpsc::channel(4);
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || {
            if sender.blocking_send(first).is_ok()
                && let Err(error) = send(&path, offset, &sender, message, &pace)
            {
                tracing::warn!(path = %path.display(), %error, "can't be read to its end");
            }
        });
        ReceiverStream::new(receiver)
    }
}

fn send<T>(
    path: &Path,
    mut offset: u64,
    sender: &mpsc::Sender<T>,
    message: impl Fn(Bytes) -> T,
    pace: &Pace,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        offset += chunk.len() as u64;
        // Nobody listens any more: the call has ended.
        if chunk.is_empty() || sender.blocking_send(message(chunk.into())).is_err() {
            return Ok(());
        }
        pace.reached(offset);
    }
}

/// What a program says that its topology is, without what is true of this machine only.
pub fn describe(program: &Path, args: &[String]) -> Result<String, CliError> {
    let failed = |why: String, source| CliError::NotDescribed { program: program.to_owned(), why, source };
    // A name without a folder is a file here, not a command of the system's.
    let file = if program.components().count() == 1 { Path::new(".").join(program) } else { program.to_owned() };
    let output = Command::new(file).arg("--describe").args(args).output();
    let output = output.map_err(|error| failed("it can't be started".to_owned(), Some(error.into())))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("it ended with {}: {}", output.status, said.trim()), None));
    }
    let described = serde_json::from_slice(&output.stdout);
    let mut description: Value =
        described.map_err(|error| failed("what it says is no JSON".to_owned(), Some(error.into())))?;
    forget_machine(&mut description);
    Ok(description.to_string())
}

/// What is chained depends on the cores that it was described on.
fn forget_machine(description: &mut Value) {
    let components = description.get_mut("components").and_then(Value::as_array_mut).into_iter().flatten();
    let inputs = components.filter_map(|component| component.get_mut("inputs")?.as_array_mut()).flatten();
    for input in inputs {
        if let Some(input) = input.as_object_mut() {
            input.remove("chained");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_true_of_one_machine_is_left_out() {
        let mut description = json!({"components": [
            {"id": "a", "inputs": [{"from": "s", "chained": true}, {"from": "t"}]}, {"id": "s"}, 7
        ]});
        forget_machine(&mut description);
        assert_eq!(
            description,
            json!({"components": [{"id": "a", "inputs": [{"from": "s"}, {"from": "t"}]}, {"id": "s"}, 7]})
        );
    }

    #[test]
    fn a_package_is_called_by_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "abc").unwrap();
        let package = Package::of(&path).unwrap();
        assert_eq!(package.id.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(package.size, 3);
        assert!(Package::of(&dir.path().join("y")).is_err());
    }
}
