//! Each code has its page, and each page its form.

use std::fs;
use std::path::PathBuf;

use squall_types::Code;

fn page(code: Code) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{code}.md"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_code_has_a_page_under_its_own_heading() {
    for &code in Code::all() {
        let page = page(code);
        let title = page.strip_prefix(&format!("# {code}: ")).and_then(|rest| rest.lines().next());
        assert!(title.is_some_and(|title| !title.is_empty()), "{code}");
    }
}

#[test]
fn each_page_says_what_happened_why_and_what_to_do_and_no_section_is_empty() {
    for &code in Code::all() {
        let page = page(code);
        let sections: Vec<(&str, &str)> =
            page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
        let names: Vec<&str> = sections.iter().map(|&(name, _)| name).collect();
        assert_eq!(names, ["What happened", "Why", "What to do"], "{code}");
        assert!(sections.iter().all(|(_, text)| text.trim().len() > 40), "{code}");
    }
}

#[test]
fn each_page_shows_the_message_with_its_code() {
    for &code in Code::all() {
        // As it stands in an answer, or as the command line prints it.
        let forms = [format!("\n{code}: "), format!("\nerror[{code}]: ")];
        let page = page(code);
        let mut blocks = page.split("```text").skip(1).filter_map(|rest| rest.split("```").next());
        assert!(blocks.any(|block| forms.iter().any(|form| block.contains(form))), "{code}");
    }
}
