//! Who writes: a thread of its own in production, the caller in a simulation.

use std::io;
use std::sync::mpsc;

use tokio::sync::mpsc as answers;

use super::{Batch, Disk, StorageError};

/// A disk, and who waits for it.
pub enum Writer {
    /// A thread of its own waits, so that a slow disk delays no tick.
    Thread(Box<dyn Disk>),
    /// The caller waits: what a simulation on one thread wants.
    Inline(Box<dyn Disk>),
}

/// Batches up to this number are durable; or none will be any more.
pub(crate) type Written = Result<u64, StorageError>;

/// Where batches go, in order. What is in it is bounded by what Raft lets be uncommitted.
pub(crate) enum Queue {
    Thread(mpsc::Sender<(u64, Batch)>),
    Inline(Box<dyn Disk>, answers::UnboundedSender<Written>),
}

impl Writer {
    pub(crate) fn start(self, answers: answers::UnboundedSender<Written>) -> io::Result<Queue> {
        match self {
            Self::Inline(disk) => Ok(Queue::Inline(disk, answers)),
            Self::Thread(disk) => {
                let (sender, batches) = mpsc::channel();
                // Ends by itself once the host has dropped its sender and all is written.
                std::thread::Builder::new()
                    .name("squall-log".to_owned())
                    .spawn(move || write_all(disk, &batches, &answers))?;
                Ok(Queue::Thread(sender))
            }
        }
    }
}

impl Queue {
    /// Whoever waits for the number is told by the channel, also if it fails.
    pub(crate) fn write(&mut self, number: u64, batch: Batch) {
        match self {
            // A thread that is gone has said why.
            Self::Thread(batches) => drop(batches.send((number, batch))),
            // A host that is gone waits for nothing.
            Self::Inline(disk, answers) => drop(answers.send(disk.write(&batch).map(|()| number))),
        }
    }
}

fn write_all(
    mut disk: Box<dyn Disk>,
    batches: &mpsc::Receiver<(u64, Batch)>,
    answers: &answers::UnboundedSender<Written>,
) {
    while let Ok((number, mut batch)) = batches.recv() {
        let mut last = number;
        // What has come meanwhile shares one transaction, as far as it can be joined.
        while let Ok((number, next)) = batches.try_recv() {
            if joins(&batch, &next) {
                batch.hard = next.hard.or(batch.hard);
                batch.entries.extend(next.entries);
            } else {
                if !written(&mut *disk, last, &batch, answers) {
                    return;
                }
                batch = next;
            }
            last = number;
        }
        if !written(&mut *disk, last, &batch, answers) {
            return;
        }
    }
}

fn written(disk: &mut dyn Disk, number: u64, batch: &Batch, answers: &answers::UnboundedSender<Written>) -> bool {
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
