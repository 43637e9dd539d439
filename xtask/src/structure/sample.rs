//! Small projects for the checks' tests.

use std::path::PathBuf;

use crate::workspace::{Dependency, Files, Metadata, Package, Target};

/// A workspace in `/w` of these crates, each with its normal dependencies.
pub fn metadata(crates: &[(&str, &[&str])]) -> Metadata {
    let packages = crates.iter().map(|(name, dependencies)| package(name, dependencies)).collect();
    Metadata { packages, workspace_root: "/w".into(), target_directory: "/w/target".into() }
}

fn package(name: &str, dependencies: &[&str]) -> Package {
    let folder = name.strip_prefix("squall-").unwrap_or(name);
    Package {
        name: name.to_owned(),
        manifest_path: PathBuf::from(format!("/w/crates/{folder}/Cargo.toml")),
        dependencies: dependencies.iter().map(|name| dependency(name, None)).collect(),
        targets: vec![Target { name: name.to_owned(), kind: vec!["lib".to_owned()] }],
    }
}

/// A dependency of this kind.
pub fn dependency(name: &str, kind: Option<&str>) -> Dependency {
    Dependency { name: name.to_owned(), kind: kind.map(str::to_owned), path: None }
}

/// Files with these texts.
pub fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}
