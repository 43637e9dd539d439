//! The workspace as data: what cargo says of it, and the text of its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::shell::Cmd;

/// What `cargo metadata --no-deps` says, as far as it is used here.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// The workspace's own packages.
    pub packages: Vec<Package>,
    /// The folder of the workspace.
    pub workspace_root: PathBuf,
    /// Where cargo builds.
    pub target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Its name, as `squall-types`.
    pub name: String,
    /// Its Cargo.toml.
    pub manifest_path: PathBuf,
    /// What it depends on, of every kind.
    pub dependencies: Vec<Dependency>,
    /// What it builds.
    pub targets: Vec<Target>,
}

/// One dependency of a package.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub kind: Option<String>,
    /// The folder, when it is a path dependency.
    pub path: Option<PathBuf>,
}

/// One thing that a package builds.
#[derive(Debug, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its kinds, as `lib`, `bin`, `example`.
    pub kind: Vec<String>,
}

impl Dependency {
    /// Whether the crate itself is built on it, not only its tests.
    pub fn is_built_on(&self) -> bool {
        self.kind.as_deref() != Some("dev")
    }
}

impl Metadata {
    /// Asks cargo, without touching Cargo.lock.
    pub fn read() -> Result<Self, Error> {
        let cmd = Cmd::cargo(&["metadata", "--no-deps", "--locked", "--format-version", "1"]);
        serde_json::from_str(&cmd.output()?).map_err(|source| Error::Json { command: cmd.to_string(), source })
    }

    /// The names of a package's examples.
    pub fn examples(&self, package: &str) -> Vec<&str> {
        let packages = self.packages.iter().filter(|it| it.name == package);
        let targets = packages.flat_map(|it| &it.targets);
        targets.filter(|it| it.kind.iter().any(|kind| kind == "example")).map(|it| it.name.as_str()).collect()
    }

    /// A package's folder within the workspace, with `/` between parts.
    pub fn folder(&self, package: &Package) -> String {
        let folder = package.manifest_path.parent().unwrap_or(&self.workspace_root);
        relative(&self.workspace_root, folder)
    }
}

/// The texts of the workspace's files, by their path within it.
pub type Files = BTreeMap<String, String>;

/// What holds nothing of the project's own writing. In a git worktree `.git` is a file.
const SKIPPED: [&str; 4] = ["target", ".git", "node_modules", "proptest-regressions"];

/// Reads every text file of the workspace, and leaves out what is not UTF-8.
pub fn read_files(root: &Path) -> Result<Files, Error> {
    let mut files = Files::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let fail = |source| Error::File { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                continue;
            }
            let kind = entry.file_type().map_err(fail)?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let bytes = fs::read(&path).map_err(|source| Error::File { path: path.clone(), source })?;
                files.extend(String::from_utf8(bytes).ok().map(|text| (relative(root, &path), text)));
            }
        }
    }
    Ok(files)
}

fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"packages":[{"name":"squall","manifest_path":"/w/crates/squall/Cargo.toml",
        "dependencies":[{"name":"tokio","kind":null,"path":null},{"name":"proptest","kind":"dev"}],
        "targets":[{"name":"squall","kind":["lib"]},{"name":"word-count","kind":["example"]}]}],
        "workspace_root":"/w","target_directory":"/w/target","version":1}"#;

    #[test]
    fn metadata_tells_examples_folders_and_kinds() {
        let metadata: Metadata = serde_json::from_str(SAMPLE).unwrap();
        assert_eq!(metadata.examples("squall"), ["word-count"]);
        assert_eq!(metadata.examples("squall-cli"), [""; 0]);
        let squall = &metadata.packages[0];
        assert_eq!(metadata.folder(squall), "crates/squall");
        assert_eq!(squall.dependencies.iter().map(Dependency::is_built_on).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn the_files_of_this_crate_are_found_by_their_path() {
        let files = read_files(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(files["src/workspace.rs"].contains("the_files_of_this_crate_are_found_by_their_path"));
    }
}
