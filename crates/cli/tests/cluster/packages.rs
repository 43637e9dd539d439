//! Packages over connections that break.

use std::path::Path;

use serde_json::Value;

use crate::proxy::{Breaks, breaking};
use crate::support::{Up, ran, squall};

const SIZE: usize = 5_000_000;

fn bytes() -> Vec<u8> {
    (0..SIZE).map(|at| u8::try_from((at / 7 + at) % 251).unwrap()).collect()
}

fn at(address: &str, dir: &Path, line: &str) -> (i32, String, String) {
    ran(squall().args(["--connect", address]).args(line.split(' ')).current_dir(dir))
}

fn files(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(name).filter(|name| name != "data").collect();
    names.sort();
    names
}

#[test]
fn an_upload_that_breaks_goes_on_where_it_broke_and_a_download_too() {
    let up = Up::start(&[]);
    let dir = up.dir.path();
    std::fs::write(dir.join("package"), bytes()).unwrap();
    let broken = breaking(&up.address, Breaks::Up(2_500_000));
    let (code, stdout, stderr) = at(&broken, dir, "-o json blobs put package");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("4.8 MiB: uploading") && stderr.contains("the upload goes on at "), "{stderr}");
    let id = serde_json::from_str::<Value>(&stdout).unwrap()["id"].as_str().unwrap().to_owned();

    let broken = breaking(&up.address, Breaks::Down(2_500_000));
    let (code, _, stderr) = at(&broken, dir, &format!("blobs get {id} again"));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(std::fs::read(dir.join("again")).unwrap(), bytes());
    assert_eq!(files(dir), ["again", "package"]);
    // What is there is not sent again.
    assert!(up.run("blobs put package").2.ends_with("the masters have it\n"));
}

#[test]
fn an_upload_that_was_given_up_is_gone_on_with_by_the_next() {
    let up = Up::start(&[]);
    let dir = up.dir.path();
    std::fs::write(dir.join("package"), bytes()).unwrap();
    let broken = breaking(&up.address, Breaks::UpForGood(2_500_000));
    let (code, _, stderr) = at(&broken, dir, "--timeout 500ms blobs put package");
    assert!(code == 3 && stderr.contains("what has come is kept"), "{code} {stderr}");
    let (code, _, stderr) = up.run("blobs put package");
    assert!(code == 0 && stderr.contains("the upload goes on at "), "{code} {stderr}");
}

#[test]
fn a_backup_is_whole_or_not_there() {
    let up = Up::start(&[]);
    let dir = up.dir.path();
    let (code, stdout, stderr) = up.run("masters backup state.bin");
    assert!(code == 0 && stdout.starts_with("state.bin has the whole state, "), "{stdout} {stderr}");
    let (code, _, stderr) = at("127.0.0.1:1", dir, "--timeout 200ms masters backup other.bin");
    assert!(code == 3 && stderr.contains("SQ7001"), "{stderr}");
    let (code, _, stderr) = up.run("masters backup state.bin");
    assert!(code == 1 && stderr.contains("never replaced"), "{stderr}");
    assert_eq!(files(dir), ["state.bin"]);
}
