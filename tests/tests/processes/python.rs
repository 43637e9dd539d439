//! The public API from another language: Python's grpcio, from the protos alone.
//!
//! It needs `python3` with `venv`, and packages from its index the first time; they are kept below cargo's target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use squall_tests::Cluster;
use squall_tests::client::submission;

/// What is installed.
const PACKAGES: [&str; 2] = ["grpcio==1.85.1", "grpcio-tools==1.85.1"];

fn run(what: &str, command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}\n{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// A Python with grpcio, made once.
fn python(target: &Path) -> PathBuf {
    let venv = target.join("python-grpcio");
    let python = venv.join("bin/python");
    let imports = || Command::new(&python).args(["-c", "import grpc, grpc_tools"]).output();
    if !imports().is_ok_and(|output| output.status.success()) {
        run(
            "python3 can't make a virtual environment; install it with its module venv",
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
        );
        run(
            "grpcio can't be installed; let pip reach a package index (PIP_INDEX_URL)",
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(PACKAGES),
        );
    }
    python
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_made_of_the_protos_alone_uses_the_whole_public_api() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = python(target);
    let generated = tempfile::tempdir().unwrap();
    let protos = root.join("proto");
    let mut compile = Command::new(&python);
    compile.args(["-m", "grpc_tools.protoc"]).arg("-I").arg(&protos);
    compile.arg("--python_out").arg(generated.path()).arg("--grpc_python_out").arg(generated.path());
    let files = ["common", "topologies", "cluster", "blobs", "worker_link"];
    compile.args(files.map(|file| protos.join("squall/v1").join(file).with_extension("proto")));
    run("the protos don't compile", &mut compile);

    let cluster = Cluster::start(3).await;
    let addresses: Vec<_> = (0..3).map(|master| cluster.network().address(master).to_string()).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/client.py");
    let mut command = Command::new(&python);
    command.arg(script).args(addresses).env("PYTHONPATH", generated.path());
    command.env("DESCRIPTION", submission("words", 0, None).description);
    let said = run("the client failed", &mut command);
    assert!(said.ends_with("all of it works\n"), "{said}");
}
