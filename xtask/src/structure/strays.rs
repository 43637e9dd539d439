//! The cores' sources: no files, sockets, threads or clocks. Clippy's bans say the same; this also sees what is not called.

use super::Finding;
use super::rings::is_core;
use crate::source::Source;
use crate::workspace::Metadata;

/// Modules of `std` that no core names.
const MODULES: [&str; 5] = ["fs", "net", "thread", "process", "env"];

/// Names that tell the time.
const CLOCKS: [&str; 3] = ["Instant::now", "SystemTime", "UNIX_EPOCH"];

/// Checks the product lines of every core.
pub fn check(metadata: &Metadata, sources: &[Source]) -> Vec<Finding> {
    let cores = metadata.packages.iter().filter(|it| is_core(&it.name)).map(|it| metadata.folder(it) + "/src/");
    let cores: Vec<_> = cores.collect();
    let inside = sources.iter().filter(|it| cores.iter().any(|core| it.path.starts_with(core)));
    inside.flat_map(check_source).collect()
}

/// Looks at a statement at a time, for a `use` may go over many lines.
fn check_source(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut text, mut starts) = (String::new(), Vec::new());
    for (number, line) in source.product() {
        starts.push((text.len(), number));
        text.extend(line.chars().filter(|c| !c.is_whitespace()));
        if text.ends_with([';', '{', '}']) && !is_open_use(&text) {
            findings.extend(strays(&text).into_iter().map(|(at, name)| finding(source, line_of(&starts, at), &name)));
            text.clear();
            starts.clear();
        }
    }
    findings
}

/// The line that holds the byte at this place, by where each line starts.
fn line_of(starts: &[(usize, usize)], at: usize) -> usize {
    starts.iter().take_while(|(start, _)| *start <= at).last().map_or(0, |(_, number)| *number)
}

/// Whether the text is a `use` that goes on in the next line.
fn is_open_use(text: &str) -> bool {
    text.contains("use") && text.matches('{').count() > text.matches('}').count() && text.contains("::{")
}

fn finding(source: &Source, number: usize, name: &str) -> Finding {
    let mend = "a core gets time, seeds and bytes as arguments; let ring 2 do this and pass the result in";
    Finding::new(format!("{}:{number}", source.path), format!("a core names {name}"), mend)
}

/// The forbidden names in a piece of source without spaces, and where they stand.
fn strays(text: &str) -> Vec<(usize, String)> {
    let paths = text.match_indices("std::").map(|(at, path)| at + path.len());
    let modules = paths.flat_map(|at| heads(&text[at..]).into_iter().map(move |(offset, head)| (at + offset, head)));
    let modules = modules.filter(|(_, head)| MODULES.contains(head)).map(|(at, head)| (at, format!("std::{head}")));
    let clocks = CLOCKS.iter().flat_map(|clock| text.match_indices(clock));
    modules.chain(clocks.map(|(at, clock)| (at, clock.to_owned()))).collect()
}

/// The first names after `std::`, one or those of a group, and where they stand.
fn heads(rest: &str) -> Vec<(usize, &str)> {
    if !rest.starts_with('{') {
        return vec![(0, head(rest))];
    }
    let mut depth = 0_usize;
    let mut heads = Vec::new();
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(c, '{' | ',') {
            heads.push((at + 1, head(&rest[at + 1..])));
        }
    }
    heads
}

fn head(path: &str) -> &str {
    path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{files, metadata};
    use super::*;
    use crate::source::sources;

    fn found(krate: &str, text: &str) -> Vec<String> {
        let path = format!("crates/{krate}/src/a.rs");
        let metadata = metadata(&[("squall-engine", &[]), ("squall-runtime", &[])]);
        let findings = check(&metadata, &sources(&files(&[(&path, text)])));
        findings.into_iter().map(|it| format!("{} {}", it.place.rsplit_once(':').unwrap().1, it.what)).collect()
    }

    #[test]
    fn a_core_that_names_files_sockets_threads_or_clocks_is_found() {
        for (line, name) in [
            ("let x = std::fs::read(path);", "std::fs"),
            ("use std::net::TcpStream;", "std::net"),
            ("std::thread::spawn(|| ());", "std::thread"),
            ("let now = Instant::now();", "Instant::now"),
            ("fn f(now: SystemTime) {}", "SystemTime"),
        ] {
            assert_eq!(found("engine", &format!("fn a() {{}}\n{line}\n")), [format!("2 a core names {name}")]);
        }
    }

    #[test]
    fn a_group_does_not_hide_them() {
        assert_eq!(found("engine", "use std::{\n    fmt::{self, Write},\n    fs,\n};\n"), ["3 a core names std::fs"]);
        assert_eq!(found("engine", "use std::{thread::{self, sleep}, fmt};\n"), ["1 a core names std::thread"]);
    }

    #[test]
    fn comments_strings_tests_and_other_names_are_free() {
        let text = "// std::fs\nlet x = \"std::net\";\nuse std::fmt::{fs, net};\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(found("engine", text), [""; 0]);
    }

    #[test]
    fn the_crates_that_do_io_are_free() {
        assert_eq!(found("runtime", "use std::thread;\n"), [""; 0]);
    }
}
