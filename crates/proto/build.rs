//! Compiles the protos in Rust: no protoc is needed.

use std::error::Error;
use std::path::Path;

/// What masters answer.
const MASTERS: [&str; 7] = [
    "squall/v1/common.proto",
    "squall/v1/topologies.proto",
    "squall/v1/cluster.proto",
    "squall/v1/blobs.proto",
    "squall/v1/worker_link.proto",
    "squall/internal/v1/raft.proto",
    "squall/internal/v1/packages.proto",
];

/// What slots answer.
const SLOTS: [&str; 2] = ["squall/internal/v1/slot.proto", "squall/internal/v1/tuples.proto"];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment where to write")]
fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let masters = protox::compile(MASTERS, [&root])?;
    let out = std::env::var("OUT_DIR")?;
    let descriptor = Path::new(&out).join("squall.bin");
    std::fs::write(&descriptor, prost::Message::encode_to_vec(&masters))?;
    let files = protox::compile(MASTERS.into_iter().chain(SLOTS), [&root])?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
