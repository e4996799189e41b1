//! Messages that were written to a session, until the session has received them.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Channel, Inbox, Ticket, confirmation::Confirmable};
use crate::journal::Seq;

/// The most batches that may wait; beyond it nothing is handed over. They take some MiB. A client that confirms
/// messages once a second gets more than it can read in that time.
const MOST: usize = 1 << 18;

/// The messages that were written to the session and that it has not received yet.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    waiting: Mutex<Queue>,
    /// Notified when fewer batches wait.
    room: Notify,
    /// How many messages were written to this session.
    written: AtomicU64,
    /// How many of those messages the session has received.
    received: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    epoch: Epoch,
    /// A task waits until the session has received the batches.
    running: bool,
}

/// A number that changes whenever messages that were not received are to be written again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// Messages that were written together.
#[derive(Debug)]
pub(super) struct Batch {
    /// The epoch in which they were written.
    pub(super) epoch: Epoch,
    /// Where they end in the session's stream.
    pub(super) ticket: Ticket,
    /// The last of them in the journal.
    pub(super) last: Seq,
    pub(super) count: u64,
    pub(super) confirmable: Vec<Confirmable>,
}

impl Outstanding {
    /// Returns how many messages were written to the session, and how many it has received.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.written.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Returns the epoch in which messages are written now.
    pub(super) fn epoch(&self) -> Epoch {
        self.waiting.lock().epoch
    }

    /// Forgets the messages that were not received. They are written again, in the next epoch.
    pub(super) fn clear(&self) {
        let mut queue = self.waiting.lock();
        queue.epoch.0 += 1;
        let lost = queue.batches.drain(..).map(|batch| batch.count).sum();
        self.written.fetch_sub(lost, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    /// Waits while too many batches are not received yet.
    pub(super) async fn room(&self) {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if self.waiting.lock().batches.len() < MOST {
                return;
            }
            room.await;
        }
    }

    /// Waits until the session has received everything that it was given.
    pub(super) async fn settled(&self) {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if self.waiting.lock().batches.is_empty() {
                return;
            }
            room.await;
        }
    }

    fn first(&self) -> Option<Ticket> {
        self.waiting.lock().batches.front().map(|batch| batch.ticket)
    }

    /// Removes and returns the first batch, if this inbox has received it.
    fn next_received(&self, inbox: &Arc<dyn Inbox>) -> Option<Batch> {
        self.waiting.lock().batches.pop_front_if(|batch| inbox.is_received(batch.ticket))
    }
}

impl Channel {
    /// Notes a batch that was written. Its messages count as delivered once the session has received them.
    pub(super) fn written(self: &Arc<Self>, inbox: &Arc<dyn Inbox>, batch: Batch) {
        let mut queue = self.outstanding.waiting.lock();
        if batch.epoch != queue.epoch {
            // It is written again together with the messages before it: alone it must not move the delivery mark.
            return;
        }
        self.outstanding.written.fetch_add(batch.count, Ordering::Relaxed);
        // The delivery mark is one number, so a batch must not overtake those that wait.
        if queue.batches.is_empty() && inbox.is_received(batch.ticket) {
            drop(queue);
            return self.received(batch);
        }
        queue.batches.push_back(batch);
        if !std::mem::replace(&mut queue.running, true) {
            let (channel, inbox) = (Arc::clone(self), Arc::clone(inbox));
            tokio::spawn(async move { channel.follow_up(&inbox).await });
        }
        drop(queue);
        // Other processes are told that the batch was written and is not received yet.
        self.settle_soon();
    }

    /// Follows the waiting batches until none is left.
    async fn follow_up(self: &Arc<Self>, inbox: &Arc<dyn Inbox>) {
        loop {
            while let Some(batch) = self.outstanding.next_received(inbox) {
                self.received(batch);
            }
            self.outstanding.room.notify_waiters();
            let first = {
                let mut queue = self.outstanding.waiting.lock();
                let first = queue.batches.front().map(|batch| batch.ticket);
                queue.running = first.is_some();
                first
            };
            let Some(first) = first else { return };
            // Meanwhile the channel may have been paused, which clears the queue.
            if !inbox.received(first).await && self.outstanding.first() == Some(first) {
                self.give_back();
                self.drain_soon();
            }
        }
    }

    /// Lets the messages that were not received be written again, marked as redelivered.
    pub(super) fn give_back(&self) {
        self.outstanding.clear();
        self.journal().suspect_offered();
    }

    fn received(self: &Arc<Self>, batch: Batch) {
        self.outstanding.received.fetch_add(batch.count, Ordering::Relaxed);
        self.journal().delivered(batch.last);
        self.settle_soon();
        self.confirm(batch.confirmable);
    }
}
