//! Bolts that await.

use std::future::Future;
use std::pin::Pin;

use squall_types::{IntoRow, OwnedTuple, TaskId, Timestamp};

use super::{BoltContext, Declarer, Result};
use crate::lane::Emits;

/// A bolt that awaits I/O, with a bounded number of tuples in flight per executor.
///
/// Many calls of `execute` are under way at a time, on one thread, so state is behind `&self`. A tuple is acked when its
/// call returns `Ok`, and its rows go out then; in the order of the inputs if the topology asks for that.
pub trait AsyncBolt: Send + Sync + 'static {
    /// Says what streams the bolt emits. Called once, on an instance made for that, when the topology is built.
    fn declare(&self, streams: &mut Declarer) {
        let _ = streams;
    }

    /// Called before the first tuple.
    ///
    /// # Errors
    /// The topology doesn't start.
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> impl Future<Output = Result> + Send {
        let _ = context;
        std::future::ready(Ok(()))
    }

    /// Does one tuple.
    ///
    /// # Errors
    /// The tuple fails, what it emitted is withdrawn, and the error is counted and shown.
    fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> impl Future<Output = Result> + Send;

    /// Called at the interval that the topology declares for this component, if it does.
    ///
    /// # Errors
    /// What was emitted is withdrawn, and the error is counted and shown.
    fn tick(&self, out: &mut AsyncCollector) -> impl Future<Output = Result> + Send {
        let _ = out;
        std::future::ready(Ok(()))
    }

    /// The watermark over all inputs has risen, and every tuple that came before it has ended.
    ///
    /// # Errors
    /// What was emitted is withdrawn, and the error is counted and shown.
    fn watermark(&self, watermark: Timestamp, out: &mut AsyncCollector) -> impl Future<Output = Result> + Send {
        let _ = (watermark, out);
        std::future::ready(Ok(()))
    }

    /// Called once at an orderly end.
    fn cleanup(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Takes what one call of [`AsyncBolt::execute`] emits, until the call returns.
#[derive(Debug, Default)]
pub struct AsyncCollector {
    pub(crate) emits: Emits,
}

impl AsyncCollector {
    /// Emits a row on the default stream, anchored to the tuple.
    pub fn emit<R: IntoRow>(&mut self, row: R) {
        self.emits.push(super::StreamHandle::DEFAULT, None, row);
    }

    /// Emits a row on another of the component's streams, anchored to the tuple.
    pub fn emit_on<R: IntoRow>(&mut self, stream: super::StreamHandle, row: R) {
        self.emits.push(stream, None, row);
    }

    /// Emits a row on a direct stream to the task that is named, anchored to the tuple.
    pub fn emit_direct<R: IntoRow>(&mut self, stream: super::StreamHandle, to: TaskId, row: R) {
        self.emits.push(stream, Some(to), row);
    }
}

/// A boxed future that borrows.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`AsyncBolt`] behind a pointer.
pub(crate) trait DynAsyncBolt: Send + Sync {
    fn prepare<'a>(&'a mut self, context: &'a mut BoltContext<'_>) -> Boxed<'a, Result>;
    fn execute<'a>(&'a self, tuple: &'a OwnedTuple, out: &'a mut AsyncCollector) -> Boxed<'a, Result>;
    fn tick<'a>(&'a self, out: &'a mut AsyncCollector) -> Boxed<'a, Result>;
    fn watermark<'a>(&'a self, watermark: Timestamp, out: &'a mut AsyncCollector) -> Boxed<'a, Result>;
    fn cleanup(&mut self) -> Boxed<'_, ()>;
}

impl<B: AsyncBolt> DynAsyncBolt for B {
    fn prepare<'a>(&'a mut self, context: &'a mut BoltContext<'_>) -> Boxed<'a, Result> {
        Box::pin(AsyncBolt::prepare(self, context))
    }
    fn execute<'a>(&'a self, tuple: &'a OwnedTuple, out: &'a mut AsyncCollector) -> Boxed<'a, Result> {
        Box::pin(AsyncBolt::execute(self, tuple, out))
    }
    fn tick<'a>(&'a self, out: &'a mut AsyncCollector) -> Boxed<'a, Result> {
        Box::pin(AsyncBolt::tick(self, out))
    }
    fn watermark<'a>(&'a self, watermark: Timestamp, out: &'a mut AsyncCollector) -> Boxed<'a, Result> {
        Box::pin(AsyncBolt::watermark(self, watermark, out))
    }
    fn cleanup(&mut self) -> Boxed<'_, ()> {
        Box::pin(AsyncBolt::cleanup(self))
    }
}
