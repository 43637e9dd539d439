//! One component alone, driven call by call: what the test kit's harnesses stand on.
//!
//! A bolt runs in a chain of its own with a real ledger above it, a spout with a real collector; only the lanes are missing.

mod bolt;
mod spout;

use std::sync::Arc;

use squall_engine::edges::EdgeIds;
use squall_types::{Schema, TaskId};

use crate::api::TaskInfo;
use crate::lane::{OutStream, Outputs};
use crate::tap::Tap;

pub use bolt::BoltDriver;
pub use spout::{Called, SpoutDriver};

/// Moves the clock of the paused runtime that the caller has entered.
pub fn advance(by: std::time::Duration) {
    crate::slot::advance(by);
}

/// Outputs that lead nowhere: the tap sees what is emitted.
fn outputs(info: &TaskInfo, tasks: Arc<[TaskId]>, seed: u64, tap: Arc<dyn Tap>) -> Outputs {
    let stream = |stream: &squall_types::topology::StreamDecl| {
        let schema = Schema::new(info.component.clone(), stream.id.clone(), stream.fields.clone());
        OutStream::new(Arc::new(schema), stream.direct, Vec::new(), Vec::new())
    };
    let mut outputs = Outputs::new(info.streams.iter().map(stream).collect(), EdgeIds::new(seed), true, tasks);
    outputs.tap = Some(tap);
    outputs.lead_nowhere = true;
    outputs
}
