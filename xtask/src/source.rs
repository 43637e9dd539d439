//! Rust source as lines of product code and of test code.
//!
//! No parser: comments and the insides of literals are blanked out, and then brackets match. That is enough to find the items behind
//! `#[cfg(test)]`, and it can't be misled by braces in strings.

use std::collections::BTreeSet;

use crate::workspace::Files;

mod blank;

use blank::blank;

/// A Rust file, with its test lines told from the others.
#[derive(Debug)]
pub struct Source {
    /// Its path within the workspace.
    pub path: String,
    code: String,
    test: Vec<bool>,
}

impl Source {
    /// The file's lines of product code with their numbers from 1, comments and literals blanked out.
    pub fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, _, test)| !test).map(|(number, line, _)| (number, line))
    }

    /// How many lines there are outside of tests, blank ones and comments too.
    pub fn product_lines(&self) -> usize {
        self.product().count()
    }

    /// How many lines hold product code, and how many test code; blank lines and comments don't count.
    pub fn code_lines(&self) -> (usize, usize) {
        let code = self.lines().filter(|(_, line, _)| !line.trim().is_empty());
        code.fold(
            (0, 0),
            |(product, tests), (_, _, test)| if test { (product, tests + 1) } else { (product + 1, tests) },
        )
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        self.code.lines().zip(&self.test).enumerate().map(|(index, (line, test))| (index + 1, line, *test))
    }
}

/// The Rust files among these.
pub fn sources(files: &Files) -> Vec<Source> {
    let rust = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let blanked: Vec<_> = rust.map(|(path, text)| (path, blank(text))).collect();
    let declared: BTreeSet<_> = blanked.iter().flat_map(|(path, code)| test_modules(path, code)).collect();
    let whole = |path: &str| is_test_path(path) || declared.iter().any(|module| is_module(path, module));
    let source = |(path, code): (&String, String)| {
        let test = if whole(path) { vec![true; code.lines().count()] } else { test_lines(&code) };
        Source { path: path.clone(), code, test }
    };
    blanked.into_iter().map(source).collect()
}

/// Whether the file is a test by its place alone.
fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// Whether the file is the module with this path (without `.rs`), or lies below it.
fn is_module(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// The modules that a file declares as `#[cfg(test)] mod name;`, as paths without `.rs`.
fn test_modules(path: &str, code: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let folder = if matches!(name, "mod" | "lib" | "main") { folder } else { stem };
    let items = test_items(code).into_iter().filter_map(|(from, to)| code[from..to].strip_suffix(';'));
    let modules = items.filter_map(|item| item.rsplit_once("mod ").map(|(_, name)| name.trim()));
    modules.map(|name| format!("{folder}/{name}")).collect()
}

/// For each line whether it belongs to an item behind `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut test = vec![code.contains("#![cfg(test)]"); code.lines().count()];
    for (from, to) in test_items(code) {
        let line = |at: usize| code[..at].matches('\n').count();
        test[line(from)..=line(to - 1)].fill(true);
    }
    test
}

/// Where the items behind `#[cfg(test)]` lie, their attribute included.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(from) = ["#[cfg(test)]", "#[cfg(all(test,"].iter().filter_map(|it| code[at..].find(it)).min() {
        let from = at + from;
        at = item_end(code, from);
        items.push((from, at));
    }
    items
}

/// The end of the item that starts here: its `;`, or the brace that closes its body.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(byte, b'}' | b';') {
            return at + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests;
