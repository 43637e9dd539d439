//! How lanes begin: components are prepared on the thread that runs them, and each lane reports before anything flows.

use squall_types::{Code, ComponentId, TaskId};
use tokio::sync::mpsc;

use crate::api::{Failure, TaskInfo};
use crate::lane::{AsyncLane, AsyncParts, AsyncTask, BoltLane, SpoutLane, prepare_async};

/// Where lanes report that they are ready: one message a lane.
pub type Prepared = mpsc::Sender<Result<(), StartError>>;

/// Why a topology doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A component's `prepare` or `open` failed.
    #[error("{component} (task {task}) can't be prepared: {what}")]
    Prepare {
        /// The component.
        component: ComponentId,
        /// The task.
        task: TaskId,
        /// What it said.
        what: String,
        /// The code of its error, if it is one of Squall's own.
        code: Option<Code>,
    },
    /// A custom grouping has no code.
    #[error("{component} is grouped by {name:?}, which no code was given for")]
    NoGrouping {
        /// The component that takes the stream.
        component: ComponentId,
        /// The grouping's name.
        name: String,
    },
    /// The system has no thread to give.
    #[error("no thread can be started")]
    NoThread(#[source] std::io::Error),
    /// The system has no randomness to give.
    #[error("no randomness can be read from the system")]
    NoRandomness(#[source] getrandom::Error),
    /// A lane ended before it was ready.
    #[error("a lane ended before it was ready: this is a defect of Squall")]
    LaneEnded,
}

impl StartError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Prepare { code, .. } => code.unwrap_or(Code::new(2401)),
            Self::NoGrouping { .. } => Code::new(2402),
            Self::NoThread(_) | Self::NoRandomness(_) => Code::new(2403),
            Self::LaneEnded => Code::new(2404),
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Prepare { .. } => "mend what the component said, or its settings",
            Self::NoGrouping { .. } => "give the code of the grouping where the topology is built",
            Self::NoThread(_) => {
                "raise the limit of threads for this user, or lower the parallelism of blocking components"
            }
            Self::NoRandomness(_) => "make the system's source of randomness readable to this process",
            Self::LaneEnded => "report it with the log",
        }
    }

    fn prepare(info: &TaskInfo, failure: &Failure) -> Self {
        let own = failure.source().downcast_ref::<crate::api::ContextError>();
        Self::Prepare {
            component: info.component.clone(),
            task: info.task,
            what: failure.chain(),
            code: own.map(crate::api::ContextError::code),
        }
    }
}

async fn report(prepared: &Prepared, result: Result<(), StartError>) -> bool {
    let ready = result.is_ok();
    // Nobody listens any more once another lane has failed.
    prepared.send(result).await.is_ok() && ready
}

/// A bolt's lane, from the start.
pub async fn bolt_lane(mut lane: BoltLane, prepared: Prepared) {
    let result = lane.chain.prepare().map_err(|(info, failure)| StartError::prepare(&info, &failure));
    let ready = report(&prepared, result).await;
    drop(prepared);
    if ready {
        lane.run().await;
    }
}

/// A spout's lane, from the start.
pub async fn spout_lane(mut lane: SpoutLane, prepared: Prepared) {
    let result = lane.prepare().map_err(|(info, failure)| StartError::prepare(&info, &failure));
    let ready = report(&prepared, result).await;
    drop(prepared);
    if ready {
        lane.run().await;
    }
}

/// An asynchronous bolt's lane, from the start.
pub async fn async_lane((mut parts, infos): (AsyncParts, Vec<TaskInfo>), prepared: Prepared) {
    let mut result = Ok(());
    for info in infos {
        match prepare_async(&parts.factory, &info, &parts.chain.run.clock, &parts.user_metrics).await {
            Ok(bolt) => parts.tasks.push(AsyncTask::new(info, bolt)),
            Err(failure) => {
                result = Err(StartError::prepare(&info, &failure));
                break;
            }
        }
    }
    let ready = report(&prepared, result).await;
    drop(prepared);
    if ready {
        // Its calls share the lane's one task, and with it tokio's budget of 128 a turn: a thousand that end together would
        // take eight turns. The lane gives way by itself.
        tokio::task::coop::unconstrained(AsyncLane::new(parts).run()).await;
    }
}
