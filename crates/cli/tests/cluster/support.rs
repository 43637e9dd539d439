//! A real master in a process of its own, workers that say what they are told, and the binary as an operator calls it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use squall_proto::v1;
use squall_proto::v1::master_message::Kind as Down;
use squall_proto::v1::worker_link_client::WorkerLinkClient;
use squall_proto::v1::worker_message::Kind as Up_;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A cluster of one, ended when it is dropped.
pub struct Up {
    child: Child,
    pub address: String,
    pub dir: TempDir,
}

pub fn squall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.env_clear().env("HOME", "/nowhere").stdin(Stdio::null());
    command
}

impl Up {
    pub fn start(flags: &[&str]) -> Self {
        Self::of("up", flags)
    }

    /// A master alone: no worker takes what is submitted.
    pub fn master(flags: &[&str]) -> Self {
        Self::of("master", flags)
    }

    fn of(verb: &str, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = squall();
        command.args(["-o", "json", verb, "--http-listen", "127.0.0.1:0", "--name", "m-1", "--log-level", "error"]);
        command.env("SQUALL_LISTEN", "127.0.0.1:0").env("SQUALL_DATA_DIR", dir.path().join("data")).args(flags);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let up: Value = serde_json::from_str(&line).unwrap();
        let pid = if verb == "up" { &up["pids"][0] } else { &up["pid"] };
        assert_eq!(*pid, child.id());
        Self { address: up["grpc"].as_str().unwrap().to_owned(), child, dir }
    }

    /// Ends it as a crash would, and leaves what it wrote.
    pub fn ended(mut self) -> TempDir {
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        drop(self);
        dir
    }

    /// What a verb says: its exit code, stdout, stderr.
    pub fn run(&self, line: &str) -> (i32, String, String) {
        self.run_with(&[], line)
    }

    pub fn run_with(&self, before: &[&str], line: &str) -> (i32, String, String) {
        let mut command = squall();
        command.args(["--connect", &self.address]).args(before).args(line.split(' ')).current_dir(self.dir.path());
        ran(&mut command)
    }

    /// The same for words that have spaces in them.
    pub fn output(&self, words: &[&str]) -> (i32, String, String) {
        ran(squall().args(["--connect", &self.address]).args(words).current_dir(self.dir.path()))
    }

    /// The same without what differs from run to run: the port, ids, moments.
    pub fn table(&self, line: &str) -> String {
        let (code, stdout, stderr) = self.run(line);
        assert_eq!((code, stderr.as_str()), (0, ""), "{line}");
        stdout.replace(&self.address, "ADDRESS")
    }

    pub fn json(&self, line: &str) -> Value {
        let (code, stdout, stderr) = self.run(&format!("-o json {line}"));
        assert_eq!(code, 0, "{line}: {stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn ran(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A worker that is let in, beats, and finds whom it is to probe. It goes away without a word when it is dropped.
pub struct Worker {
    _runtime: tokio::runtime::Runtime,
}

impl Worker {
    /// Waits until it is let in.
    pub fn attach(address: &str, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(Self::enter(format!("http://{address}"), name));
        Self { _runtime: runtime }
    }

    async fn enter(address: String, name: &str) {
        let said = |kind| v1::WorkerMessage { kind: Some(kind) };
        let hello = v1::Hello {
            name: name.to_owned(),
            incarnation: 1,
            address: format!("{name}:7500"),
            slots: 4,
            capacity: Some(v1::Resources { cpu_percent: 800, memory_mib: 8_192 }),
            ..v1::Hello::default()
        };
        let (up, upward) = mpsc::channel(16);
        up.send(said(Up_::Hello(hello))).await.unwrap();
        let mut client = WorkerLinkClient::connect(address).await.unwrap();
        let mut down = client.link(tokio_stream::wrappers::ReceiverStream::new(upward)).await.unwrap().into_inner();
        assert!(matches!(down.message().await.unwrap().unwrap().kind, Some(Down::Welcome(_))));
        tokio::spawn(async move {
            let mut beats = tokio::time::interval(Duration::from_millis(200));
            loop {
                let answer = tokio::select! {
                    _ = beats.tick() => Up_::Heartbeat(v1::Heartbeat::default()),
                    told = down.message() => match told {
                        Ok(Some(v1::MasterMessage { kind: Some(Down::Probe(probe)) })) => {
                            Up_::ProbeResult(v1::ProbeResult { id: probe.id, answered: false })
                        }
                        Ok(Some(_)) => continue,
                        Ok(None) | Err(_) => return,
                    },
                };
                if up.send(said(answer)).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// The program of a topology: the SDK's word count.
pub fn word_count() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // With the packages that this test is built with, so that what they share is built once.
        cargo.args(["build", "--quiet", "--locked", "-p", "squall-cli", "-p", "squall", "--example", "word_count"]);
        let (code, stdout, stderr) = ran(cargo.args(["--message-format", "json"]));
        assert_eq!(code, 0, "{stderr}");
        let executable =
            |line: &str| serde_json::from_str::<Value>(line).ok()?.get("executable")?.as_str().map(PathBuf::from);
        stdout.lines().filter_map(executable).next_back().unwrap()
    };
    BUILT.get_or_init(build).clone()
}
