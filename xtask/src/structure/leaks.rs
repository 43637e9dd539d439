//! Nothing in the project points out of it.

use super::Finding;
use crate::workspace::{Files, Metadata};

/// Paths of a workplace, put together here so that this file does not hold them.
const ELSEWHERE: [&str; 3] = [concat!("/wo", "rk/"), concat!("../sha", "red"), concat!("/tmp/", "wt")];

/// Checks path dependencies and the text of every file.
pub fn check(metadata: &Metadata, files: &Files) -> Vec<Finding> {
    let lines = files.iter().flat_map(|(path, text)| leaks(path, text));
    outside(metadata).into_iter().chain(lines).collect()
}

fn outside(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let paths = package.dependencies.iter().filter_map(|it| it.path.as_ref().map(|path| (&it.name, path)));
        for (name, _) in paths.filter(|(_, path)| !path.starts_with(&metadata.workspace_root)) {
            let what = format!("takes {name} from outside of the workspace");
            findings.push(Finding::new(&package.name, what, "depend on a published version"));
        }
    }
    findings
}

fn leaks(path: &str, text: &str) -> Vec<Finding> {
    let hit = |line: &str| ELSEWHERE.into_iter().find(|needle| line.contains(needle));
    let lines = text.lines().enumerate().filter_map(|(index, line)| hit(line).map(|needle| (index + 1, needle)));
    let mend = "say it without a path of one machine";
    lines
        .map(|(number, needle)| Finding::new(format!("{path}:{number}"), format!("mentions `{needle}`"), mend))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{files, metadata};
    use super::*;

    #[test]
    fn a_mention_of_a_workplace_is_found_with_its_line() {
        for needle in ELSEWHERE {
            let text = format!("a\nsee {needle}x\n");
            let found = check(&metadata(&[]), &files(&[("docs/a.md", &text)]));
            assert_eq!(found[0].place, "docs/a.md:2");
        }
        assert_eq!(check(&metadata(&[]), &files(&[("docs/a.md", "a framework/b, shared/c\n")])), []);
    }

    #[test]
    fn a_dependency_from_outside_is_found() {
        let mut metadata = metadata(&[("squall", &["probe"])]);
        metadata.packages[0].dependencies[0].path = Some("/w/crates/probe".into());
        assert_eq!(check(&metadata, &files(&[])), []);
        metadata.packages[0].dependencies[0].path = Some("/elsewhere/probe".into());
        assert_eq!(check(&metadata, &files(&[]))[0].what, "takes probe from outside of the workspace");
    }
}
