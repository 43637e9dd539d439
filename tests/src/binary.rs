//! The program under test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Names a built `squall` to test, so that none is built.
const GIVEN: &str = "SQUALL_BINARY_UNDER_TEST";

/// The binary `squall`, built as tests are unless one is given in `SQUALL_BINARY_UNDER_TEST`.
///
/// # Panics
/// If it can't be built.
pub fn squall() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os(GIVEN).map_or_else(build, PathBuf::from)).clone()
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["build", "--quiet", "--locked", "-p", "squall-cli", "--bin", "squall", "--message-format", "json"]);
    let output = command.output().expect("cargo runs, for it runs this test");
    let text = String::from_utf8_lossy(&output.stdout);
    let built = text.lines().filter_map(executable).next_back();
    built.unwrap_or_else(|| panic!("squall can't be built: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The program that a line of cargo's messages says it has built.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    Some(PathBuf::from(message.get("executable")?.as_str()?))
}
