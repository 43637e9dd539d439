//! A token that is asked for in a master's data directory: whoever may write there owns the master, and may have an admin's token.
//!
//! That is how there comes to be a first one where nobody can ask for it, and another when all are lost. The file holds no secret: only its
//! hash. The leader finds it when it calls the roll, whichever master it lies with, and that one removes it once the token is there.
//!
//! Invariant: a file that others could have written is not believed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use squall_control::{SecretHash, TokenId};
use squall_types::cluster::UserName;

use super::Secret;

const FILE: &str = "wanted-token.json";
/// The most bytes of it that are read.
const LONGEST: u64 = 4_096;

/// A token that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its public name.
    pub id: TokenId,
    /// Whose it is to be.
    pub user: UserName,
    /// The hash of its secret.
    pub hash: SecretHash,
}

#[derive(Serialize, Deserialize)]
struct Written {
    id: String,
    user: UserName,
    sha256: SecretHash,
}

/// Where it is asked for.
pub fn file(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

impl Wanted {
    /// A token to be, and its secret. An earlier one that hasn't been made yet is no longer asked for.
    pub fn new(user: UserName, secret: &Secret, number: u64) -> Self {
        Self { id: TokenId::new(number), user, hash: secret.hash() }
    }

    /// Asks for it, in the place of an earlier one that isn't there yet. The file belongs to whom the directory belongs.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn ask(&self, data_dir: &Path) -> io::Result<()> {
        fs::create_dir_all(data_dir)?;
        let written = Written { id: self.id.to_string(), user: self.user.clone(), sha256: self.hash };
        let bytes = serde_json::to_vec(&written).map_err(io::Error::other)?;
        let draft = data_dir.join(format!("{FILE}.{}", self.id));
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
        let mut put = || {
            file.write_all(&bytes)?;
            let (owner, mine) = (fs::metadata(data_dir)?, file.metadata()?);
            if (owner.uid(), owner.gid()) != (mine.uid(), mine.gid()) {
                std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
            }
            file.sync_all()?;
            fs::rename(&draft, self::file(data_dir))
        };
        put().inspect_err(|_| drop(fs::remove_file(&draft)))
    }

    /// What is asked for; none, if nothing is.
    ///
    /// # Errors
    /// If it can't be read, is none, or may be someone else's doing.
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        let path = file(data_dir);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let (meta, folder) = (file.metadata()?, fs::metadata(data_dir)?);
        if meta.mode() & 0o022 != 0 || ![folder.uid(), 0].contains(&meta.uid()) {
            let why = "others may write to it, or it belongs to someone else than the data directory";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, LONGEST), &mut bytes)?;
        let written: Written = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        let id = written.id.parse().map_err(io::Error::other)?;
        Ok(Some(Self { id, user: written.user, hash: written.sha256 }))
    }

    /// It is there: nothing is asked for any more.
    ///
    /// # Errors
    /// If the file can't be removed.
    pub fn is_there(data_dir: &Path) -> io::Result<()> {
        fs::remove_file(file(data_dir))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn wanted(number: u64) -> Wanted {
        Wanted::new("ann".parse().unwrap(), &Secret::new([7; 32]), number)
    }

    #[test]
    fn what_is_asked_for_is_found_once_and_its_secret_is_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        assert!(Wanted::read(folder.path()).unwrap().is_none());
        wanted(1).ask(&data_dir).unwrap();
        wanted(2).ask(&data_dir).unwrap();
        assert_eq!(Wanted::read(&data_dir).unwrap(), Some(wanted(2)));
        assert_eq!(fs::metadata(file(&data_dir)).unwrap().mode() & 0o777, 0o600);
        assert!(!fs::read_to_string(file(&data_dir)).unwrap().contains(Secret::new([7; 32]).reveal()));
        Wanted::is_there(&data_dir).unwrap();
        assert!(Wanted::read(&data_dir).unwrap().is_none());
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 0, "no drafts are left");
    }

    #[test]
    fn what_others_could_have_written_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        wanted(1).ask(folder.path()).unwrap();
        let open = fs::Permissions::from_mode(0o622);
        fs::set_permissions(file(folder.path()), open).unwrap();
        assert_eq!(Wanted::read(folder.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        for nonsense in ["", "{}", "[1]", r#"{"id":"x","user":"a b","sha256":[]}"#] {
            fs::remove_file(file(folder.path())).unwrap();
            let mut draft = File::options().write(true).create_new(true).mode(0o600).open(file(folder.path())).unwrap();
            draft.write_all(nonsense.as_bytes()).unwrap();
            assert!(Wanted::read(folder.path()).is_err(), "{nonsense}");
        }
    }
}
