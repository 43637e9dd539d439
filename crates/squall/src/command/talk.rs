//! What the program says on stderr.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use squall_runtime::metrics::{ComponentSnapshot, Snapshot};
use squall_types::Code;
use squall_types::topology::{Invalid, NoSuchComponent};

use crate::run::{Grouped, RunError};
use crate::{Books, Runner};

/// The exit code of a wrong command line.
pub const USAGE: u8 = 2;

/// Why the program does nothing, or ends otherwise than it should.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line can't be read.
    #[error("{}", .0.to_string().trim_end())]
    Usage(clap::Error),
    /// An option is for a component that isn't there.
    #[error(transparent)]
    NoSuchComponent(#[from] NoSuchComponent),
    /// The topology can't be run as it is.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It couldn't be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The description can't be written.
    #[error("the description can't be written to stdout")]
    NoOutput(#[source] std::io::Error),
}

impl CommandError {
    /// What the process ends with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::NoSuchComponent(_) => ExitCode::from(USAGE),
            Self::Invalid(_) | Self::Run(_) | Self::NoOutput(_) => ExitCode::FAILURE,
        }
    }

    /// All that has to be said of it.
    pub fn report(&self) -> String {
        match self {
            // clap has its own way to say what would be right.
            Self::Usage(error) => {
                let text = error.to_string();
                let what = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
                format!("error[{}]: {what}\n", Code::new(3001))
            }
            Self::NoSuchComponent(error) => report(error.code(), error, error.next_step()),
            Self::Invalid(invalid) => {
                invalid.problems().map(|problem| report(problem.code(), problem, problem.next_step())).collect()
            }
            Self::Run(error) => report(error.code(), error, error.next_step()),
            Self::NoOutput(_) => {
                report(Code::new(3004), self, "look at where stdout leads to: a full disk, a closed pipe")
            }
        }
    }
}

/// Something in the books that isn't as it should be. Displayed as what happened.
#[derive(Debug, thiserror::Error)]
pub enum Remainder {
    /// Something was still in flight.
    #[error("{}", in_flight(*left))]
    InFlight {
        /// Roots.
        left: u64,
    },
    /// Roots failed, and no spout emits them again.
    #[error("{given_up} root(s) failed, timed out or were lost, and were not emitted again")]
    GivenUp {
        /// Roots.
        given_up: u64,
    },
    /// Ticks or watermarks failed in bolts.
    #[error("{calls} call(s) for ticks or watermarks failed: what they would have emitted is missing")]
    Outside {
        /// How many.
        calls: u64,
    },
    /// Threads couldn't be ended.
    #[error("still at work when the drain ended: {components}")]
    Hung {
        /// Which components, with commas between.
        components: String,
    },
}

impl Remainder {
    /// What is left of a run.
    pub fn of(books: &Books, last: &Snapshot) -> Vec<Self> {
        let calls = outside(last);
        let in_flight = (books.cut_short || books.left > 0).then_some(Self::InFlight { left: books.left });
        let components = books.hung.iter().map(|id| format!("{:?}", id.as_str())).collect::<Vec<_>>().join(", ");
        let hung = (!books.hung.is_empty()).then_some(Self::Hung { components });
        let given_up = (books.given_up > 0).then_some(Self::GivenUp { given_up: books.given_up });
        let outside = (calls > 0).then_some(Self::Outside { calls });
        given_up.into_iter().chain(outside).chain(in_flight).chain(hung).collect()
    }

    /// All that has to be said of it.
    pub fn report(&self) -> String {
        match self {
            Self::InFlight { .. } => {
                let next = format!(
                    "give the drain more time than {:?}, with --drain-timeout where the program has it; a source that can repeat \
                     emits them again",
                    Runner::DRAIN_TIMEOUT
                );
                report(Code::new(3005), self, &next)
            }
            Self::GivenUp { .. } => report(
                Code::new(3007),
                self,
                "look at the components' errors above; squall::Replay, around the spout, emits what fails again",
            ),
            Self::Outside { .. } => report(
                Code::new(3008),
                self,
                "look at the components' errors above; a tick or a watermark that may fail keeps what it has to say for the next one",
            ),
            Self::Hung { .. } => report(
                Code::new(3006),
                self,
                "look at what its execute or next waits for; give calls that can block a time limit",
            ),
        }
    }
}

/// Calls for ticks and watermarks that failed.
pub fn outside(last: &Snapshot) -> u64 {
    last.components.iter().map(|component| component.total.errors.outside).sum()
}

fn in_flight(left: u64) -> String {
    match left {
        0 => "rows in flight were dropped when the drain ended".to_owned(),
        left => format!("{left} root(s) were still pending when the drain ended; rows in flight were dropped"),
    }
}

/// A component's errors on one line: how many, and the last, with its backtrace below if there is one. `None` if it had none.
pub fn errors(component: &ComponentSnapshot) -> Option<String> {
    let errors = &component.total.errors;
    let last = errors.last.as_deref()?;
    // A message may have lines of its own, and the books are found by theirs.
    let last = last.lines().collect::<Vec<_>>().join(" ");
    let mut text = format!(
        "{}: {} failures, {} panics, the last: {last}\n",
        component.id,
        Grouped(errors.failures),
        Grouped(errors.panics)
    );
    for line in errors.backtrace.iter().flat_map(|backtrace| backtrace.lines()) {
        push(&mut text, format_args!("    {line}\n"));
    }
    Some(text)
}

/// Talks on stderr. Where nobody can hear it, the topology runs all the same.
pub fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes());
}

/// An error with its causes, and what to do next.
pub fn report(code: Code, error: &dyn std::error::Error, next: &str) -> String {
    let mut text = format!("error[{code}]: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        push(&mut text, format_args!("cause: {error}\n"));
        cause = error.source();
    }
    push(&mut text, format_args!("next: {next}\n"));
    text
}

fn push(text: &mut String, what: fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use squall_runtime::metrics::{Errors, TaskMetrics, UserSnapshot};

    use super::*;
    use crate::{ComponentId, StartError};

    #[test]
    fn an_error_is_said_with_its_code_its_causes_and_the_next_step() {
        let source = std::io::Error::other("no more threads");
        let error = CommandError::Run(RunError::Start(StartError::NoThread(source)));
        let report = error.report();
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines[..2], ["error[SQ2403]: no thread can be started", "cause: no more threads"]);
        assert!(lines[2].starts_with("next: raise the limit of threads") && lines.len() == 3, "{report}");
    }

    #[test]
    fn every_problem_of_a_topology_is_said() {
        let Err(invalid) = crate::TopologyBuilder::new("a b").build() else { panic!("an empty topology") };
        let report = CommandError::Invalid(invalid).report();
        assert!(report.contains("error[SQ1001]: ") && report.contains("error[SQ1006]: "), "{report}");
        assert_eq!(report.matches("next: ").count(), report.matches("error[").count());
    }

    #[test]
    fn a_components_errors_are_one_line_whatever_they_say_and_none_is_none() {
        let mut component = ComponentSnapshot {
            id: "work".into(),
            is_spout: false,
            total: TaskMetrics::default(),
            tasks: Vec::new(),
            lanes: Vec::new(),
            user: UserSnapshot::default(),
        };
        assert_eq!(errors(&component), None);
        component.total.errors = Errors {
            failures: 1_234,
            panics: 1,
            outside: 0,
            last: Some("left: 1\nright: 2".to_owned()),
            backtrace: None,
        };
        assert_eq!(errors(&component).unwrap(), "work: 1,234 failures, 1 panics, the last: left: 1 right: 2\n");
        component.total.errors.backtrace = Some("0: work\n  at work.rs:7".to_owned());
        assert!(errors(&component).unwrap().ends_with("right: 2\n    0: work\n      at work.rs:7\n"));
    }

    #[test]
    fn what_is_left_is_said_and_hung_components_are_named() {
        assert!(Remainder::of(&Books::default(), &Snapshot::default()).is_empty());
        let hung = vec![ComponentId::from("count"), ComponentId::from("sink")];
        let books = Books { left: 3, given_up: 2, cut_short: true, hung, ..Books::default() };
        let said: String = Remainder::of(&books, &Snapshot::default()).iter().map(Remainder::report).collect();
        assert!(said.contains("error[SQ3005]: 3 root(s) were still pending when"), "{said}");
        assert!(said.contains("error[SQ3007]: 2 root(s) failed"), "{said}");
        let untracked = Books { cut_short: true, ..Books::default() };
        let said: String = Remainder::of(&untracked, &Snapshot::default()).iter().map(Remainder::report).collect();
        assert!(said.starts_with("error[SQ3005]: rows in flight were dropped when the drain ended\n"), "{said}");
        let said: String = Remainder::of(&books, &Snapshot::default()).iter().map(Remainder::report).collect();
        assert!(said.contains("error[SQ3006]: still at work when the drain ended: \"count\", \"sink\""), "{said}");
    }
}
