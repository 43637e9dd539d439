//! What every crate's folder carries: the workspace's lints, and in the cores clippy's bans.

use super::Finding;
use super::rings::is_core;
use crate::workspace::{Files, Metadata, Package};

/// The core whose bans the other cores share, word for word. Clippy reads the nearest clippy.toml only, so each has its own.
const MODEL: &str = "crates/types/clippy.toml";

/// Checks every crate's Cargo.toml, and the cores' clippy.toml.
pub fn check(metadata: &Metadata, files: &Files) -> Vec<Finding> {
    let lints = metadata.packages.iter().filter_map(|package| unlinted(&metadata.folder(package), files));
    let cores = metadata.packages.iter().filter(|it| is_core(&it.name));
    lints.chain(cores.filter_map(|core| unbanned(metadata, core, files))).collect()
}

fn unlinted(folder: &str, files: &Files) -> Option<Finding> {
    let path = format!("{folder}/Cargo.toml");
    let inherits = files.get(&path).is_some_and(|text| text.contains("[lints]\nworkspace = true\n"));
    (!inherits)
        .then(|| Finding::new(path, "does not take the workspace's lints", "add `[lints]` with `workspace = true`"))
}

fn unbanned(metadata: &Metadata, core: &Package, files: &Files) -> Option<Finding> {
    let path = format!("{}/clippy.toml", metadata.folder(core));
    let own = files.get(&path);
    let mend = format!("copy {MODEL} there");
    (own.is_none() || own != files.get(MODEL)).then(|| Finding::new(path, "does not hold the cores' bans", mend))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{files, metadata};
    use super::*;

    const LINTED: &str = "[package]\n\n[lints]\nworkspace = true\n\n[dependencies]\n";

    fn found(texts: &[(&str, &str)]) -> Vec<String> {
        let metadata = metadata(&[("squall-types", &[]), ("squall-engine", &[]), ("squall-runtime", &[])]);
        let manifests =
            ["types", "engine", "runtime"].map(|name| (format!("crates/{name}/Cargo.toml"), LINTED.to_owned()));
        let mut all = files(texts);
        for (path, text) in manifests {
            all.entry(path).or_insert(text);
        }
        check(&metadata, &all).into_iter().map(|it| it.place).collect()
    }

    #[test]
    fn equal_bans_in_the_cores_pass() {
        assert_eq!(found(&[("crates/types/clippy.toml", "x"), ("crates/engine/clippy.toml", "x")]), [""; 0]);
    }

    #[test]
    fn a_core_without_the_bans_or_with_others_is_found() {
        assert_eq!(found(&[("crates/types/clippy.toml", "x")]), ["crates/engine/clippy.toml"]);
        let other = [("crates/types/clippy.toml", "x"), ("crates/engine/clippy.toml", "y")];
        assert_eq!(found(&other), ["crates/engine/clippy.toml"]);
        assert_eq!(found(&[]), ["crates/types/clippy.toml", "crates/engine/clippy.toml"]);
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let texts = [
            ("crates/types/clippy.toml", "x"),
            ("crates/engine/clippy.toml", "x"),
            ("crates/runtime/Cargo.toml", "[package]\n"),
        ];
        assert_eq!(found(&texts), ["crates/runtime/Cargo.toml"]);
    }
}
