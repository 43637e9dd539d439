//! A bolt alone.

use std::sync::Arc;

use squall_engine::edges::EdgeIds;
use squall_engine::ledger::{Ledger, LedgerConfig, Outcome, Settled};
use squall_engine::state::StateStore;
use squall_types::{Anchor, Batch, Incarnation, KeyGroup, Route, Schema, TaskId, Timestamp, Value};

use crate::api::{Bolt, Failure, TaskInfo};
use crate::clock::Clock;
use crate::inbox::{Bound, Inbox, Parcel};
use crate::lane::{AckBatch, AckOut, AckRoutes, Chain, Intake, Node, Senders, Step, TaskCell};
use crate::metrics::{NodeMetrics, TaskMetrics, UserMetrics, UserSnapshot};
use crate::tap::Tap;
use crate::token::Returns;
use crate::transport::LaneNumber;

/// The task that a harness's rows come from; the bolt's own task is another.
const SOURCE: TaskId = TaskId::new(1);

/// A bolt's task in a chain of its own, fed row by row. Each row is a root, numbered from 0.
pub struct BoltDriver {
    chain: Chain,
    acks: Arc<Inbox<AckBatch>>,
    ledger: Ledger<Option<u64>>,
    ids: EdgeIds,
    settled: Vec<(u64, Outcome)>,
    fed: u64,
    metrics: Arc<NodeMetrics>,
    user_metrics: UserMetrics,
}

impl BoltDriver {
    /// A bolt that `make` makes, and makes again after a panic. It takes streams of these schemas.
    pub fn new(
        make: impl Fn() -> Box<dyn Bolt> + Send + Sync + 'static,
        info: TaskInfo,
        inputs: Vec<Arc<Schema>>,
        (groups, seed): (u16, u64),
        clock: Clock,
        tap: Arc<dyn Tap>,
    ) -> Self {
        crate::panics::install();
        let acks = Arc::new(Inbox::new(Bound::DEFAULT));
        let returns = Arc::new(Returns::new(acks.clone()));
        let (metrics, user_metrics) = (NodeMetrics::new(1), UserMetrics::default());
        let outputs = super::outputs(&info, [info.task].into(), seed, tap);
        let component = info.component.clone();
        let cell = TaskCell::new(info, make(), StateStore::new(groups, seed));
        let shared = (metrics.clone(), user_metrics.clone());
        let node = Node::new((component, 0), vec![cell], outputs, Some(Arc::new(make)), shared);
        let intake = |schema| Intake::new(schema, Arc::new(Senders::new([(LaneNumber(0), [SOURCE].into())])));
        let routes = AckRoutes::new(vec![(acks.clone(), vec![SOURCE.get()])], usize::from(SOURCE.get()));
        let config = LedgerConfig {
            task: SOURCE,
            incarnation: Incarnation::default(),
            timeout_ns: u64::MAX,
            max_pending: usize::MAX,
        };
        let intakes = inputs.into_iter().map(intake).collect();
        Self {
            chain: Chain::new(vec![node], vec![None], intakes, AckOut::new(routes), returns, clock),
            acks,
            ledger: Ledger::new(config),
            ids: EdgeIds::new(!seed),
            settled: Vec::new(),
            fed: 0,
            metrics,
            user_metrics,
        }
    }

    /// Prepares the bolt.
    ///
    /// # Errors
    /// What its `prepare` said.
    pub fn prepare(&mut self) -> Result<(), Failure> {
        let _guard = crate::panics::guard();
        self.chain.prepare().map_err(|(_, failure)| failure)
    }

    /// Gives the bolt a row of one of its inputs. Returns the row's number.
    pub fn execute(&mut self, input: usize, group: KeyGroup, values: Vec<Value>) -> u64 {
        let _guard = crate::panics::guard();
        let now_ns = self.chain.wake();
        let row = self.fed;
        self.fed += 1;
        let edge = self.ids.next();
        let root = self.ledger.open(Some(row), edge, now_ns);
        let batch = Batch {
            input: u16::try_from(input).expect("a harness has few inputs"),
            width: u16::try_from(values.len()).expect("a row's fields fit u16"),
            rows: 1,
            values,
            anchors: vec![Anchor { root, edge }],
            routes: vec![Route { group, ..Route::FIRST }],
            sent_ns: now_ns,
            ..Batch::default()
        };
        self.chain.begin(batch);
        self.pump();
        row
    }

    /// Gives the bolt a tick.
    pub fn tick(&mut self) {
        let _guard = crate::panics::guard();
        self.chain.wake();
        self.chain.tick(0);
        self.pump();
    }

    /// Tells the bolt that the watermark has risen.
    pub fn watermark(&mut self, to: Timestamp) {
        let _guard = crate::panics::guard();
        self.chain.wake();
        self.chain.watermark(0, to);
        self.pump();
    }

    /// Stops the bolt as if it had panicked between two rows, and starts it anew.
    pub fn kill(&mut self) {
        let _guard = crate::panics::guard();
        self.chain.wake();
        self.chain.nodes[0].kill(0, &self.chain.run.clock);
        self.pump();
    }

    /// Ends the bolt in an orderly way.
    pub fn cleanup(&mut self) {
        self.chain.cleanup();
        self.pump();
    }

    fn pump(&mut self) {
        while self.chain.step() == Step::Ran {}
        // The batch's buffers aren't used again.
        let _ = self.chain.end();
        self.settle();
    }

    /// Takes the acks of what was executed, and of tokens that have come back.
    pub fn settle(&mut self) {
        self.chain.take_returns();
        self.chain.acks.flush(self.chain.now_ns(), true, 0);
        while let Some(batch) = self.acks.take() {
            let settled = &mut self.settled;
            let mut on = |root: Settled<Option<u64>>| settled.extend(root.id.map(|row| (row, root.outcome)));
            self.ledger.ack_all(&batch.acked, &mut on);
            batch.failed.iter().for_each(|(root, _)| self.ledger.fail(*root, &mut on));
            self.acks.done(batch.rows(), batch.bytes(), batch);
        }
    }

    /// The rows whose fate is known since this was last asked, in the order in which it became known.
    pub fn take_settled(&mut self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.settled)
    }

    /// The task's keyed state.
    pub fn state(&mut self) -> &mut StateStore {
        self.chain.nodes[0].tasks[0].state_mut()
    }

    /// The task's figures, with its last error.
    pub fn metrics(&self) -> TaskMetrics {
        self.metrics.tasks()[0].clone()
    }

    /// The bolt's own metrics.
    pub fn user_metrics(&self) -> UserSnapshot {
        self.user_metrics.snapshot()
    }
}
