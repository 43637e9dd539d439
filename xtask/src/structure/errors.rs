//! Every error code has a page, every page a code, and the index lists them all.

use std::collections::BTreeSet;

use super::Finding;
use crate::source::Source;
use crate::workspace::Files;

/// The index of the pages, which `cargo xtask fix` writes.
pub const INDEX: &str = "docs/errors/README.md";

const FOLDER: &str = "docs/errors/";
const SECTIONS: [&str; 3] = ["## What happened", "## Why", "## What to do"];

/// Checks codes, pages and index against each other.
pub fn check(files: &Files, sources: &[Source]) -> Vec<Finding> {
    let (codes, pages) = (codes(sources), pages(files));
    let written: BTreeSet<_> = pages.iter().map(|page| page.code.to_owned()).collect();
    let pageless = codes.difference(&written).map(|code| {
        let mend = format!("write it: `# {code}: title`, then {}", SECTIONS.join(", "));
        Finding::new(format!("{FOLDER}{code}.md"), "an error has this code, but the page is missing", mend)
    });
    let unused = written.difference(&codes).map(|code| {
        Finding::new(format!("{FOLDER}{code}.md"), "no error has this code", "remove the page, or use the code")
    });
    let mut found: Vec<_> = pageless.chain(unused).collect();
    found.extend(pages.iter().flat_map(Page::check));
    if files.get(INDEX) != Some(&index(files)) {
        found.push(Finding::new(INDEX, "is not what the pages say", "cargo xtask fix"));
    }
    found
}

/// The index as it should be.
pub fn index(files: &Files) -> String {
    let rows = pages(files).into_iter().map(|page| format!("| [{0}]({0}.md) | {1} |\n", page.code, page.title()));
    let intro = "# Error codes\n\nEvery error that an operator sees carries one of these. `cargo xtask fix` writes this list from the \
                 pages.\n\n| Code | What happened |\n|---|---|\n";
    intro.to_owned() + &rows.collect::<String>()
}

struct Page<'a> {
    code: &'a str,
    text: &'a str,
}

impl Page<'_> {
    fn title(&self) -> &str {
        let first = self.text.lines().next().unwrap_or_default();
        let title =
            first.strip_prefix("# ").and_then(|it| it.strip_prefix(self.code)).and_then(|it| it.strip_prefix(": "));
        title.unwrap_or_default()
    }

    fn check(&self) -> Vec<Finding> {
        let missing =
            SECTIONS.into_iter().filter(|section| !self.has(section)).map(|section| format!("`{section}` with a text"));
        let untitled = self.title().is_empty().then(|| format!("`# {}: title` in its first line", self.code));
        let place = format!("{FOLDER}{}.md", self.code);
        untitled
            .into_iter()
            .chain(missing)
            .map(|what| Finding::new(&place, format!("lacks {what}"), "write it"))
            .collect()
    }

    /// Whether the section is there and says something.
    fn has(&self, section: &str) -> bool {
        let mut lines = self.text.lines().skip_while(|line| line.trim_end() != section).skip(1);
        lines.find(|line| !line.trim().is_empty()).is_some_and(|line| !line.starts_with('#'))
    }
}

/// The pages in order of their codes. The index is none.
fn pages(files: &Files) -> Vec<Page<'_>> {
    let inside = files.iter().filter_map(|(path, text)| Some((path.strip_prefix(FOLDER)?.strip_suffix(".md")?, text)));
    inside.filter(|(name, _)| *name != "README").map(|(code, text)| Page { code, text }).collect()
}

/// The codes that the product makes, as `SQ1001`.
fn codes(sources: &[Source]) -> BTreeSet<String> {
    let lines = sources.iter().flat_map(Source::product).map(|(_, line)| line);
    let numbers =
        lines.flat_map(|line| line.match_indices("Code::new(").filter_map(|(at, call)| number(line, at, call)));
    numbers.map(|number| format!("SQ{number:04}")).collect()
}

/// The number that this call makes a code of; `None` if it makes something else, as an `ExitCode`.
fn number(line: &str, at: usize, call: &str) -> Option<u16> {
    let digits = line[at + call.len()..].split(')').next()?.replace('_', "");
    let longer = line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    if longer { None } else { digits.trim().parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::source::sources;

    const PAGE: &str = "# SQ1001: No spout\n\n## What happened\n\nA.\n\n## Why\n\nB.\n\n## What to do\n\nC.\n";
    const CODE: &str = "pub const NO_SPOUT: Code = Code::new(1_001);\n";

    fn found(texts: &[(&str, &str)]) -> Vec<String> {
        let mut files = sample::files(texts);
        let current = index(&files);
        files.entry(INDEX.to_owned()).or_insert(current);
        check(&files, &sources(&files)).into_iter().map(|it| format!("{}: {}", it.place, it.what)).collect()
    }

    #[test]
    fn a_code_with_its_page_in_the_index_passes() {
        assert_eq!(found(&[("a.rs", CODE), ("docs/errors/SQ1001.md", PAGE)]), [""; 0]);
    }

    #[test]
    fn a_code_without_a_page_is_found() {
        assert_eq!(
            found(&[("a.rs", CODE)]),
            ["docs/errors/SQ1001.md: an error has this code, but the page is missing"]
        );
    }

    #[test]
    fn a_page_without_a_code_is_found() {
        let unused = ["docs/errors/SQ1001.md: no error has this code"];
        assert_eq!(found(&[("docs/errors/SQ1001.md", PAGE)]), unused);
        let only_tested = format!("#[cfg(test)]\nmod tests {{\n{CODE}}}\n// {CODE}");
        assert_eq!(found(&[("a.rs", &only_tested), ("docs/errors/SQ1001.md", PAGE)]), unused);
    }

    #[test]
    fn a_page_that_lacks_a_section_its_text_or_the_title_is_found() {
        let cases = [
            (PAGE.replace("## Why\n\nB.\n\n", ""), "lacks `## Why` with a text"),
            (PAGE.replace("B.", ""), "lacks `## Why` with a text"),
            (PAGE.replace("\nC.\n", ""), "lacks `## What to do` with a text"),
            (PAGE.replace("SQ1001", "SQ1002"), "lacks `# SQ1001: title` in its first line"),
        ];
        for (page, what) in cases {
            assert_eq!(
                found(&[("a.rs", CODE), ("docs/errors/SQ1001.md", &page)]),
                [format!("docs/errors/SQ1001.md: {what}")]
            );
        }
    }

    #[test]
    fn codes_of_other_types_need_no_page() {
        assert_eq!(found(&[("a.rs", "let x = ExitCode::new(1001);\n")]), [""; 0]);
    }

    #[test]
    fn an_index_that_is_not_current_is_found() {
        let texts = [("a.rs", CODE), ("docs/errors/SQ1001.md", PAGE), (INDEX, "# Error codes\n")];
        assert_eq!(found(&texts), ["docs/errors/README.md: is not what the pages say"]);
    }

    #[test]
    fn the_index_links_each_page_with_its_title() {
        let index = index(&sample::files(&[("docs/errors/SQ1001.md", PAGE), (INDEX, "old")]));
        assert!(index.ends_with("|---|---|\n| [SQ1001](SQ1001.md) | No spout |\n"), "{index}");
    }
}
