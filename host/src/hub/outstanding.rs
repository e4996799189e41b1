//! Messages that were written to a session, up to when the session has received them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{Channel, Inbox, Ticket, channel::lock, confirmation::Confirmable};
use crate::journal::Seq;

/// How many batches may wait until no more is handed over: some MiB. A client that confirms messages once a second gets more
/// than it can read in that time.
const MOST: usize = 1 << 18;

/// What was written to the session and not received yet.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    waiting: Mutex<Queue>,
    /// Less waits.
    room: Notify,
    /// Messages that were written to this session.
    written: AtomicU64,
    /// Of those, how many it has received.
    received: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    epoch: Epoch,
    /// A task waits for the session.
    running: bool,
}

/// It changes whenever what was not received is to be written again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// Messages that were written together.
#[derive(Debug)]
pub(super) struct Batch {
    /// In which epoch.
    pub(super) epoch: Epoch,
    /// Where they end in the session's stream.
    pub(super) ticket: Ticket,
    /// The last of them.
    pub(super) last: Seq,
    pub(super) count: u64,
    pub(super) confirmable: Vec<Confirmable>,
}

impl Outstanding {
    /// How many messages were written to the session, and how many it has received.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.written.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// In which epoch messages are written now.
    pub(super) fn epoch(&self) -> Epoch {
        lock(&self.waiting).epoch
    }

    /// Forgets what was not received. It is written again, in the next epoch.
    pub(super) fn clear(&self) {
        let mut queue = lock(&self.waiting);
        queue.epoch.0 += 1;
        let lost = queue.batches.drain(..).map(|batch| batch.count).sum();
        self.written.fetch_sub(lost, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    /// Waits while the session has not received too much of what it was given.
    pub(super) async fn room(&self) {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if lock(&self.waiting).batches.len() < MOST {
                return;
            }
            room.await;
        }
    }

    /// Waits until the session has received all that it was given.
    pub(super) async fn settled(&self) {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if lock(&self.waiting).batches.is_empty() {
                return;
            }
            room.await;
        }
    }

    fn first(&self) -> Option<Ticket> {
        lock(&self.waiting).batches.front().map(|batch| batch.ticket)
    }

    /// The first batch, if this inbox has received it.
    fn next_received(&self, inbox: &Arc<dyn Inbox>) -> Option<Batch> {
        lock(&self.waiting).batches.pop_front_if(|batch| inbox.is_received(batch.ticket))
    }
}

impl Channel {
    /// These were written. They are delivered once the session has received them.
    pub(super) fn written(self: &Arc<Self>, inbox: &Arc<dyn Inbox>, batch: Batch) {
        let mut queue = lock(&self.outstanding.waiting);
        if batch.epoch != queue.epoch {
            // It is written again together with what was before it: alone it must not move the mark.
            return;
        }
        self.outstanding.written.fetch_add(batch.count, Ordering::Relaxed);
        // The mark is one number: nothing passes what waits.
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
        // Others are told that it was written, and not received yet.
        self.settle_soon();
    }

    /// Follows what waits until nothing does.
    async fn follow_up(self: &Arc<Self>, inbox: &Arc<dyn Inbox>) {
        loop {
            while let Some(batch) = self.outstanding.next_received(inbox) {
                self.received(batch);
            }
            self.outstanding.room.notify_waiters();
            let first = {
                let mut queue = lock(&self.outstanding.waiting);
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

    /// What was not received is written again, marked.
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
