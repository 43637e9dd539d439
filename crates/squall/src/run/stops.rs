//! What can stop a run: signals, and a handle.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

/// Stops a run from any thread, as Ctrl-C does: once to drain it, once more to end it at once.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    called: Arc<Notify>,
}

impl Stopper {
    /// Stops the run. Before the run has begun, this is kept.
    pub fn stop(&self) {
        self.called.notify_one();
    }
}

/// Everything that can stop a run.
pub(super) struct Stops {
    signals: Option<Signals>,
    stopper: Stopper,
}

impl Stops {
    /// From here on signals come here, if they are asked for, instead of ending the process.
    pub fn listen(signals: bool, stopper: Stopper) -> io::Result<Self> {
        Ok(Self { signals: signals.then(Signals::listen).transpose()?, stopper })
    }

    /// Returns when the run is told to stop.
    pub async fn next(&mut self) {
        let signal = async {
            match &mut self.signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = signal => {}
            () = self.stopper.called.notified() => {}
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}
