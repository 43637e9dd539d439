//! The test kit's errors and their pages: each page quotes the messages as they are shown.

use std::path::Path;
use std::time::Duration;

use squall::testing::CompleteError;

fn errors() -> Vec<CompleteError> {
    let (component, fields) = (|| "sentences".into(), "text".to_owned());
    vec![
        CompleteError::NotASpout { component: "split".into() },
        CompleteError::NotABolt { component: component() },
        CompleteError::MockStream {
            component: component(),
            row: 2,
            stream: "titles".into(),
            known: "default".to_owned(),
        },
        CompleteError::MockRow { component: component(), row: 0, stream: "default".into(), values: 2, fields },
        CompleteError::MockDirect { component: component(), row: 0, stream: "default".into(), direct: true },
        CompleteError::MockDirect { component: component(), row: 0, stream: "default".into(), direct: false },
        CompleteError::Unfinished { limit: Duration::from_secs(86_400), pending: 3 },
    ]
}

#[test]
fn each_page_quotes_the_message_as_it_is_shown() {
    for error in errors() {
        let code = error.code().expect("it has one of its own");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{code}.md"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(page.contains(&format!("```text\n{error}\n```")), "the page of {code} doesn't show: {error}");
    }
}
