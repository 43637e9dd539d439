//! The limit probes: what the machine can do with the design and nothing else. They are not part of the product.

use std::fs;
use std::path::{Path, PathBuf};

use super::spec::Metrics;
use crate::error::Error;
use crate::shell::Cmd;

/// The word-count probe, built.
pub struct Probes {
    program: PathBuf,
}

impl Probes {
    /// Copies the probe below the target folder, for its own may be read-only, and builds it there.
    pub fn build(folder: &Path, target: &Path) -> Result<Self, Error> {
        let (copy, build) = (target.join("probes/wordcount"), target.join("probes/target"));
        copy_folder(&folder.join("wordcount"), &copy)?;
        stand_alone(&copy.join("Cargo.toml"))?;
        let manifest = copy.join("Cargo.toml");
        let cmd = Cmd::cargo(&["build", "--release", "--manifest-path"]).arg(manifest);
        cmd.env("CARGO_TARGET_DIR", &build).run()?;
        Ok(Self { program: build.join("release/probe-wordcount") })
    }

    /// Runs one variant for this many seconds.
    ///
    /// # Errors
    /// Says why there are no figures.
    pub fn run(&self, variant: &str, seconds: f64) -> Result<Metrics, String> {
        let cmd = Cmd::at(&self.program, &[variant, &seconds.to_string()]);
        metrics(&cmd.output().map_err(|error| error.to_string())?, variant)
    }
}

/// The figures in what a probe prints; its name among them is none.
fn metrics(text: &str, variant: &str) -> Result<Metrics, String> {
    let line =
        text.lines().find(|line| !line.trim().is_empty()).ok_or(format!("the probe has no variant {variant}"))?;
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(line).map_err(|error| format!("the probe printed no agreed JSON: {error}"))?;
    Ok(object.into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?))).collect())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Error> {
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::File { path, source }
    };
    fs::create_dir_all(to).map_err(fail(to))?;
    for entry in fs::read_dir(from).map_err(fail(from))? {
        let entry = entry.map_err(fail(from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            if entry.file_name() != "target" {
                copy_folder(&path, &copy)?;
            }
        } else {
            let bytes = fs::read(&path).map_err(fail(&path))?;
            fs::write(&copy, bytes).map_err(fail(&copy))?;
        }
    }
    Ok(())
}

/// Makes the crate a workspace of its own, or cargo would count it to the one around the target folder.
fn stand_alone(manifest: &Path) -> Result<(), Error> {
    let fail = |source| Error::File { path: manifest.to_path_buf(), source };
    let text = fs::read_to_string(manifest).map_err(fail)?;
    if text.contains("[workspace]") { Ok(()) } else { fs::write(manifest, text + "\n[workspace]\n").map_err(fail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probes_line_gives_its_figures() {
        let text = "{\"probe\":\"chain\",\"mwords_s\":56.1,\"cores\":2,\"cpu_s_per_m\":0.035}\n";
        let metrics = metrics(text, "chain").unwrap();
        assert_eq!(
            metrics.into_iter().collect::<Vec<_>>(),
            [("cores".to_owned(), 2.0), ("cpu_s_per_m".to_owned(), 0.035), ("mwords_s".to_owned(), 56.1)]
        );
    }

    #[test]
    fn an_unknown_variant_prints_nothing_and_is_named() {
        assert_eq!(metrics("", "chian"), Err("the probe has no variant chian".to_owned()));
        assert!(metrics("boo", "chain").is_err());
    }
}
