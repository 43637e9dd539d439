//! Who writes: a thread of its own in production, a task in a simulation.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc as channel;

use super::{Batch, Disk, StorageError};

/// A disk, and who waits for it.
pub enum Writer {
    /// A thread of its own waits, so that a slow disk delays no tick.
    Thread(Box<dyn Disk>),
    /// A task of the host's own runtime waits, before each write for as long as it is told: what a simulation on one thread wants.
    Task(Box<dyn Disk>, Pause),
}

/// How long the next write takes.
pub type Pause = Box<dyn FnMut() -> Duration + Send>;

/// Batches up to this number are durable; or none will be any more.
pub(crate) type Written = Result<u64, StorageError>;

type Numbered = (u64, Batch);

/// Where batches go, in order. What is in it is bounded by what Raft lets be uncommitted.
pub(crate) enum Queue {
    Thread(mpsc::Sender<Numbered>),
    Task(channel::UnboundedSender<Numbered>),
}

impl Writer {
    pub(crate) fn start(self, answers: channel::UnboundedSender<Written>) -> io::Result<Queue> {
        // Thread and task end by themselves once the host has dropped its sender and all is written.
        match self {
            Self::Task(disk, pause) => {
                let (sender, batches) = channel::unbounded_channel();
                tokio::spawn(write_in_time(disk, pause, batches, answers));
                Ok(Queue::Task(sender))
            }
            Self::Thread(disk) => {
                let (sender, batches) = mpsc::channel();
                std::thread::Builder::new()
                    .name("squall-log".to_owned())
                    .spawn(move || write_all(disk, &batches, &answers))?;
                Ok(Queue::Thread(sender))
            }
        }
    }
}

impl Queue {
    /// Whoever waits for the number is told by the channel, also if it fails. A writer that is gone has said why.
    pub(crate) fn write(&mut self, number: u64, batch: Batch) {
        match self {
            Self::Thread(batches) => drop(batches.send((number, batch))),
            Self::Task(batches) => drop(batches.send((number, batch))),
        }
    }
}

fn write_all(mut disk: Box<dyn Disk>, batches: &mpsc::Receiver<Numbered>, answers: &channel::UnboundedSender<Written>) {
    while let Ok(first) = batches.recv() {
        if !write_together(&mut *disk, first, || batches.try_recv().ok(), answers) {
            return;
        }
    }
}

async fn write_in_time(
    mut disk: Box<dyn Disk>,
    mut pause: Pause,
    mut batches: channel::UnboundedReceiver<Numbered>,
    answers: channel::UnboundedSender<Written>,
) {
    while let Some(first) = batches.recv().await {
        tokio::time::sleep(pause()).await;
        if !write_together(&mut *disk, first, || batches.try_recv().ok(), &answers) {
            return;
        }
    }
}

/// Writes a batch, and in the same transaction what has come meanwhile, as far as it can be joined. Whether to go on.
fn write_together(
    disk: &mut dyn Disk,
    (mut last, mut batch): Numbered,
    mut next: impl FnMut() -> Option<Numbered>,
    answers: &channel::UnboundedSender<Written>,
) -> bool {
    while let Some((number, next)) = next() {
        if joins(&batch, &next) {
            batch.hard = next.hard.or(batch.hard);
            batch.entries.extend(next.entries);
        } else {
            if !written(disk, last, &batch, answers) {
                return false;
            }
            batch = next;
        }
        last = number;
    }
    written(disk, last, &batch, answers)
}

fn written(disk: &mut dyn Disk, number: u64, batch: &Batch, answers: &channel::UnboundedSender<Written>) -> bool {
    let written = disk.write(batch).map(|()| number);
    let go_on = written.is_ok();
    answers.send(written).is_ok() && go_on
}

/// Whether two batches only append, the second right behind the first, so that they can be one.
fn joins(batch: &Batch, next: &Batch) -> bool {
    let plain =
        |batch: &Batch| batch.snapshot.is_none() && batch.first.is_none() && !batch.clear && batch.identity.is_none();
    let follows = match (batch.entries.last(), next.entries.first()) {
        (Some(last), Some(first)) => first.index == last.index + 1,
        _ => true,
    };
    plain(batch) && plain(next) && follows
}
