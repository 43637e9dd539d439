//! Has decided what the watch over workers has found, one after the other, so that the watch itself never waits for the log.

use std::sync::Arc;

use squall_control::Command;
use tokio::sync::mpsc;

use crate::core::Core;

/// Records while this master leads.
pub(crate) struct Recorder {
    core: Arc<Core>,
    commands: mpsc::Receiver<Command>,
}

impl Recorder {
    pub(super) fn new(core: Arc<Core>, commands: mpsc::Receiver<Command>) -> Self {
        Self { core, commands }
    }

    /// Records until it is dropped, or nothing more comes.
    pub(crate) async fn run(mut self) {
        while let Some(command) = self.commands.recv().await {
            if let Err(fault) = self.core.decide(self.core.own(), command).await {
                let failure = fault.failure();
                tracing::warn!(code = %failure.code, "what became of a worker was not put on record: {}", failure.cause);
            }
        }
    }
}
