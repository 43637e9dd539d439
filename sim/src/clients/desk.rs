//! What clients and the simulation tell each other. All on one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use squall_proto::v1;
use squall_tests::linear::Recorder;

/// What the operator has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// A master's disk is lost.
    Replace(usize),
    /// A master is to leave; it is wiped then, and comes in again.
    Remove(usize),
    /// A master with an empty disk is to come in.
    Add(usize),
    /// Another master is to lead.
    Transfer,
}

/// The desk. Its clones are the same.
#[derive(Clone, Default)]
pub struct Desk {
    jobs: Rc<RefCell<VecDeque<Job>>>,
    done: Rc<RefCell<Vec<Job>>>,
    acknowledged: Rc<RefCell<Vec<u64>>>,
    commands: Rc<Cell<usize>>,
    trouble: Rc<RefCell<Option<String>>>,
    closing: Rc<Cell<bool>>,
    finished: Rc<Cell<usize>>,
    watched: Rc<RefCell<Vec<v1::Event>>>,
    /// What clients did.
    pub recorder: Recorder,
}

impl Desk {
    /// One more thing for the operator.
    pub fn order(&self, job: Job) {
        self.jobs.borrow_mut().push_back(job);
    }

    /// Whether the operator has nothing to do.
    pub fn idle(&self) -> bool {
        self.jobs.borrow().is_empty()
    }

    /// What the operator has to do next.
    pub fn next(&self) -> Option<Job> {
        self.jobs.borrow().front().cloned()
    }

    /// That is done.
    pub fn did(&self, job: Job) {
        self.jobs.borrow_mut().pop_front();
        self.done.borrow_mut().push(job);
    }

    /// What the operator has done since this was asked last.
    pub fn done(&self) -> Vec<Job> {
        self.done.take()
    }

    /// A client was told that its change stands here.
    pub fn acknowledge(&self, revision: u64) {
        self.acknowledged.borrow_mut().push(revision);
        self.commands.set(self.commands.get() + 1);
    }

    /// The revisions that clients were told of since this was asked last.
    pub fn acknowledged(&self) -> Vec<u64> {
        self.acknowledged.take()
    }

    /// How many changes were acknowledged so far.
    pub fn commands(&self) -> usize {
        self.commands.get()
    }

    /// Something went wrong at a client.
    pub fn complain(&self, trouble: String) {
        self.trouble.borrow_mut().get_or_insert(trouble);
    }

    /// What went wrong at a client, if anything did.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// A watcher was sent this.
    pub fn watch(&self, event: v1::Event) {
        self.watched.borrow_mut().push(event);
    }

    /// All that the watcher was sent, in its order.
    pub fn watched(&self) -> Vec<v1::Event> {
        self.watched.borrow().clone()
    }

    /// Clients are to read everything once more and end.
    pub fn close(&self) {
        self.closing.set(true);
    }

    /// Whether they are to.
    pub fn closing(&self) -> bool {
        self.closing.get()
    }

    /// A client has ended.
    pub fn finish(&self) {
        self.finished.set(self.finished.get() + 1);
    }

    /// Whether so many clients have ended.
    pub fn closed(&self, clients: usize) -> bool {
        self.finished.get() == clients
    }
}
