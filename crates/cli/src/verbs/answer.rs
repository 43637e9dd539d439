//! Answers that most changes give.

use serde_json::{Value, json};
use squall_proto::v1;

use crate::output::View;

/// A change was made.
pub struct Done {
    what: String,
    applied: v1::Applied,
}

impl Done {
    /// What was done, and where it stands in the log.
    pub fn new(what: impl Into<String>, applied: Option<v1::Applied>) -> Self {
        Self { what: what.into(), applied: applied.unwrap_or_default() }
    }
}

impl View for Done {
    fn text(&self, wide: bool) -> String {
        let revision = if wide { format!(" (revision {})", self.applied.revision) } else { String::new() };
        format!("{}{revision}\n", self.what)
    }

    fn json(&self) -> Value {
        json!({ "done": self.what, "revision": self.applied.revision, "repeated": self.applied.repeated })
    }
}

/// A concern as JSON.
pub fn concern(concern: &v1::Concern) -> Value {
    json!({
        "health": crate::output::health(concern.health),
        "subject": concern.subject,
        "code": concern.code,
        "cause": concern.cause,
        "next_step": concern.next_step,
    })
}

/// Concerns as lines, the worst first.
pub fn concerns(concerns: &[v1::Concern]) -> String {
    let line = |it: &v1::Concern| {
        let code = if it.code.is_empty() { String::new() } else { format!(" [{}]", it.code) };
        let next = if it.next_step.is_empty() { String::new() } else { format!("       next: {}\n", it.next_step) };
        format!("{:<6} {}: {}{code}\n{next}", crate::output::health(it.health), it.subject, it.cause)
    };
    concerns.iter().map(line).collect()
}

const STALE: &str = "stale: without a majority of the masters this is what the one that answered knows; `squall status` names the way out\n";

/// A line that says that an answer may be old.
pub fn stale(stale: bool) -> &'static str {
    if stale { STALE } else { "" }
}
