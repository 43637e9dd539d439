use super::*;

fn of(files: &[(&str, &str)]) -> Vec<Source> {
    sources(&files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

fn only(text: &str) -> Source {
    of(&[("crates/x/src/a.rs", text)]).remove(0)
}

#[test]
fn a_test_module_is_cut_with_its_attributes_and_what_follows_is_not() {
    let source = only("fn a() {}\n\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}\n");
    assert_eq!(source.product().map(|(number, _)| number).collect::<Vec<_>>(), [1, 2, 8]);
    assert_eq!(source.code_lines(), (2, 5));
}

#[test]
fn single_test_items_are_cut_too() {
    let source = only("#[cfg(test)]\nuse a::{b, c};\n#[cfg(test)]\nfn f(x: [u8; 2]) -> u8 {\n    1\n}\nfn g() {}\n");
    assert_eq!(source.code_lines(), (1, 6));
}

#[test]
fn an_attribute_in_a_comment_or_a_string_cuts_nothing() {
    assert_eq!(only("// #[cfg(test)]\nfn f() {}\nlet x = \"#[cfg(test)]\";\nfn g() {}\n").code_lines(), (3, 0));
}

#[test]
fn comments_and_blank_lines_are_lines_but_no_code() {
    let source = only("//! Doc.\n\n/// Doc.\nfn f() {}\n");
    assert_eq!(source.product_lines(), 4);
    assert_eq!(source.code_lines(), (1, 0));
}

#[test]
fn files_are_tests_by_their_place() {
    for path in ["crates/x/src/a/tests.rs", "crates/x/tests/big.rs", "tests/src/lib.rs", "crates/x/src/tests/b.rs"] {
        assert_eq!(of(&[(path, "fn f() {}\n")])[0].code_lines(), (0, 1), "{path}");
    }
    assert_eq!(of(&[("crates/x/src/contests.rs", "fn f() {}\n")])[0].code_lines(), (1, 0));
}

#[test]
fn files_are_tests_by_their_declaration() {
    for (parent, child) in
        [("src/a.rs", "src/a/model.rs"), ("src/a/mod.rs", "src/a/model.rs"), ("src/lib.rs", "src/model/deep.rs")]
    {
        let found = of(&[(parent, "#[cfg(test)]\nmod model;\nfn f() {}\n"), (child, "fn g() {}\n")]);
        let lines = |path| found.iter().find(|it| it.path == path).map(Source::code_lines);
        assert_eq!(lines(child), Some((0, 1)), "{child}");
        assert_eq!(lines(parent), Some((1, 2)), "{parent}");
    }
    let found = of(&[("src/lib.rs", "mod model;\n"), ("src/model.rs", "fn g() {}\n")]);
    assert_eq!(found[1].code_lines(), (1, 0));
}

#[test]
fn a_file_can_declare_itself_a_test() {
    assert_eq!(only("#![cfg(test)]\nfn f() {}\n").code_lines(), (0, 2));
}
