//! `squall explain`: the pages of `docs/errors`, in the binary.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::client::Output;
use crate::error::CliError;
use crate::output::{Table, View, show};

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Which code.
#[derive(clap::Args)]
pub struct ExplainArgs {
    /// The code, as SQ6006; without one all are listed
    code: Option<String>,
}

struct Page(&'static str, &'static str);

fn title(page: &str) -> &str {
    page.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, title)| title)
}

impl View for Page {
    fn text(&self, _: bool) -> String {
        self.1.to_owned()
    }

    fn json(&self) -> Value {
        json!({ "code": self.0, "title": title(self.1), "page": self.1 })
    }
}

struct All;

impl View for All {
    fn text(&self, _: bool) -> String {
        let mut table = Table::new(["CODE", "WHAT HAPPENED"]);
        for (code, page) in PAGES {
            table.row([(*code).to_owned(), title(page).to_owned()]);
        }
        table.text("")
    }

    fn json(&self) -> Value {
        PAGES.iter().map(|(code, page)| json!({ "code": code, "title": title(page) })).collect()
    }
}

/// Shows a page, or lists all.
pub fn run(args: &ExplainArgs, output: Output) -> Result<ExitCode, CliError> {
    match &args.code {
        None => show(&All, output)?,
        Some(code) => {
            let wanted = code.to_uppercase();
            let digits = wanted.strip_prefix("SQ").unwrap_or(&wanted);
            let page = PAGES.iter().find(|(known, _)| known[2..] == *digits);
            let (code, page) = page.ok_or_else(|| CliError::NoSuchCode(code.clone()))?;
            show(&Page(code, page), output)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use squall_types::Code;

    use super::*;

    #[test]
    fn every_code_that_is_named_has_a_page_with_a_title() {
        for code in Code::all() {
            let page = PAGES.iter().find(|(known, _)| *known == code.to_string());
            assert!(page.is_some_and(|(_, page)| !title(page).is_empty()), "{code}");
        }
        assert!(PAGES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
