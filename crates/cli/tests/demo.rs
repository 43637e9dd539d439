//! `squall demo` from the outside.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Lines 3 to 6 are no posts, and 7 is blank.
const POSTS: &[u8] = b"\
{\"created_at\": \"2014-08-14T16:50:00Z\", \"text\": \"#ActOnClimate now\"}
{\"created_at\": \"2014-08-14T16:50:01Z\", \"text\": \"again: #actonclimate! #ActOnClimate https://x.org/#no\"}
{\"created_at\": \"2014-08-14T16:50:01Z\"}
no JSON at all
{\"created_at\": \"yesterday\", \"text\": \"#x\"}
{\"created_at\": \"2014-08-14T16:50:01Z\", \"text\": \"\xFF\"}

{\"created_at\": \"2014-08-14T19:30:00+02:00\", \"text\": \"\xEF\xBC\x83\xE6\x9D\xB1\xE4\xBA\xAC #SOTU\", \"user\": \"x\"}
{\"created_at\": \"2014-08-14T17:30:02Z\", \"text\": \"#sotu\"}
";

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.arg("demo").stdin(Stdio::null());
    command
}

fn ran(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn file(dir: &TempDir, content: &[u8]) -> PathBuf {
    let path = dir.path().join("posts.jsonl");
    fs::write(&path, content).unwrap();
    path
}

/// The output without what is another in each run: the name of the file, latencies, and how long it took.
fn stable(stdout: &str, path: &Path) -> String {
    let mut stable = String::new();
    for line in stdout.replace(&path.display().to_string(), "FILE").lines() {
        let line = line.split_once("emit to merge").map_or(line, |(before, _)| before);
        let line = line.strip_prefix("ended after ").map_or(line, |rest| rest.split_once(": ").unwrap().1);
        stable.push_str(line.trim_end());
        stable.push('\n');
    }
    stable
}

#[test]
fn a_file_is_counted_to_its_end_and_the_books_balance() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, POSTS);
    let (code, stdout, stderr) = ran(demo().arg(&path));
    assert_eq!(stable(&stdout, &path), include_str!("golden/demo.txt"));
    assert_eq!(stderr, include_str!("golden/demo.err"));
    assert_eq!(code, Some(0));
}

#[test]
fn a_file_can_be_given_by_name_or_as_an_option_or_piped_in() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, POSTS);
    let golden = include_str!("golden/demo.txt").replace("posts from FILE", "posts from standard input");
    for args in [&["-"][..], &["--file", "-"]] {
        let (code, stdout, _) = ran(demo().args(args).stdin(fs::File::open(&path).unwrap()));
        assert_eq!((stable(&stdout, &path), code), (golden.clone(), Some(0)));
    }
    let (_, stdout, _) = ran(demo().arg("--file").arg(&path));
    assert_eq!(stable(&stdout, &path), include_str!("golden/demo.txt"));
}

#[test]
fn an_input_that_can_t_be_read_is_an_error_before_anything_starts() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("missing.jsonl");
    let (code, stdout, stderr) = ran(demo().arg(&missing));
    let reason = fs::File::open(&missing).unwrap_err();
    let first = format!("error[SQ3101]: can't open {}\ncause: {reason}\n", missing.display());
    assert!(stderr.starts_with(&first), "{stderr}");
    assert_eq!((code, stdout.as_str()), (Some(1), ""));

    let (code, stdout, stderr) = ran(demo().arg(dir.path()));
    assert!(stderr.starts_with("error[SQ3102]: ") && stderr.contains("is a directory"), "{stderr}");
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
}

#[test]
fn a_window_that_can_t_be_cut_is_an_error_with_a_code() {
    let (code, stdout, stderr) = ran(demo().args(["--for", "1ms", "--window", "10s", "--slide", "3s"]));
    assert!(stderr.starts_with("error[SQ2311]: "), "{stderr}");
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
}

#[test]
fn a_wrong_command_line_is_refused_with_code_2() {
    for args in [
        &["--rate", "fast"][..],
        &["--rate", "0"],
        &["--rate", "nan"],
        &["--speed", "10"],
        &["--speed", "-1", "x"],
        &["--top", "0"],
        &["--parallelism", "0"],
        &["--seed", "1", "posts.jsonl"],
        &["--window", "60"],
        &["x", "--file", "y"],
    ] {
        let (code, _, stderr) = ran(demo().args(["--for", "1ms"]).args(args));
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
    }
}

#[test]
fn an_empty_input_ends_at_once() {
    let (code, stdout, stderr) = ran(demo().arg("-"));
    assert!(stdout.ends_with(": 0 emitted, 0 acked, 0 failed, 0 timed out, 0 lost, 0 left\n"), "{stdout}");
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn garbage_is_counted_and_only_its_first_lines_are_shown() {
    let garbage: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let lines = garbage.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    let dir = TempDir::new().unwrap();
    let (code, stdout, stderr) = ran(demo().arg(file(&dir, &garbage)));
    assert!(stdout.contains(&format!("bad lines skipped {lines}\n")), "{lines} lines\n{stdout}");
    assert_eq!(stderr.lines().count(), 5, "{stderr}");
    assert!(stderr.ends_with("; further ones are only counted\n"), "{stderr}");
    assert_eq!(code, Some(0));
}

#[test]
fn made_up_posts_end_after_their_time_with_a_line_a_second() {
    let (code, stdout, stderr) = ran(demo().args(["--for", "2500ms", "--rate", "1000"]));
    let refreshes = stdout.lines().filter(|line| line.contains(" posts/s, emit to merge ")).count();
    assert!((1..=3).contains(&refreshes), "{stdout}");
    assert!(stdout.contains("#music") && stdout.contains("Over all posts") && !stdout.contains('\x1b'), "{stdout}");
    let books = stdout.lines().last().unwrap();
    assert!(books.starts_with("ended after ") && books.ends_with(" 0 failed, 0 timed out, 0 lost, 0 left"), "{books}");
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_replay_at_a_speed_takes_the_posts_time_divided_by_it_and_counts_the_same() {
    let posts: String = (0..5)
        .map(|second| format!("{{\"created_at\": \"2014-08-14T16:50:0{second}Z\", \"text\": \"#x\"}}\n"))
        .collect();
    let dir = TempDir::new().unwrap();
    let path = file(&dir, posts.as_bytes());
    for (speed, at_least) in [("10", 400), ("100", 40)] {
        let began = Instant::now();
        let (code, stdout, stderr) = ran(demo().arg(&path).args(["--speed", speed]));
        assert!(began.elapsed() >= Duration::from_millis(at_least), "{:?} at {speed}", began.elapsed());
        assert!(stdout.contains("Over all posts\n  1            5  "), "{stdout}");
        assert!(stdout.ends_with(": 5 emitted, 5 acked, 0 failed, 0 timed out, 0 lost, 0 left\n"), "{stdout}");
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_drains_and_the_books_come_last() {
    for signal in ["INT", "TERM"] {
        let mut child = demo().args(["--rate", "5000"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.lines().any(|line| line.contains(" posts/s, emit to merge p50")) {
            assert!(stdout.read_line(&mut said).unwrap() > 0, "it ended by itself:\n{said}");
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        stdout.read_to_string(&mut said).unwrap();
        let output = child.wait_with_output().unwrap();
        let books = said.lines().last().unwrap();
        let emitted = books.split(": ").nth(1).and_then(|books| books.split(" emitted").next()).unwrap_or_default();
        let drained = format!(": {emitted} emitted, {emitted} acked, 0 failed, 0 timed out, 0 lost, 0 left");
        assert!(books.starts_with("drained in ") && books.ends_with(&drained) && emitted != "0", "{said}");
        assert!(said.contains("\nposts "), "{said}");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn an_input_that_never_ends_is_ended_when_its_time_is_up() {
    let mut child = demo().args(["-", "--for", "500ms"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(POSTS.split_inclusive(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("Over all posts\n  1            1  ") && stdout.contains("#actonclimate"), "{stdout}");
    assert!(stdout.ends_with(": 1 emitted, 1 acked, 0 failed, 0 timed out, 0 lost, 0 left\n"), "{stdout}");
    assert_eq!(output.status.code(), Some(0));
    drop(stdin);
}
