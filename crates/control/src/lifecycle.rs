//! What a topology goes through, from its submission to its end. The diagram in `docs/concepts.md` is made of [`diagram`].

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use squall_types::cluster::UnixMillis;

/// Where in its life a topology is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lifecycle {
    /// Its spouts emit.
    Active,
    /// Its spouts are stopped; what was under way is finished.
    Inactive,
    /// Its spouts are stopped for good.
    Killed {
        /// When it will be stopped and forgotten.
        stops_at: UnixMillis,
    },
}

/// A lifecycle without its times, and with the place before the beginning and after the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// There is no such topology: not yet, or no more.
    Absent,
    /// See [`Lifecycle::Active`].
    Active,
    /// See [`Lifecycle::Inactive`].
    Inactive,
    /// See [`Lifecycle::Killed`].
    Killed,
}

/// What can be asked of a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// Submit it; its spouts emit.
    Submit,
    /// Submit it with its spouts stopped.
    SubmitInactive,
    /// Give it a new version, or go back to an old one.
    Update,
    /// Give it a new version and stop its spouts.
    UpdateInactive,
    /// Let its spouts emit.
    Activate,
    /// Stop its spouts.
    Deactivate,
    /// Change how it is spread.
    Rebalance,
    /// End it.
    Kill,
    /// Forget it, once its wait is over.
    Finish,
}

impl Lifecycle {
    /// The lifecycle without its times.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Active => Phase::Active,
            Self::Inactive => Phase::Inactive,
            Self::Killed { .. } => Phase::Killed,
        }
    }
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 4] = [Self::Absent, Self::Active, Self::Inactive, Self::Killed];

    /// Where a step leads from here; none, if it can't be taken here.
    pub const fn after(self, step: Step) -> Option<Self> {
        match (self, step) {
            (Self::Absent, Step::Submit) | (Self::Active | Self::Inactive, Step::Activate) => Some(Self::Active),
            (Self::Absent, Step::SubmitInactive)
            | (Self::Active | Self::Inactive, Step::Deactivate | Step::UpdateInactive) => Some(Self::Inactive),
            (Self::Active | Self::Inactive, Step::Update | Step::Rebalance) => Some(self),
            (Self::Active | Self::Inactive | Self::Killed, Step::Kill) => Some(Self::Killed),
            (Self::Killed, Step::Finish) => Some(Self::Absent),
            (
                Self::Absent,
                Step::Update
                | Step::UpdateInactive
                | Step::Activate
                | Step::Deactivate
                | Step::Rebalance
                | Step::Kill
                | Step::Finish,
            )
            | (Self::Active | Self::Inactive, Step::Submit | Step::SubmitInactive | Step::Finish)
            | (
                Self::Killed,
                Step::Submit
                | Step::SubmitInactive
                | Step::Update
                | Step::UpdateInactive
                | Step::Activate
                | Step::Deactivate
                | Step::Rebalance,
            ) => None,
        }
    }
}

impl Step {
    /// All steps.
    pub const ALL: [Self; 9] = [
        Self::Submit,
        Self::SubmitInactive,
        Self::Update,
        Self::UpdateInactive,
        Self::Activate,
        Self::Deactivate,
        Self::Rebalance,
        Self::Kill,
        Self::Finish,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Killed => "killed",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submit => "submit",
            Self::SubmitInactive => "submit --inactive",
            Self::Update => "update",
            Self::UpdateInactive => "update --inactive",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Rebalance => "rebalance",
            Self::Kill => "kill",
            Self::Finish => "wait is over",
        })
    }
}

/// The lifecycle as a Mermaid state diagram.
pub fn diagram() -> String {
    let mut text = "stateDiagram-v2\n".to_owned();
    for from in Phase::ALL {
        for to in Phase::ALL {
            let steps: Vec<_> =
                Step::ALL.iter().filter(|step| from.after(**step) == Some(to)).map(Step::to_string).collect();
            if !steps.is_empty() {
                let (from, to) = (node(from), node(to));
                writeln!(text, "    {from} --> {to}: {}", steps.join(", ")).expect("a String takes any text");
            }
        }
    }
    text
}

/// What Mermaid calls a phase; it has one sign for both the beginning and the end.
fn node(phase: Phase) -> String {
    if phase == Phase::Absent { "[*]".to_owned() } else { phase.to_string() }
}
