//! Each row error has its code, and each code its page.

use squall_types::RowError;
use squall_types::topology::Fields;

const PAGES: [&str; 3] = [
    include_str!("../../../../docs/errors/SQ2001.md"),
    include_str!("../../../../docs/errors/SQ2002.md"),
    include_str!("../../../../docs/errors/SQ2003.md"),
];

fn errors() -> [RowError; 3] {
    [
        RowError::NoSuchPosition { index: 2, width: 2 },
        RowError::NoSuchField { field: "count".to_owned(), fields: Fields::new(["word", "n"]) },
        RowError::WrongType { field: "n".to_owned(), expected: "int", found: "string" },
    ]
}

#[test]
fn codes_never_change() {
    assert_eq!(errors().map(|error| error.code().to_string()), ["SQ2001", "SQ2002", "SQ2003"]);
}

#[test]
fn each_page_says_what_happened_why_and_what_to_do() {
    for (error, page) in errors().iter().zip(PAGES) {
        let code = error.code();
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, ["## What happened", "## Why", "## What to do"], "{code}");
    }
}

#[test]
fn each_page_quotes_the_message_as_it_is_shown() {
    for (error, page) in errors().iter().zip(PAGES) {
        assert!(page.contains(&error.to_string()), "the page of {} doesn't have: {error}", error.code());
    }
}
