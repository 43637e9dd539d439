//! The lifecycle as it is drawn, and as the state lives it.

mod common;

use std::path::Path;

use common::{Log, kill, name, parallel, submission};
use squall_control::{Command, Phase, Step, Submit, diagram};

#[test]
fn the_page_shows_the_diagram_that_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/concepts.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (start, end) = ("<!-- lifecycle: made by the code -->\n```mermaid\n", "```\n<!-- /lifecycle -->");
    let (before, rest) = page.split_once(start).expect("the page has a place for the diagram");
    let (shown, after) = rest.split_once(end).expect("the place has an end");
    if common::writes_golden() {
        std::fs::write(&path, [before, start, &diagram(), end, after].concat()).unwrap();
    } else {
        assert_eq!(shown, diagram(), "run this test with SQUALL_WRITE_GOLDEN=1 to write the page anew");
    }
}

#[test]
fn every_phase_can_be_reached_and_left() {
    for phase in Phase::ALL {
        assert!(
            Phase::ALL
                .iter()
                .any(|from| *from != phase && Step::ALL.iter().any(|step| from.after(*step) == Some(phase)))
        );
        assert!(Step::ALL.iter().any(|step| phase.after(*step).is_some_and(|to| to != phase)), "{phase}");
    }
}

fn command(step: Step, there: bool) -> Command {
    let submit = |update, inactive| Command::Submit(Box::new(Submit { update, inactive, ..submission("words") }));
    match step {
        Step::Submit => submit(false, false),
        Step::SubmitInactive => submit(false, true),
        Step::Update if there => submit(true, false),
        Step::Update => Command::Rollback { name: name("words"), to: None },
        Step::UpdateInactive if there => submit(true, true),
        // An update of what isn't there submits it, so there is none of this step alone.
        Step::UpdateInactive => Command::Rollback { name: name("words"), to: None },
        Step::Activate => Command::Activate(name("words")),
        Step::Deactivate => Command::Deactivate(name("words")),
        Step::Rebalance => parallel("words", "count", 3),
        Step::Kill => kill("words", 0),
        Step::Finish => Command::FinishKill(name("words")),
    }
}

fn phase(log: &Log) -> Phase {
    log.state.topology(&name("words")).map_or(Phase::Absent, |it| it.lifecycle().phase())
}

#[test]
fn the_state_takes_exactly_the_steps_that_are_drawn() {
    for from in Phase::ALL {
        for step in Step::ALL {
            let mut log = Log::new();
            let way: &[Step] = match from {
                Phase::Absent => &[],
                Phase::Active => &[Step::Submit],
                Phase::Inactive => &[Step::SubmitInactive],
                Phase::Killed => &[Step::Submit, Step::Kill],
            };
            for step in way {
                log.done(command(*step, false));
            }
            assert_eq!(phase(&log), from);
            let outcome = log.run(command(step, from != Phase::Absent));
            assert_eq!(outcome.reply.is_ok(), from.after(step).is_some(), "{from}, {step}: {:?}", outcome.reply);
            assert_eq!(phase(&log), from.after(step).unwrap_or(from), "{from}, {step}");
        }
    }
}
