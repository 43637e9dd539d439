//! What a master takes of the system.

use std::process::Command;

use squall_tests::cluster::SOON;
use squall_tests::{Daemon, squall, until};

/// Many shells give a program 1,024 files, and every worker is a connection.
const SCRIPT: &str = r#"ulimit -Sn 200; exec "$0" up --listen 127.0.0.1:0 --http-listen "" --data-dir "$1""#;

#[tokio::test]
async fn a_master_may_open_as_many_files_as_the_system_lets_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]).arg(squall()).arg(dir.path().join("data")).env("LC_ALL", "C");
    let master = Daemon::start(&mut command, &dir.path().join("log")).unwrap();
    let up = || async {
        let said = master.said(20);
        if said.contains("squall is up") { Ok(()) } else { Err(said) }
    };
    until("a master that is up", SOON, up).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", master.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = files.split_whitespace().skip(3).take(2).collect();
    assert!(numbers[0] != "200" && numbers[0] == numbers[1], "{files}");
}
