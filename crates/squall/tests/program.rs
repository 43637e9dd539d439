//! A topology's program, as an operator meets it: its output, its exit codes, and signals.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Makes the example one that doesn't end by itself.
const ENDLESS: &str = "--set numbers.limit=1000000000000";

/// The example that `cargo test` has built beside this test.
fn program() -> Command {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.ancestors().nth(2).unwrap().join("examples/misbehave");
    assert!(path.exists(), "{} is built by `cargo build --examples`", path.display());
    Command::new(path)
}

fn run(line: &str) -> Output {
    program().args(line.split_whitespace()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn last_line(stderr: &str) -> &str {
    stderr.lines().last().unwrap_or_default()
}

/// A program that runs, with what it has said on stderr.
struct Running {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Running {
    fn start(line: &str) -> Self {
        let mut child = program().args(line.split_whitespace()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, said: String::new() }
    }

    /// Reads on until a line has this in it.
    fn until(&mut self, wanted: &str) {
        self.until_line(|line| line.contains(wanted));
    }

    /// Reads on until its table shows a row emitted.
    fn until_it_emits(&mut self) {
        self.until_line(|line| {
            let mut cells = line.split_whitespace();
            cells.next() == Some("numbers") && cells.nth(1).is_some_and(|emitted| emitted != "0")
        });
    }

    fn until_line(&mut self, is_wanted: impl Fn(&str) -> bool) {
        loop {
            let from = self.said.len();
            let read = self.stderr.read_line(&mut self.said).unwrap();
            assert!(read > 0, "ended before it said what was waited for:\n{}", self.said);
            if is_wanted(&self.said[from..]) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for its end: its exit code, and all that it said on stderr.
    fn end(mut self) -> (Option<i32>, String) {
        self.stderr.read_to_string(&mut self.said).unwrap();
        (self.child.wait().unwrap().code(), self.said.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The numbers in front of these words in the books.
fn books(line: &str, words: [&str; 3]) -> [u64; 3] {
    let (_, books) = line.split_once(": ").unwrap_or_else(|| panic!("no books: {line}"));
    words.map(|word| {
        let part = books.split(", ").find_map(|part| part.strip_suffix(word));
        part.unwrap_or_else(|| panic!("no {word:?} in {line}")).trim().replace(',', "").parse().unwrap()
    })
}

#[test]
fn describe_prints_the_topology_on_stdout_and_nothing_else() {
    let output = run("--describe --cores 2 --parallelism work=2 --parallelism numbers=2 --set work.hang_at=7");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert_eq!(text(&output.stdout), include_str!("golden/misbehave.json"));
}

#[test]
fn describe_shows_no_chain_where_there_is_none_on_these_cores() {
    let output = run("--describe --parallelism numbers=2");
    let described: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let input = &described["components"][1]["inputs"][0];
    assert_eq!((&input["chain"], &input["chained"]), (&serde_json::json!(true), &serde_json::json!(false)));
}

#[test]
fn a_finite_topology_ends_by_itself_with_whole_books() {
    let output = run("--set numbers.limit=1234567");
    let stderr = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""), "{stderr}");
    let line = last_line(stderr);
    let books = ": 1,234,567 emitted, 1,234,567 acked, 0 failed, 0 timed out, 0 lost, 0 left";
    assert!(line.starts_with("ended after ") && line.ends_with(books), "{stderr}");
}

#[test]
fn what_is_missing_of_a_watermark_is_said_though_every_tuple_was_acked() {
    let output = run("--set numbers.limit=1000 --set work.panic_at_end=true");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error[SQ3008]: 1 call(s) for ticks or watermarks failed"), "{stderr}");
    assert_eq!(books(last_line(stderr), ["emitted", "acked", "failed"]), [1_000, 1_000, 0]);
    let logged = stderr.lines().find(|line| line.contains("will panic at the end of the input"));
    assert!(logged.is_some_and(|line| line.contains("component=work") && line.contains("task=2")), "{stderr}");
}

#[test]
fn who_cannot_be_heard_runs_all_the_same() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut told = program();
    told.args(["--metrics-every", "10ms", "--set", "numbers.limit=1000", "--set", "work.fail_every=100"]);
    assert_eq!(told.stderr(full).status().unwrap().code(), Some(1), "as where it can be heard");
}

#[test]
fn failures_are_told_apart_in_the_books() {
    let output = run("--log off --set numbers.limit=1000 --set work.fail_every=100");
    let stderr = text(&output.stderr);
    assert_eq!(books(last_line(stderr), ["emitted", "acked", "failed"]), [1_000, 990, 10]);
    assert!(stderr.contains("error[SQ3007]: 10 root(s) failed, timed out or were lost, and were not emitted again\n"));
    assert_eq!(output.status.code(), Some(1), "roots that failed for good are no success");
}

#[test]
fn the_first_error_of_a_task_and_each_thousandth_are_logged_and_all_are_counted_before_the_books() {
    let output = run("--cores 1 --set numbers.limit=20500 --set work.fail_every=10");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let warnings: Vec<&str> = stderr.lines().filter(|line| line.contains("a tuple failed")).collect();
    for (line, count) in warnings.iter().zip([1, 1_000, 2_000]) {
        let said = format!("a tuple failed component=work task=2 error=\"told to fail\" failures={count}");
        assert!(line.ends_with(&said), "{stderr}");
    }
    assert_eq!(warnings.len(), 3, "{stderr}");
    let errors = stderr.lines().find(|line| line.starts_with("work: "));
    assert_eq!(errors, Some("work: 2,050 failures, 0 panics, the last: told to fail"), "{stderr}");
}

#[test]
fn both_signals_drain_and_the_books_come_last() {
    for signal in ["INT", "TERM"] {
        let mut running = Running::start(&format!("{ENDLESS} --metrics-every 20ms"));
        running.until_it_emits();
        running.signal(signal);
        let (code, said) = running.end();
        assert_eq!(code, Some(0), "{said}");
        let line = last_line(&said);
        assert!(line.starts_with("drained in "), "{said}");
        let [emitted, acked, left] = books(line, ["emitted", "acked", "left"]);
        assert!(emitted > 0 && acked == emitted && left == 0, "{line}");
    }
}

#[test]
fn its_time_being_up_drains_it_too() {
    let output = run(&format!("{ENDLESS} --for 50ms --delivery at-most-once"));
    let line = last_line(text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{line}");
    let how = line.starts_with("drained in ") && line.contains(" s, at most once, so no acks: ");
    assert!(how && line.ends_with(" emitted, 0 failed in bolts") && !line.contains("acked"), "{line}");
}

#[test]
fn at_most_once_what_bolts_fail_is_told_and_is_no_failure_of_the_run() {
    let output = run("--log off --delivery at-most-once --set numbers.limit=1000 --set work.fail_every=100");
    let stderr = text(&output.stderr);
    assert!(last_line(stderr).ends_with(": 1,000 emitted, 10 failed in bolts"), "{stderr}");
    assert_eq!((output.status.code(), stderr.contains("error[")), (Some(0), false), "{stderr}");
}

#[test]
fn a_run_that_is_shorter_than_the_interval_shows_a_table_too() {
    let output = run("--metrics-every 1h --set numbers.limit=1000 --set work.fail_every=100");
    let stderr = text(&output.stderr);
    let row = |id: &str| {
        let line = stderr.lines().find(|line| line.starts_with(id)).unwrap_or_else(|| panic!("no {id}: {stderr}"));
        line.split_whitespace().collect::<Vec<_>>()
    };
    let headings = ["component", "tasks", "emitted", "transferred", "acked", "failed", "errors"];
    assert_eq!(row("component")[..7], headings);
    assert_eq!(row("numbers ")[1..7], ["1", "1,000", "1,000", "990", "10", "0"]);
    assert_eq!(row("work ")[1..7], ["1", "0", "0", "990", "10", "10"]);
}

#[test]
fn a_component_that_holds_its_core_for_60_ms_once_is_named_however_short_the_run() {
    let output = run("--set numbers.limit=1000 --set work.hold_at=500");
    let stderr = text(&output.stderr);
    let named: Vec<&str> =
        stderr.lines().filter(|line| line.contains("holds its core") && line.contains(" component=work ")).collect();
    assert_eq!(named.len(), 1, "{stderr}");
}

#[test]
fn a_panic_fails_its_tuple_alone_and_is_said_with_its_place() {
    let output = run("--set numbers.limit=1000 --set work.panic_at=500");
    let stderr = text(&output.stderr);
    assert_eq!(books(last_line(stderr), ["emitted", "acked", "failed"]), [1_000, 999, 1]);
    assert!(stderr.contains("work: 0 failures, 1 panics, the last: panicked: told to panic (at "), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_hung_execute_stops_neither_the_table_nor_the_drains_deadline_and_is_named() {
    let mut running = Running::start("--metrics-every 100ms --drain-timeout 200ms --set work.hang_at=5000");
    running.until("holds its core");
    running.until("component");
    let stopped = Instant::now();
    running.signal("INT");
    let (code, said) = running.end();
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error[SQ3006]: still at work when the drain ended: \"work\""), "{said}");
    let line = last_line(&said);
    assert!(line.starts_with("not drained after ") && books(line, ["emitted", "acked", "left"])[2] > 0, "{said}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut running = Running::start("--drain-timeout 1h --set work.hang_at=5000");
    running.until("holds its core");
    running.signal("INT");
    running.until("draining");
    running.signal("INT");
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(last_line(&said).starts_with("not drained after "), "{said}");
}

#[test]
fn a_component_that_hangs_while_it_is_opened_can_be_interrupted() {
    let mut running = Running::start("--set numbers.hang_on_open=true");
    running.until("running");
    running.signal("INT");
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error[SQ3003]: "), "{said}");
}

#[test]
fn a_setting_of_another_type_keeps_the_topology_from_starting() {
    let output = run("--set numbers.limit=many");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error[SQ2203]: numbers (task 1)") && stderr.contains("\nnext: "), "{stderr}");
}

#[test]
fn a_wrong_command_line_is_explained_with_the_nearest_name() {
    for (line, code, hint) in [
        ("--parallelism wrok=2", "SQ1041", "did you mean \"work\"?"),
        ("--set number.limit=2", "SQ1041", "did you mean \"numbers\"?"),
        ("--parallelism work", "SQ3001", "write COMPONENT=N"),
        ("--for tomorrow", "SQ3001", "as in 30s or 1500ms"),
        ("--drain-timout 1s", "SQ3001", "--drain-timeout"),
    ] {
        let output = run(line);
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{line}: {stderr}");
        assert!(stderr.starts_with(&format!("error[{code}]: ")) && stderr.contains(hint), "{line}: {stderr}");
    }
}

#[test]
fn an_override_that_makes_the_topology_invalid_is_refused_with_all_problems() {
    let output = run("--parallelism work=0 --parallelism numbers=0");
    let stderr = text(&output.stderr);
    assert_eq!((output.status.code(), stderr.matches("error[SQ1014]: ").count()), (Some(1), 2), "{stderr}");
}

#[test]
fn help_is_data() {
    let output = run("--help");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(text(&output.stdout).contains("Exit codes:"));
}
