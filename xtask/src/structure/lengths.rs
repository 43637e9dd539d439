//! How long files are, and whether the cores carry at least as many lines of tests as of code.

use super::Finding;
use crate::source::Source;

/// No file has more lines than this outside of its tests.
const LONGEST: usize = 600;

/// The crates whose tests must outweigh their code.
const TESTED: [&str; 3] = ["types", "engine", "control"];

/// Finds the files that are too long.
pub fn files(sources: &[Source]) -> Vec<Finding> {
    let long = sources.iter().map(|it| (it, it.product_lines())).filter(|(_, lines)| *lines > LONGEST);
    let finding = |(source, lines): (&Source, usize)| {
        let what = format!("{lines} lines outside of tests; the most is {LONGEST}");
        Finding::new(&source.path, what, "split it by what its parts are for")
    };
    long.map(finding).collect()
}

/// Finds the cores with less test code than product code.
pub fn cores(sources: &[Source]) -> Vec<Finding> {
    let weighed = TESTED.iter().map(|name| (*name, weigh(sources, name)));
    let light = weighed.filter(|(_, (product, tests))| tests < product);
    let finding = |(name, (product, tests)): (&str, (usize, usize))| {
        let what = format!("{tests} lines of tests to {product} of code");
        Finding::new(format!("crates/{name}"), what, "test what it decides until the tests outweigh the code")
    };
    light.map(finding).collect()
}

/// A line for each core, for people.
pub fn summary(sources: &[Source]) -> Vec<String> {
    let line = |name: &&str| {
        let (product, tests) = weigh(sources, name);
        format!("{name}: {product} lines of code, {tests} of tests")
    };
    TESTED.iter().map(line).collect()
}

/// Lines of product code and of test code in one crate.
fn weigh(sources: &[Source], name: &str) -> (usize, usize) {
    let folder = format!("crates/{name}/");
    let lines = sources.iter().filter(|it| it.path.starts_with(&folder)).map(Source::code_lines);
    lines.fold((0, 0), |sum, (product, tests)| (sum.0 + product, sum.1 + tests))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::source::sources;

    fn of(files: &[(&str, &str)]) -> Vec<Source> {
        sources(&sample::files(files))
    }

    #[test]
    fn the_601st_line_outside_of_tests_is_too_long() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn t() {}\n".repeat(900));
        assert_eq!(files(&of(&[("a.rs", &("// x\n".repeat(600) + &tests))])), []);
        let found = files(&of(&[("a.rs", &("// x\n".repeat(601) + &tests))]));
        assert_eq!(found[0].what, "601 lines outside of tests; the most is 600");
    }

    #[test]
    fn a_core_needs_as_many_lines_of_tests_as_of_code() {
        let product = ("crates/engine/src/a.rs", "fn a() {}\nfn b() {}\n// why\n\n");
        let enough = of(&[product, ("crates/engine/tests/a.rs", "fn t() {}\nfn u() {}\n")]);
        assert_eq!(cores(&enough), []);
        let few = of(&[product, ("crates/engine/tests/a.rs", "fn t() {}\n// a long\n// story\n")]);
        assert_eq!(cores(&few)[0].what, "1 lines of tests to 2 of code");
        assert!(summary(&few).contains(&"engine: 2 lines of code, 1 of tests".to_owned()));
    }

    #[test]
    fn one_core_does_not_pay_for_the_other() {
        let found =
            cores(&of(&[("crates/types/src/a.rs", "fn a() {}\n"), ("crates/engine/tests/a.rs", "fn t() {}\n")]));
        assert_eq!(found[0].place, "crates/types");
    }
}
