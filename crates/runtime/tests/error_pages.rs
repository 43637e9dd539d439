//! The runtime's errors and their pages: each page is headed by its code and quotes the message as it is shown.

use std::error::Error;
use std::path::PathBuf;

use squall_runtime::{ContextError, EmitError, RouteError, StartError};
use squall_types::{Code, TaskId};

fn emit_errors() -> Vec<(Code, String)> {
    let (stream, fields) = (|| "default".to_owned(), || "word, count".to_owned());
    let errors = [
        EmitError::NoSuchStream { stream: 1 },
        EmitError::WrongWidth { stream: stream(), fields: fields(), values: 1 },
        EmitError::OtherFields { stream: stream(), fields: fields(), found: "word".to_owned() },
        EmitError::Directness { stream: "orders".to_owned(), direct: true },
        EmitError::Directness { stream: stream(), direct: false },
        EmitError::NoSuchReceiver { stream: "orders".to_owned(), task: 7 },
    ];
    let emitted = errors.iter().map(|error| (error.code(), shown(error)));
    let routed = [
        RouteError::PastTheEnd { stream: "orders".to_owned(), index: 3, tasks: 3 },
        RouteError::Panicked { stream: "orders".to_owned(), panic: "panicked: no such desk".to_owned() },
    ];
    emitted.chain(routed.iter().map(|error| (error.code(), shown(error)))).collect()
}

fn context_errors() -> Vec<(Code, String)> {
    let not_a_number = serde_json::from_value::<u32>("many".into()).expect_err("it is a string");
    let errors = [
        ContextError::NoSuchStream {
            component: "split".into(),
            stream: "problem".to_owned(),
            declared: "default, problems".to_owned(),
        },
        ContextError::NoSuchSetting { component: "lookup".into(), key: "server".to_owned() },
        ContextError::BadSetting { component: "lookup".into(), key: "in_flight".to_owned(), source: not_a_number },
    ];
    errors.iter().map(|error| (error.code(), shown(error))).collect()
}

fn start_errors() -> Vec<(Code, String)> {
    let refused = "Connection refused (os error 111)".to_owned();
    let errors = [
        StartError::Prepare { component: "lookup".into(), task: TaskId::new(4), what: refused, code: None },
        StartError::NoGrouping { component: "desks".into(), name: "large-first".to_owned() },
        StartError::NoThread(std::io::Error::other("Resource temporarily unavailable (os error 11)")),
        StartError::LaneEnded,
    ];
    errors.iter().map(|error| (error.code(), shown(error))).collect()
}

/// The message with its causes, as an operator sees it.
fn shown(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[test]
fn codes_never_change() {
    let numbers = |errors: Vec<(Code, String)>| errors.iter().map(|(code, _)| code.number()).collect::<Vec<_>>();
    assert_eq!(numbers(emit_errors()), [2101, 2102, 2103, 2104, 2104, 2105, 2106, 2106]);
    assert_eq!(numbers(context_errors()), [2201, 2202, 2203]);
    assert_eq!(numbers(start_errors()), [2401, 2402, 2403, 2404]);
}

#[test]
fn each_page_is_headed_by_its_code_and_quotes_the_message_as_it_is_shown() {
    for (code, message) in [emit_errors(), context_errors(), start_errors()].concat() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{code}.md"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        assert!(page.contains(&format!("```text\n{message}\n```")), "the page of {code} doesn't show: {message}");
    }
}
